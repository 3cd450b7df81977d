package serve

import "crypto/tls"

// TLS is the one TLS configuration our listeners have: TLS 1.3, or of 1.2 exactly the cipher suites that RFC 9325 §4.2 recommends, which
// are all that FAPI 2.0 Security Profile §5.2.2 lets an endpoint accept. Within 1.2 ChaCha20 is not among them. Key agreement is on
// curves that a client of any age knows, and first of all on the one that a quantum computer does not break.
func TLS(cert tls.Certificate) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{cert}, NextProtos: []string{"http/1.1"},
		CipherSuites: []uint16{
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
		},
		CurvePreferences: []tls.CurveID{tls.X25519MLKEM768, tls.X25519, tls.CurveP256, tls.CurveP384},
	}
}

// MutualTLS is TLS that asks the client for a certificate. None is demanded, and none is judged here: one signed by its own key is as
// good as another's until it is known whose it should be (RFC 8705 §2.2, §6.2). That the client holds the key is proven by the
// handshake.
func MutualTLS(cert tls.Certificate) *tls.Config {
	c := TLS(cert)
	c.ClientAuth = tls.RequestClientCert
	return c
}
