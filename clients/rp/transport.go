package rp

import (
	"io"
	"net/http"
	"time"
)

const (
	hubTimeout = 10 * time.Second
	// maxAnswer bounds every answer of the hub, in bytes: documents, key sets, tokens, API. The largest, a directory of
	// 2,000 services, stays below.
	maxAnswer = 2 << 20
)

// hubClient makes a client from the given one that follows no redirect, waits no longer than hubTimeout and reads no more
// than maxAnswer.
func hubClient(base *http.Client) *http.Client {
	c := http.Client{}
	if base != nil {
		c = *base
	}
	if c.Timeout == 0 || c.Timeout > hubTimeout {
		c.Timeout = hubTimeout
	}
	next := c.Transport
	if next == nil {
		next = http.DefaultTransport
	}
	c.Transport = bounded{next}
	c.Jar = nil
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &c
}

// bounded cuts answers off, for the libraries that read to the end.
type bounded struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := b.next.RoundTrip(r)
	if err == nil {
		resp.Body = body{io.LimitReader(resp.Body, maxAnswer), resp.Body}
	}
	return resp, err
}

type body struct {
	io.Reader
	io.Closer
}
