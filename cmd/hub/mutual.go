package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/tsunagu-id/tsunagu/idp"
	"github.com/tsunagu-id/tsunagu/internal/serve"
)

// mutualTLS is the second listener, which clients show certificates to (RFC 8705).
type mutualTLS struct {
	Listen         string   `json:"listen"` // host:port; empty: there is none
	BaseURL        string   `json:"base_url"`
	Certificate    string   `json:"certificate"` // PEM files; empty: those of tls
	Key            string   `json:"key"`
	ClientCAs      string   `json:"client_ca_file"`  // PEM, authorities of tls_client_auth certificates; empty: that method is not offered
	ProxyHeader    string   `json:"proxy_header"`    // in which a TLS proxy hands on the certificate
	TrustedProxies []string `json:"trusted_proxies"` // CIDRs of such proxies
}

// address is where to listen. Behind a proxy it may be plain, on loopback.
func (m mutualTLS) address(main serve.Address) serve.Address {
	if m.Certificate != "" || m.Key != "" {
		return serve.Address{Listen: m.Listen, Certificate: m.Certificate, Key: m.Key}
	}
	return serve.Address{Listen: m.Listen, Certificate: main.Certificate, Key: main.Key}
}

// identity is what the provider needs to know of the listener; zero without one.
func (m mutualTLS) identity() (idp.MutualTLS, error) {
	out := idp.MutualTLS{BaseURL: m.BaseURL, ProxyHeader: m.ProxyHeader}
	for _, s := range m.TrustedProxies {
		p, err := netip.ParsePrefix(s)
		if err != nil || p != p.Masked() {
			return out, fmt.Errorf("mtls.trusted_proxies: %q is not a network such as 10.0.0.0/24", s)
		}
		out.TrustedProxies = append(out.TrustedProxies, p)
	}
	return out, nil
}

// authorities returns nil if there are none.
func (m mutualTLS) authorities() (*x509.CertPool, error) {
	if m.ClientCAs == "" {
		return nil, nil
	}
	pool, err := serve.Roots(x509.NewCertPool(), m.ClientCAs)
	if err != nil {
		return nil, fmt.Errorf("mtls.client_ca_file: %w", err)
	}
	return pool, nil
}

func (m mutualTLS) check(issuer string, main serve.Address) error {
	if m.Listen == "" {
		if m.BaseURL != "" || m.Certificate != "" || m.Key != "" || m.ClientCAs != "" || m.ProxyHeader != "" || len(m.TrustedProxies) > 0 {
			return errors.New("mtls.listen: host:port is required where there is anything else in mtls")
		}
		return nil
	}
	if m.BaseURL == "" {
		return errors.New("mtls.base_url: the listener's own address is required, such as https://mtls.id.example.go.jp")
	}
	a := m.address(main)
	if err := a.Check(); err != nil {
		return fmt.Errorf("mtls: %w", err)
	}
	if a.Certificate == "" && m.ProxyHeader == "" {
		return errors.New("mtls.certificate: required unless a proxy hands on the certificates, see mtls.proxy_header")
	}
	identity, err := m.identity()
	if err != nil {
		return err
	}
	return identity.Check(issuer)
}

// bind listens; nil without a listener.
func (m mutualTLS) bind(ctx context.Context, main serve.Address) (net.Listener, error) {
	if m.Listen == "" {
		return nil, nil
	}
	l, err := serve.BindMutual(ctx, m.address(main))
	if err != nil {
		return nil, fmt.Errorf("mtls: %w", err)
	}
	return l, nil
}
