package cardauth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

const (
	maxOCSP  = 64 << 10 // bytes; an answer is 2 kB
	maxDrain = 4 << 10  // bytes read of an answer that is not wanted, to keep its connection
)

// newHTTP is a client for revocation services when the caller has none: it
// uses no proxy from the environment and keeps connections for the next login.
func newHTTP() *http.Client {
	dialer := &net.Dialer{Timeout: 2 * time.Second, KeepAlive: 30 * time.Second}
	return &http.Client{Transport: &http.Transport{
		DialContext: dialer.DialContext, TLSHandshakeTimeout: 2 * time.Second, MaxResponseHeaderBytes: 16 << 10,
		MaxIdleConns: 256, MaxIdleConnsPerHost: 64, MaxConnsPerHost: 256, IdleConnTimeout: 90 * time.Second, ForceAttemptHTTP2: true,
	}}
}

// withoutRedirects returns a copy of the client that follows none: the answer
// is signed, but where we call is our decision.
func withoutRedirects(c *http.Client) *http.Client {
	own := *c
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &own
}

// send sends a request. Its error says what went wrong, and not at which
// address: that of a list is a citizen's municipality.
func send(client *http.Client, req *http.Request) (*http.Response, error) {
	res, err := client.Do(req)
	if failed, ok := errors.AsType[*url.Error](err); ok {
		err = failed.Err
	}
	return res, err
}

// fetch sends one request and reads at most limit bytes of a 200.
func fetch(client *http.Client, req *http.Request, limit int64) ([]byte, error) {
	res, err := send(client, req)
	if err != nil {
		return nil, err
	}
	defer func() {
		drain(res.Body)
		_ = res.Body.Close() // nothing is written
	}()
	if err = wantOK(res); err != nil {
		return nil, err
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

// drain reads what is left of an answer: a connection can be used again only if
// the answer on it was read to its end.
func drain(body io.Reader) {
	_, _ = io.CopyN(io.Discard, body, maxDrain) // no more than keeping the connection is worth
}

func wantOK(res *http.Response) error {
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", res.StatusCode)
	}
	return nil
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
