package clients

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/tsunagu-id/tsunagu/keys"
)

const (
	browseTimeout = 10 * time.Second
	maxBrowsed    = 128 << 10
)

// Visit is a request as a browser would make it.
type Visit struct {
	Address string
	Form    url.Values // nil: GET; otherwise it is posted
	Cookies []*http.Cookie
}

// Seen is what a browser got.
type Seen struct {
	Status int
	Header http.Header
	Body   []byte // the first 128 KiB
	At     time.Time
}

// Browse makes one request as a browser would, with the guard that every request of the Fetcher has: public https addresses, or those it is allowed.
// It follows nothing and keeps nothing, and gives up after ten seconds.
func (f *Fetcher) Browse(ctx context.Context, v Visit) (Seen, error) {
	if err := f.Check(v.Address); err != nil {
		return Seen{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, browseTimeout)
	defer cancel()
	method, body := http.MethodGet, io.Reader(http.NoBody)
	if v.Form != nil {
		method, body = http.MethodPost, strings.NewReader(v.Form.Encode())
	}
	request, err := http.NewRequestWithContext(ctx, method, v.Address, body)
	if err != nil {
		return Seen{}, err
	}
	if v.Form != nil {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	request.Header.Set("Accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8")
	request.Header.Set("Accept-Language", "ja,en;q=0.8")
	request.Header.Set("User-Agent", "Mozilla/5.0 (compatible; tsunagu preflight)")
	for _, c := range v.Cookies {
		request.AddCookie(c)
	}
	response, err := f.browser().Do(request)
	if err != nil {
		return Seen{}, err
	}
	defer response.Body.Close()
	read, err := io.ReadAll(io.LimitReader(response.Body, maxBrowsed))
	return Seen{Status: response.StatusCode, Header: response.Header, Body: read, At: f.now()}, err
}

// browser is the Fetcher's client without the bound on the time of a whole request: Browse sets its own.
func (f *Fetcher) browser() *http.Client {
	return &http.Client{CheckRedirect: f.http.CheckRedirect, Transport: f.http.Transport}
}

// Handshake is what a server shows of its TLS.
type Handshake struct {
	Version  string // "TLS 1.3"
	NotAfter time.Time
	Old      bool // it would speak TLS 1.0 or 1.1 too (RFC 8996)
	Plain    bool // no TLS at all: an address of this machine in development
}

// Handshake shakes hands with the server of an address, and says nothing else to it. The error is that of a browser's: the certificate is
// not trusted, has expired, is for another name.
func (f *Fetcher) Handshake(ctx context.Context, address string) (Handshake, error) {
	a, err := f.judge(address)
	if err != nil {
		return Handshake{}, err
	}
	if a.scheme == "http" {
		return Handshake{Plain: true}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, browseTimeout)
	defer cancel()
	state, err := f.shake(ctx, a, &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: f.roots, ServerName: a.host})
	if err != nil {
		return Handshake{}, err
	}
	out := Handshake{Version: tls.VersionName(state.Version)}
	for i, c := range state.PeerCertificates {
		if i == 0 || c.NotAfter.Before(out.NotAfter) {
			out.NotAfter = c.NotAfter
		}
	}
	// Whether it would speak what nobody should: nothing is sent on that connection, and whose it is has been seen.
	_, err = f.shake(ctx, a, &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11, RootCAs: f.roots, ServerName: a.host}) //nolint:gosec // asks for what it then reports
	out.Old = err == nil
	return out, nil
}

func (f *Fetcher) shake(ctx context.Context, a address, c *tls.Config) (_ tls.ConnectionState, err error) {
	conn, err := f.dial(ctx, "tcp", a.dialled())
	if err != nil {
		return tls.ConnectionState{}, err
	}
	defer func() { _ = conn.Close() }() // nothing was said on it
	over := tls.Client(conn, c)
	if err := over.HandshakeContext(ctx); err != nil {
		return tls.ConnectionState{}, err
	}
	return over.ConnectionState(), nil
}

// dial connects to addresses that are allowed, and to public ones.
func (f *Fetcher) dial(ctx context.Context, network, hostport string) (net.Conn, error) {
	if slices.Contains(f.allow, hostport) {
		return (&net.Dialer{Timeout: fetchTimeout}).DialContext(ctx, network, hostport)
	}
	return (&net.Dialer{Timeout: fetchTimeout, Control: guardDial}).DialContext(ctx, network, hostport)
}

// IsCertificateError says whether an error of Handshake or Browse is about the server's certificate.
func IsCertificateError(err error) bool {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return true
	}
	_, ok := errors.AsType[x509.UnknownAuthorityError](err)
	return ok
}

// IsRefusedAddress says whether an error means that the address was not asked at all, because it is no public one.
func IsRefusedAddress(err error) bool {
	return errors.Is(err, errGuarded) || errors.Is(err, errAddressScheme)
}

// InspectKeys reads the key set of a client afresh, if it is at an address, and returns the algorithms that its keys verify. No use is made of an
// earlier answer: whoever mended the set wants to know that it is mended now.
func (r *Registry) InspectKeys(ctx context.Context, c *Client) ([]keys.Alg, error) {
	set := c.jwks
	if c.m.JWKSURI != "" {
		if r.d.Fetch == nil {
			return nil, errGuarded
		}
		if err := r.d.Fetch.load(ctx, c.m.JWKSURI); err != nil {
			return nil, err
		}
		set = r.d.Fetch.known(c.m.JWKSURI).set
	}
	if set.Empty() && !set.HasCertificates() {
		return nil, errNothingOfUse
	}
	if want := c.m.TokenEndpointAuthSigningAlg; c.AuthMethod() == PrivateKeyJWT && want != "" && !slices.Contains(set.Algs(), want) {
		return set.Algs(), errNoSuchKey
	}
	return set.Algs(), nil
}

var errNoSuchKey = errors.New("no key of the set is for token_endpoint_auth_signing_alg")
