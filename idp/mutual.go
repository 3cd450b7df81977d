package idp

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/clients"
)

// MutualTLS is the hub's second address, at which clients show certificates (RFC 8705). A listener asks for them with the TLS handshake,
// or a TLS proxy does and hands them on. The zero value: there is none.
type MutualTLS struct {
	BaseURL string // https, scheme and host only, not the issuer's: browsers must not be asked for certificates
	// ProxyHeader is where a proxy puts the certificate it was shown; empty: clients reach the listener themselves.
	ProxyHeader    string
	TrustedProxies []netip.Prefix // the peers whose header is believed; everybody else's is dropped
}

// Check says what is wrong with the address, in the words of a configuration file.
func (m MutualTLS) Check(issuer string) error {
	if m.BaseURL == "" {
		if m.ProxyHeader != "" || len(m.TrustedProxies) > 0 {
			return errors.New("mtls.base_url: required where there is a proxy")
		}
		return nil
	}
	u, err := url.Parse(m.BaseURL)
	switch {
	case err != nil || u.Scheme != "https" || u.Host == "" || u.Path != "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil:
		return errors.New("mtls.base_url: scheme https and host only, such as https://mtls.id.example.go.jp")
	case m.BaseURL == issuer:
		return errors.New("mtls.base_url: has to be another address than the issuer, where browsers would be asked for certificates")
	case (m.ProxyHeader == "") != (len(m.TrustedProxies) == 0):
		return errors.New("mtls.proxy_header: belongs together with mtls.trusted_proxies")
	}
	return nil
}

// mutualEndpoints are the endpoints a client may call with its certificate, and their names in discovery (RFC 8705 §5). What is offered
// of them is what machineRoutes has.
func mutualEndpoints() map[string]string {
	return map[string]string{
		"/token": "token_endpoint", "/par": "pushed_authorization_request_endpoint", "/revoke": "revocation_endpoint",
		"/introspect": "introspection_endpoint", "/userinfo": "userinfo_endpoint", "/device_authorization": "device_authorization_endpoint",
	}
}

func servedMutually(path string) bool {
	_, endpoint := mutualEndpoints()[path]
	return endpoint || strings.HasPrefix(path, "/api/") || path == "/healthz" || path == "/readyz"
}

// mutualAliases is the discovery document's mtls_endpoint_aliases; nil without a second address.
func (p *Provider) mutualAliases() map[string]string {
	if p.mutual.BaseURL == "" {
		return nil
	}
	aliases := make(map[string]string)
	for _, r := range p.machineRoutes() {
		if name, ok := mutualEndpoints()[r.path]; ok {
			aliases[name] = p.mutual.BaseURL + r.path
		}
	}
	return aliases
}

// MutualHandler serves the second address: the same endpoints for programs, and no pages.
func (p *Provider) MutualHandler() http.Handler {
	e := p.newEcho()
	for _, r := range p.machineRoutes() {
		if servedMutually(r.path) {
			e.Add(r.method, r.path, r.handler)
		}
	}
	p.mountShared(e)
	return p.site.Middleware(p.identify(e))
}

// identify tells what answers which certificate the client has shown. Nothing else reads the proxy's header.
func (p *Provider) identify(next *echo.Echo) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !servedMutually(r.URL.Path) {
			p.writeOAuthError(w, r, &oauthError{code: "invalid_request", description: "nothing is served here at this address", status: http.StatusNotFound})
			return
		}
		chain, err := p.mutual.shown(r)
		if err != nil {
			p.log.WarnContext(r.Context(), "certificate of a proxy not readable", "err", err)
			p.writeOAuthError(w, r, invalidRequest("the certificate header is malformed"))
			return
		}
		if p.mutual.ProxyHeader != "" {
			r.Header.Del(p.mutual.ProxyHeader)
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), arrivalKey{}, arrival{p.mutual.BaseURL, chain})))
	})
}

// shown returns the client's certificate and those it sent along: from the header of a trusted proxy, whose own certificate, if it has
// one, is not the client's, or else from the handshake.
func (m MutualTLS) shown(r *http.Request) ([]*x509.Certificate, error) {
	if m.ProxyHeader == "" || !m.trusts(r.RemoteAddr) {
		if r.TLS == nil {
			return nil, nil
		}
		return r.TLS.PeerCertificates, nil
	}
	values := r.Header.Values(m.ProxyHeader)
	switch len(values) {
	case 0:
		return nil, nil
	case 1:
		cert, err := parseProxyCertificate(values[0])
		if err != nil || cert == nil {
			return nil, err
		}
		return []*x509.Certificate{cert}, nil
	}
	return nil, fmt.Errorf("%d headers: the proxy passes on what clients send", len(values))
}

func (m MutualTLS) trusts(peer string) bool {
	at, err := netip.ParseAddrPort(peer)
	if err != nil {
		return false
	}
	ip := at.Addr().WithZone("").Unmap()
	return slices.ContainsFunc(m.TrustedProxies, func(p netip.Prefix) bool { return p.Contains(ip) })
}

// arrival is what is known of a request that came to the second address.
type arrival struct {
	base  string
	chain []*x509.Certificate
}

type arrivalKey struct{}

// base returns the address that the client of a request calls the hub by.
func (p *Provider) base(r *http.Request) string {
	if a, ok := r.Context().Value(arrivalKey{}).(arrival); ok {
		return a.base
	}
	return p.issuer
}

// clientChain returns the certificate the client proved to hold the key of, and those it sent along; nil if it showed none.
func clientChain(r *http.Request) []*x509.Certificate {
	a, _ := r.Context().Value(arrivalKey{}).(arrival)
	return a.chain
}

// clientCertificate is the first of clientChain, or nil.
func clientCertificate(r *http.Request) *x509.Certificate {
	if chain := clientChain(r); len(chain) > 0 {
		return chain[0]
	}
	return nil
}

// thumbprintX5T is what binds a token to a certificate (RFC 8705 §3.1).
func thumbprintX5T(cert *x509.Certificate) string {
	sum := sha256.Sum256(cert.Raw)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// boundCertificate returns the thumbprint that the client's tokens are to be bound to, "" for a client whose tokens are not bound so.
func boundCertificate(r *http.Request, c *clients.Client) (string, error) {
	if !c.CertificateBound() {
		return "", nil
	}
	cert := clientCertificate(r)
	if cert == nil {
		return "", certificateMissing()
	}
	return thumbprintX5T(cert), nil
}

func certificateMissing() *oauthError {
	return invalidRequest("the tokens of this client are bound to its certificate (RFC 8705 section 3): use mtls_endpoint_aliases").
		of("tls_client_certificate_bound_access_tokens")
}

// holdsCertificate says whether a request shows the certificate that a token is bound to.
func holdsCertificate(r *http.Request, x5t string) bool {
	cert := clientCertificate(r)
	return cert != nil && sameDigest(thumbprintX5T(cert), x5t)
}
