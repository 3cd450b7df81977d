package serve

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"testing"
	"time"
)

func certificate(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"localhost"},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// handshake shakes hands with a listener of the configuration and returns both sides' views.
func handshake(t *testing.T, server, client *tls.Config) (seen, own tls.ConnectionState, err error) {
	t.Helper()
	l, err := tls.Listen("tcp", "127.0.0.1:0", server)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	done := make(chan tls.ConnectionState, 1)
	go func() {
		defer close(done)
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		if s, ok := c.(*tls.Conn); ok && s.Handshake() == nil {
			done <- s.ConnectionState()
			_, _ = s.Write([]byte("x")) // a client of TLS 1.3 learns of a refusal with the first answer
		}
	}()
	client.InsecureSkipVerify = true // the server's certificate is not what is tested
	conn, err := (&tls.Dialer{NetDialer: &net.Dialer{Timeout: 5 * time.Second}, Config: client}).DialContext(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		return seen, own, err
	}
	defer conn.Close()
	if n, err := conn.Read(make([]byte, 1)); n == 0 {
		return seen, own, err
	}
	if c, ok := conn.(*tls.Conn); ok {
		own = c.ConnectionState()
	}
	return <-done, own, nil
}

// FAPI 2.0 Security Profile §5.2.1 and §5.2.2; as the conformance suite's DisallowTLS10, DisallowTLS11, EnsureTLS13PreferredOverTLS12
// and RequireOnlyBCP195RecommendedCiphersForTLS12 ask.
func TestOnlyRecommendedTLSIsSpoken(t *testing.T) {
	cert := certificate(t)
	only := func(version uint16, suites ...uint16) *tls.Config {
		return &tls.Config{MinVersion: version, MaxVersion: version, CipherSuites: suites}
	}
	for name, tt := range map[string]struct {
		client *tls.Config
		works  bool
	}{
		"1.3":                     {only(tls.VersionTLS13), true},
		"1.2 ECDHE AES-128-GCM":   {only(tls.VersionTLS12, tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256), true},
		"1.2 ECDHE AES-256-GCM":   {only(tls.VersionTLS12, tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384), true},
		"1.2 ECDHE ChaCha20":      {only(tls.VersionTLS12, tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256), false},
		"1.2 ECDHE AES-128-CBC":   {only(tls.VersionTLS12, tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA), false},
		"1.2 ECDHE AES-256-CBC":   {only(tls.VersionTLS12, tls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA), false},
		"1.2 without forward key": {only(tls.VersionTLS12, tls.TLS_RSA_WITH_AES_128_GCM_SHA256), false},
		"1.1":                     {only(tls.VersionTLS11), false},
		"1.0":                     {only(tls.VersionTLS10), false},
		"P-256 only":              {&tls.Config{MinVersion: tls.VersionTLS12, CurvePreferences: []tls.CurveID{tls.CurveP256}}, true},
		"P-384 only":              {&tls.Config{MinVersion: tls.VersionTLS12, CurvePreferences: []tls.CurveID{tls.CurveP384}}, true},
		"X25519 only":             {&tls.Config{MinVersion: tls.VersionTLS12, CurvePreferences: []tls.CurveID{tls.X25519}}, true},
	} {
		if _, _, err := handshake(t, TLS(cert), tt.client); (err == nil) != tt.works {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, own, err := handshake(t, TLS(cert), &tls.Config{MinVersion: tls.VersionTLS12})
	if err != nil || own.Version != tls.VersionTLS13 || own.CurveID != tls.X25519MLKEM768 {
		t.Errorf("a client that can do everything gets %s with %s, %v", tls.VersionName(own.Version), own.CurveID, err)
	}
}

// A listener for mutual TLS takes a client without a certificate and one whose certificate nobody signed; the other asks for none.
func TestMutualTLSAsksForACertificate(t *testing.T) {
	cert, own := certificate(t), certificate(t)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		client := func(certs ...tls.Certificate) *tls.Config {
			return &tls.Config{MinVersion: version, MaxVersion: version, Certificates: certs}
		}
		for name, tt := range map[string]struct {
			server, client *tls.Config
			want           int
		}{
			"with one":         {MutualTLS(cert), client(own), 1},
			"without":          {MutualTLS(cert), client(), 0},
			"not asked for it": {TLS(cert), client(own), 0},
		} {
			seen, _, err := handshake(t, tt.server, tt.client)
			if err != nil || len(seen.PeerCertificates) != tt.want {
				t.Errorf("%s, %s: %d certificates, %v", name, tls.VersionName(version), len(seen.PeerCertificates), err)
			}
		}
	}
}
