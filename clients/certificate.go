package clients

import (
	"context"
	"crypto/x509"
	"time"

	"github.com/tsunagu-id/tsunagu/keys"
)

// WithCertificates adds what the client showed in the TLS handshake, its own
// certificate first. It proves a client that is registered for it and uses no other
// method (RFC 8705 §2); beside another method it proves nothing.
func (c Credentials) WithCertificates(chain []*x509.Certificate) Credentials {
	c.chain = chain
	return c
}

// TLSMethods returns the methods by certificate that Authenticate can judge.
func (r *Registry) TLSMethods() []Method {
	if r.d.Authorities == nil {
		return []Method{SelfSignedTLS}
	}
	return []Method{TLSClientAuth, SelfSignedTLS}
}

// checkIssued judges a certificate that an authority of the operator's choice
// issued (RFC 8705 §2.1): chain, time, purpose, and the one registered name.
func (r *Registry) checkIssued(c *Client, chain []*x509.Certificate) error {
	if r.d.Authorities == nil { // the zero options would mean the system's
		return badCertificate(c, "this hub trusts no authority of client certificates", nil)
	}
	between := x509.NewCertPool()
	for _, cert := range chain[1:] {
		between.AddCert(cert)
	}
	_, err := chain[0].Verify(x509.VerifyOptions{
		Roots: r.d.Authorities, Intermediates: between, CurrentTime: r.d.Now(),
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, // a certificate without extended key usage is for any
	})
	if err != nil {
		return badCertificate(c, "the certificate is not trusted", err)
	}
	if !c.TLSIdentity().Matches(chain[0]) {
		return badCertificate(c, "the certificate names somebody else", nil)
	}
	return strong(c, chain[0])
}

// checkSelfSigned judges a certificate that the client registered with its keys
// (RFC 8705 §2.2). Nobody vouches for it, so nothing counts but that it is the one.
func (r *Registry) checkSelfSigned(ctx context.Context, c *Client, cert *x509.Certificate) error {
	if now := r.d.Now(); now.Before(cert.NotBefore.Truncate(time.Second)) || now.After(cert.NotAfter) {
		return badCertificate(c, "the certificate has expired or is not valid yet", nil)
	}
	set := c.jwks
	if c.m.JWKSURI != "" {
		var err error
		if set, err = r.d.Fetch.keys(ctx, c.m.JWKSURI); err != nil {
			return &Error{Reason: KeysUnavailable, Client: c.ID(), Err: err}
		}
		if !set.HoldsCertificate(cert) { // the client may have rotated its certificates since
			if newer, err := r.d.Fetch.refresh(ctx, c.m.JWKSURI); err == nil {
				set = newer
			}
		}
	}
	if !set.HoldsCertificate(cert) {
		return badCertificate(c, "the certificate is not among the client's keys", nil)
	}
	return strong(c, cert)
}

// strong refuses a certificate with a key that somebody else may hold too.
func strong(c *Client, cert *x509.Certificate) error {
	if err := keys.JudgeCertificate(cert); err != nil {
		return badCertificate(c, "the certificate's key is refused", err)
	}
	return nil
}

func badCertificate(c *Client, detail string, err error) error {
	return &Error{Reason: BadCertificate, Client: c.ID(), Detail: detail, Err: err}
}
