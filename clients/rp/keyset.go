package rp

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

// keysPause is how long the hub's key set is believed whatever key a token names. Anybody can send a token that names an unknown one,
// to the back channel: without a pause each would make us ask the hub. A key that the hub begins to use sooner after publishing it
// than this is not known yet.
const keysPause = 30 * time.Second

// keyFetcher fetches the key set for go-oidc, which asks for it again whenever a signature does not fit.
type keyFetcher struct {
	next http.RoundTripper
	now  func() time.Time

	mu    sync.Mutex // held while fetching: go-oidc has one request under way at most
	last  []byte     // nil before the first success
	kind  string
	tried time.Time
	err   error // of the last try
}

// RoundTrip implements http.RoundTripper. While an answer is young it is given again, and a failure is retried after discoveryPause.
func (k *keyFetcher) RoundTrip(r *http.Request) (*http.Response, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	pause := keysPause
	if k.err != nil {
		pause = discoveryPause
	}
	if now := k.now(); k.tried.IsZero() || now.Sub(k.tried) >= pause {
		k.err = k.fetch(r)
		k.tried = now
	}
	if k.last == nil {
		return nil, k.err
	}
	return &http.Response{
		Status: "200 OK", StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
		Header: http.Header{"Content-Type": {k.kind}}, ContentLength: int64(len(k.last)), Body: io.NopCloser(bytes.NewReader(k.last)),
	}, nil
}

// fetch keeps the old set if there is no new one: keys outlive outages.
func (k *keyFetcher) fetch(r *http.Request) (err error) {
	resp, err := k.next.RoundTrip(r)
	if err != nil {
		return err
	}
	b, err := io.ReadAll(resp.Body) // bounded by hubClient
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("key set: %s", resp.Status)
	}
	k.last, k.kind = b, resp.Header.Get("Content-Type")
	return nil
}
