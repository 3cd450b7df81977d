package cardauth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

const (
	maxOCSP = 64 << 10 // bytes; an answer is 2 kB
	maxCRL  = 64 << 20 // bytes; a big city's list
)

// newHTTP is a client for revocation services when the caller has none: it
// uses no proxy from the environment and keeps connections for the next login.
func newHTTP() *http.Client {
	return &http.Client{Transport: &http.Transport{
		MaxIdleConns: 256, MaxIdleConnsPerHost: 64, IdleConnTimeout: 90 * time.Second, ForceAttemptHTTP2: true,
	}}
}

// withoutRedirects returns a copy of the client that follows none: the answer
// is signed, but where we call is our decision.
func withoutRedirects(c *http.Client) *http.Client {
	own := *c
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &own
}

// fetch sends one request and reads at most limit bytes of a 200.
func fetch(client *http.Client, req *http.Request, limit int64) ([]byte, error) {
	res, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }() // nothing is written
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status %d", res.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(body)) > limit {
		return nil, errors.New("answer too long")
	}
	return body, nil
}

// webAddress refuses everything but plain web addresses: a certificate names
// the responder's.
func webAddress(address string) error {
	u, err := url.Parse(address)
	if err != nil {
		return err
	}
	if (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.User != nil {
		return errors.New("not a web address")
	}
	return nil
}

func newRequest(ctx context.Context, method, address string, body io.Reader) (*http.Request, error) {
	if err := webAddress(address); err != nil {
		return nil, err
	}
	return http.NewRequestWithContext(ctx, method, address, body)
}
