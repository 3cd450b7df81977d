package clients

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/tsunagu-id/tsunagu/keys"
)

const (
	fetchTimeout = 2 * time.Second
	postTimeout  = 3 * time.Second
	maxFetched   = keys.MaxSetBytes
)

// FetcherConfig says what a Fetcher may reach beyond public https addresses.
type FetcherConfig struct {
	Now func() time.Time // required
	// Allow lists host:port pairs that may be reached wherever they resolve to, and
	// by plain http if the host is loopback.
	Allow []string
	// RootCAs are the certificate authorities to trust; nil means the system's.
	RootCAs *x509.CertPool
}

// Fetcher reads documents from addresses that clients chose, and posts forms to
// them, without lending them the hub's place in its network: https only, public
// addresses only (judged when the connection is made, after the name was resolved,
// so that the answer of a second resolution does not matter), no redirects, no
// proxy, no cookies, 2 seconds and 64 KiB at most for a document, 3 seconds for a
// form, of whose answer nothing but the status is read.
type Fetcher struct {
	now    func() time.Time
	allow  []string
	roots  *x509.CertPool
	http   *http.Client
	flight singleflight.Group

	mu   sync.Mutex
	sets map[string]remoteSet // by address
}

// NewFetcher returns a Fetcher, or an error if an entry of Allow is not host:port.
func NewFetcher(cfg FetcherConfig) (*Fetcher, error) {
	if cfg.Now == nil {
		return nil, errors.New("clients: Now is required")
	}
	for _, hostport := range cfg.Allow {
		if host, port, err := net.SplitHostPort(hostport); err != nil || host == "" || port == "" {
			return nil, fmt.Errorf("clients: allowed address %q is not host:port", hostport)
		}
	}
	f := &Fetcher{now: cfg.Now, allow: slices.Clone(cfg.Allow), roots: cfg.RootCAs, sets: make(map[string]remoteSet)}
	f.http = &http.Client{
		Timeout:       max(fetchTimeout, postTimeout), // each request sets its own
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext:            f.dial,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: cfg.RootCAs},
			ForceAttemptHTTP2:      true,
			DisableKeepAlives:      true, // one address is asked every few minutes
			DisableCompression:     true, // 64 KiB are counted as sent
			MaxResponseHeaderBytes: 16 << 10,
		},
	}
	return f, nil
}

// guardDial refuses the connection after the name was resolved and before a byte
// is sent.
func guardDial(_, hostport string, _ syscall.RawConn) error {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		return err
	}
	return guard(host)
}

// judge refuses an address before anything is sent.
func (f *Fetcher) judge(s string) (address, error) {
	a, err := parseAddress(s)
	if err != nil {
		return address{}, err
	}
	if slices.Contains(f.allow, a.dialled()) {
		return a, nil
	}
	if a.scheme == "http" {
		return address{}, errAddressScheme
	}
	if a.loopback {
		return address{}, errGuarded
	}
	return a, nil
}

// Check says whether the Fetcher would try an address at all: addresses of this machine or of private networks are refused by what is written.
// What a name resolves to is judged when it is dialled.
func (f *Fetcher) Check(address string) error {
	_, err := f.judge(address)
	return err
}

// Message is what Send posts.
type Message struct {
	ContentType   string
	Authorization string // the whole value of the header; empty: none
	Body          string
}

// Post sends a form to an address and returns the status of the answer.
func (f *Fetcher) Post(ctx context.Context, address string, form url.Values) (status int, err error) {
	return f.Send(ctx, address, Message{ContentType: "application/x-www-form-urlencoded", Body: form.Encode()})
}

// Send posts a message to an address and returns the status of the answer.
func (f *Fetcher) Send(ctx context.Context, address string, m Message) (status int, err error) {
	if err := f.Check(address); err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, postTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(m.Body))
	if err != nil {
		return 0, err
	}
	request.Header.Set("Content-Type", m.ContentType)
	request.Header.Set("Accept", "application/json")
	request.Header.Set("User-Agent", "tsunagu")
	if m.Authorization != "" {
		request.Header.Set("Authorization", m.Authorization)
	}
	response, err := f.http.Do(request)
	if err != nil {
		return 0, err
	}
	return response.StatusCode, response.Body.Close()
}

// Redirect asks for an address and returns the status of the answer and where it leads, as written; empty: nowhere. It does not go there, and reads no
// body.
func (f *Fetcher) Redirect(ctx context.Context, address string) (status int, location string, err error) {
	if err := f.Check(address); err != nil {
		return 0, "", err
	}
	ctx, cancel := context.WithTimeout(ctx, postTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return 0, "", err
	}
	request.Header.Set("Accept", "text/html")
	request.Header.Set("User-Agent", "tsunagu")
	response, err := f.http.Do(request)
	if err != nil {
		return 0, "", err
	}
	return response.StatusCode, response.Header.Get("Location"), response.Body.Close()
}

// get returns the body of the document at an address.
func (f *Fetcher) get(ctx context.Context, address string) ([]byte, error) {
	a, err := f.judge(address)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", "application/jwk-set+json, application/json")
	request.Header.Set("User-Agent", "tsunagu")
	response, err := f.http.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers with status %d", a.authority(), response.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxFetched+1))
	if err != nil {
		return nil, fmt.Errorf("read from %s: %w", a.authority(), err)
	}
	if len(body) > maxFetched {
		return nil, fmt.Errorf("%s sends more than 64 KiB", a.authority())
	}
	return body, nil
}
