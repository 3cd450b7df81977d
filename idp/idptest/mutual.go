package idptest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/internal/serve"
)

// Mutual is the hub's second address in a test, see idp.MutualTLS.
type Mutual struct {
	Authorities    *x509.CertPool
	ProxyHeader    string
	TrustedProxies []netip.Prefix
}

// mutualServer is not started yet: the hub has to know its address first.
func mutualServer() *httptest.Server {
	s := httptest.NewUnstartedServer(nil)
	s.TLS = serve.MutualTLS(tls.Certificate{})
	s.TLS.Certificates = nil // the server brings its own
	return s
}

// Show returns an HTTP client that shows a certificate, or none, wherever it is asked for one. It trusts the hub, has no cookies and
// follows no redirects.
func (h *Hub) Show(t testing.TB, certs ...tls.Certificate) *http.Client {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AddCert(h.mutual.Certificate())
	c := Client()
	transport := &http.Transport{TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots, Certificates: certs}}
	t.Cleanup(transport.CloseIdleConnections)
	c.Transport = transport
	return c
}

// Certify makes a certificate of the template, good for an hour from now, with a key of its own; without an issuer it is signed by itself.
func Certify(t testing.TB, now time.Time, template x509.Certificate, by *tls.Certificate) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template.NotBefore, template.NotAfter = now.Add(-time.Hour), now.Add(time.Hour)
	template.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	must(t, err)
	issuer, signer := &template, crypto.PrivateKey(key)
	if by != nil {
		issuer, signer = by.Leaf, by.PrivateKey
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, issuer, &key.PublicKey, signer)
	must(t, err)
	leaf, err := x509.ParseCertificate(der)
	must(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}
