package jlis

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	defaultTimeout = 3 * time.Second
	maxAnswer      = 32 << 10 // bytes; an honest answer is under 2 kB
)

// Config says where the service is and how it is asked. URL and Now are
// required.
type Config struct {
	URL     string       // https, or http on loopback; without a query
	HTTP    *http.Client // with the verifier's client certificate; nil: one without. Redirects are never followed
	Now     func() time.Time
	Timeout time.Duration // of one question; zero means 3 s
}

// Client is an Authority over HTTP. It asks once: whether to ask again is for
// whoever waits to decide. After failures in a row it leaves the service alone
// for some seconds and answers Unavailable at once, so that a service that hangs
// does not make every login hang.
type Client struct {
	base    string
	http    *http.Client
	now     func() time.Time
	timeout time.Duration
	breaker breaker
}

// NewClient returns a client, or an error if the address is unusable.
func NewClient(c Config) (*Client, error) {
	if c.Now == nil {
		return nil, errors.New("linkage: no clock")
	}
	u, err := url.Parse(c.URL)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("linkage: not the address of a service")
	}
	if h := u.Hostname(); u.Scheme != "https" && (u.Scheme != "http" || h != "localhost" && h != "127.0.0.1" && h != "::1") {
		return nil, errors.New("linkage: the address must be https")
	}
	if c.Timeout == 0 {
		c.Timeout = defaultTimeout
	}
	own := http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16, MaxConnsPerHost: 64, IdleConnTimeout: 90 * time.Second}}
	if c.HTTP != nil {
		own = *c.HTTP
	}
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Client{base: strings.TrimSuffix(c.URL, "/") + "/", http: &own, now: c.Now, timeout: c.Timeout}, nil
}

// Status implements Authority.
func (c *Client) Status(ctx context.Context, cert Certificate) (Status, error) {
	a, err := c.ask(ctx, questionStatus, cert)
	if err != nil {
		return Status{}, err
	}
	return a.status()
}

// Predecessors implements Authority.
func (c *Client) Predecessors(ctx context.Context, auth Certificate) ([]Certificate, error) {
	a, err := c.ask(ctx, questionPredecessors, auth)
	if err != nil {
		return nil, err
	}
	return a.predecessors(auth)
}

// SigningOf implements Authority.
func (c *Client) SigningOf(ctx context.Context, auth Certificate) (Certificate, error) {
	a, err := c.ask(ctx, questionSigningOf, auth)
	if err != nil {
		return Certificate{}, err
	}
	return a.linked(auth)
}

// AuthOf implements Authority.
func (c *Client) AuthOf(ctx context.Context, signing Certificate) (Certificate, error) {
	a, err := c.ask(ctx, questionAuthOf, signing)
	if err != nil {
		return Certificate{}, err
	}
	return a.linked(signing)
}

// Attributes implements Authority.
func (c *Client) Attributes(ctx context.Context, signing Certificate) (Attributes, error) {
	a, err := c.ask(ctx, questionAttributes, signing)
	if err != nil {
		return Attributes{}, err
	}
	return a.identity()
}

// ask poses one question and reads its answer.
func (c *Client) ask(ctx context.Context, what string, cert Certificate) (*answer, error) {
	if !c.breaker.allows(c.now()) {
		return nil, &Error{Reason: Unavailable, Detail: "left alone after failures"}
	}
	var reference [24]byte
	_, _ = rand.Read(reference[:]) // cannot fail
	q := question{Reference: base64.RawURLEncoding.EncodeToString(reference[:]), Certificate: cert.wire()}
	a, err := c.exchange(ctx, what, q)
	if ctx.Err() == nil { // a citizen who left says nothing of the service
		c.breaker.note(!Is(err, Unavailable) && !Is(err, Untrusted), c.now())
	}
	return a, err
}

func (c *Client) exchange(ctx context.Context, what string, q question) (*answer, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	body, err := json.Marshal(q)
	if err != nil {
		return nil, &Error{Reason: Unavailable, Err: err}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+what, bytes.NewReader(body))
	if err != nil {
		return nil, &Error{Reason: Unavailable, Err: err}
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	res, err := c.http.Do(req)
	if err != nil {
		return nil, &Error{Reason: Unavailable, Err: err}
	}
	defer func() { _ = res.Body.Close() }() // nothing is written
	switch {
	case res.StatusCode == http.StatusForbidden || res.StatusCode == http.StatusUnauthorized:
		return nil, &Error{Reason: Refused, Detail: fmt.Sprintf("status %d", res.StatusCode)}
	case res.StatusCode != http.StatusOK:
		return nil, &Error{Reason: Unavailable, Detail: fmt.Sprintf("status %d", res.StatusCode)}
	case res.Header.Get("Content-Type") != "application/json":
		return nil, &Error{Reason: Untrusted, Detail: "not JSON"}
	}
	raw, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if err != nil {
		return nil, &Error{Reason: Unavailable, Err: err}
	}
	if len(raw) > maxAnswer {
		return nil, &Error{Reason: Untrusted, Detail: "answer too long"}
	}
	return parseAnswer(raw, q, c.now())
}
