package idp

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"
)

func anyCertificate(t testing.TB) *x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Unix(1<<32, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// The two forms in which proxies hand on a certificate: a byte sequence (RFC 9440 §2.1) and nginx's percent-encoded PEM.
func proxyForms(cert *x509.Certificate) (sequence, nginx string) {
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})
	return ":" + base64.StdEncoding.EncodeToString(cert.Raw) + ":", url.PathEscape(string(block))
}

func TestParseProxyCertificate(t *testing.T) {
	cert := anyCertificate(t)
	sequence, nginx := proxyForms(cert)
	encoded := strings.ReplaceAll(strings.ReplaceAll(nginx, "+", "%2B"), "=", "%3D")
	for name, value := range map[string]string{
		"byte sequence": sequence, "byte sequence without padding": strings.ReplaceAll(sequence, "=", ""), "pem": nginx, "pem, more encoded": encoded, "blanks": " " + sequence + " ",
	} {
		if got, err := parseProxyCertificate(value); err != nil || !got.Equal(cert) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got, err := parseProxyCertificate(" "); got != nil || err != nil {
		t.Errorf("empty: %v, %v", got, err)
	}
	for name, value := range map[string]string{
		"not ended": sequence[:len(sequence)-1], "of something else": ":AAAA:", "in another alphabet": ":" + base64.URLEncoding.EncodeToString([]byte{0xff, 0xfe, 0xfd}) + ":",
		"twice": nginx + nginx, "with a parameter": sequence + ";x=1", "two byte sequences": sequence + ", " + sequence, "half a percent": nginx + "%2", "a key": strings.ReplaceAll(nginx, "CERTIFICATE", "PRIVATE%20KEY"),
		"something before": "x" + sequence, "too long": ":" + strings.Repeat("A", maxProxyCertificate) + ":", "nothing inside": "::",
	} {
		if got, err := parseProxyCertificate(value); err == nil {
			t.Errorf("%s: %v", name, got.Subject)
		}
	}
}

func FuzzParseProxyCertificate(f *testing.F) {
	sequence, nginx := proxyForms(anyCertificate(f))
	for _, s := range []string{sequence, nginx, "", "::", ":AAAA:", "%", "-----BEGIN%20CERTIFICATE-----"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		cert, err := parseProxyCertificate(value)
		if err != nil || cert == nil {
			return
		}
		sequence, nginx := proxyForms(cert)
		for _, form := range []string{sequence, nginx} {
			if again, err := parseProxyCertificate(form); err != nil || !again.Equal(cert) {
				t.Errorf("%q is not read back: %v", form, err)
			}
		}
	})
}

// A header counts only if the TCP peer is a trusted proxy; then the proxy's own certificate does not. Anybody else who sends the header
// forges, and is taken for what its handshake showed.
func TestForgedCertificateHeaderIsDropped(t *testing.T) {
	own, forged := anyCertificate(t), anyCertificate(t)
	sequence, nginx := proxyForms(forged)
	proxy := MutualTLS{BaseURL: "https://mtls.example", ProxyHeader: "Client-Cert", TrustedProxies: []netip.Prefix{
		netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8::/64"),
	}}
	direct := MutualTLS{BaseURL: "https://mtls.example"}
	for name, tt := range map[string]struct {
		m       MutualTLS
		peer    string
		shows   *x509.Certificate // in the handshake
		headers []string
		want    *x509.Certificate
		fails   bool
	}{
		"trusted proxy":                           {proxy, "192.0.2.7:1", nil, []string{sequence}, forged, false},
		"trusted proxy with its own certificate":  {proxy, "192.0.2.7:1", own, []string{nginx}, forged, false},
		"trusted proxy, client without":           {proxy, "192.0.2.7:1", own, nil, nil, false},
		"trusted proxy, client without, as blank": {proxy, "192.0.2.7:1", own, []string{""}, nil, false},
		"trusted proxy of version 6":              {proxy, "[2001:db8::1]:1", nil, []string{sequence}, forged, false},
		"trusted proxy, mapped address":           {proxy, "[::ffff:192.0.2.7]:1", nil, []string{sequence}, forged, false},
		"trusted proxy that passes on headers":    {proxy, "192.0.2.7:1", nil, []string{sequence, sequence}, nil, true},
		"trusted proxy that writes nonsense":      {proxy, "192.0.2.7:1", nil, []string{"x"}, nil, true},
		"stranger":                                {proxy, "192.0.3.7:1", nil, []string{sequence}, nil, false},
		"stranger with a certificate":             {proxy, "192.0.3.7:1", own, []string{sequence}, own, false},
		"stranger with nonsense":                  {proxy, "192.0.3.7:1", own, []string{"x", "y"}, own, false},
		"loopback is no proxy by itself":          {proxy, "127.0.0.1:1", nil, []string{sequence}, nil, false},
		"no peer address":                         {proxy, "", nil, []string{sequence}, nil, false},
		"hub without proxy":                       {direct, "192.0.2.7:1", own, []string{sequence}, own, false},
	} {
		r := httptest.NewRequest(http.MethodPost, "/token", nil)
		r.RemoteAddr, r.TLS = tt.peer, nil
		if tt.shows != nil {
			r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{tt.shows}}
		}
		for _, h := range tt.headers {
			r.Header.Add("Client-Cert", h)
		}
		chain, err := tt.m.shown(r)
		if (err != nil) != tt.fails || (len(chain) == 0) != (tt.want == nil) || len(chain) > 0 && !chain[0].Equal(tt.want) {
			t.Errorf("%s: %d certificates, %v", name, len(chain), err)
		}
	}
}

func TestMutualTLSCheck(t *testing.T) {
	net24 := []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	for name, tt := range map[string]struct {
		m  MutualTLS
		ok bool
	}{
		"none":                     {MutualTLS{}, true},
		"another host":             {MutualTLS{BaseURL: "https://mtls.id.example"}, true},
		"another port":             {MutualTLS{BaseURL: "https://id.example:8443"}, true},
		"behind a proxy":           {MutualTLS{BaseURL: "https://mtls.id.example", ProxyHeader: "Client-Cert", TrustedProxies: net24}, true},
		"the issuer":               {MutualTLS{BaseURL: "https://id.example"}, false},
		"plain":                    {MutualTLS{BaseURL: "http://mtls.id.example"}, false},
		"with a path":              {MutualTLS{BaseURL: "https://mtls.id.example/"}, false},
		"with a user":              {MutualTLS{BaseURL: "https://a@mtls.id.example"}, false},
		"no host":                  {MutualTLS{BaseURL: "https://"}, false},
		"header of nobody":         {MutualTLS{BaseURL: "https://mtls.id.example", ProxyHeader: "Client-Cert"}, false},
		"proxies without a header": {MutualTLS{BaseURL: "https://mtls.id.example", TrustedProxies: net24}, false},
		"proxy without an address": {MutualTLS{ProxyHeader: "Client-Cert", TrustedProxies: net24}, false},
	} {
		if err := tt.m.Check("https://id.example"); (err == nil) != tt.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}
