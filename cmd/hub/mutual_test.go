package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/idp/idptest"
)

// The program has two listeners: one that never asks for a certificate, and one that does and is told of in discovery.
func TestServesTheSecondAddress(t *testing.T) {
	c := testConfig(t)
	dir := t.TempDir()
	cert := idptest.Certify(t, time.Now(), x509.Certificate{DNSNames: []string{"localhost"}}, nil)
	key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	c.TLS.Certificate, c.TLS.Key = filepath.Join(dir, "server.pem"), filepath.Join(dir, "server.key")
	for path, block := range map[string]*pem.Block{c.TLS.Certificate: {Type: "CERTIFICATE", Bytes: cert.Leaf.Raw}, c.TLS.Key: {Type: "PRIVATE KEY", Bytes: key}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c.Issuer = "https://localhost:" + c.Issuer[strings.LastIndex(c.Issuer, ":")+1:]
	c.Mutual.Listen, c.Mutual.ClientCAs = freeAddress(t), c.TLS.Certificate
	c.Mutual.BaseURL = "https://localhost:" + c.Mutual.Listen[strings.LastIndex(c.Mutual.Listen, ":")+1:]
	for _, err := range []error{c.check(), c.verify()} {
		if err != nil {
			t.Fatal(err)
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- start(ctx, c, slog.New(slog.NewTextHandler(io.Discard, nil))) }()

	asked := false
	roots := x509.NewCertPool()
	roots.AddCert(cert.Leaf)
	transport := &http.Transport{TLSClientConfig: &tls.Config{
		MinVersion: tls.VersionTLS12, RootCAs: roots,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { asked = true; return &cert, nil },
	}}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	get := func(address string) (status int, body string) {
		for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
			resp, err := client.Get(address)
			if err != nil {
				continue
			}
			b, _ := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			return resp.StatusCode, string(b)
		}
		return 0, ""
	}
	status, discovery := get(c.Issuer + "/.well-known/openid-configuration")
	if status != http.StatusOK || asked || !strings.Contains(discovery, `"token_endpoint":"`+c.Mutual.BaseURL+`/token"`) || !strings.Contains(discovery, `"tls_client_auth"`) {
		t.Errorf("discovery: %d, asked for a certificate: %v, %s", status, asked, discovery)
	}
	if status, _ := get(c.Mutual.BaseURL + "/readyz"); status != http.StatusOK || !asked {
		t.Errorf("second address: %d, asked for a certificate: %v", status, asked)
	}
	transport.CloseIdleConnections()
	stop()
	if err := <-ended; err != nil {
		t.Errorf("ended with %v", err)
	}
}

// freeAddress is one that nobody listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return l.Addr().String()
}
