package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/tsunagu-id/tsunagu/clients/adminapi"
	"github.com/tsunagu-id/tsunagu/clients/rp"
)

const (
	callTimeout = 60 * time.Second
	maxAnswer   = 32 << 20 // bytes, of an answer that is not streamed
)

// app is what every command shares.
type app struct {
	streams
	now                       func() time.Time
	hub, ca, client, key, dir string
	json                      bool
	http                      *http.Client // made when first needed
}

// apiError is a refusal of the API.
type apiError struct{ adminapi.Problem }

// Error is what the operator reads: why, and what to do, field by field.
func (e *apiError) Error() string {
	var b strings.Builder
	b.WriteString(e.Detail)
	if e.Detail == "" {
		b.WriteString(e.Title)
	}
	for _, f := range e.Errors {
		fmt.Fprintf(&b, "\n  %s %s: %s", f.Field, f.Problem, f.Remedy)
	}
	if e.Reason == adminapi.Conflict && e.Current != nil {
		fmt.Fprintf(&b, "\n  saved meanwhile by %s, revision %d; see hubctl client show --draft", e.Current.By, e.Current.Revision)
	}
	if e.Trace != "" {
		b.WriteString(" (" + e.Trace + ")")
	}
	return b.String()
}

// base is the address of the API, without a slash at the end.
func (a *app) base() (string, error) {
	hub := a.hub
	if hub == "" {
		hub = os.Getenv("TSUNAGU_HUB")
	}
	if hub == "" {
		s, err := a.readState()
		if err != nil {
			return "", err
		}
		hub = s.Current
	}
	if hub == "" {
		return "", usageError{errors.New("which hub? hubctl login --hub http://localhost:8409")}
	}
	u, err := url.Parse(hub)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || strings.Trim(u.Path, "/") != "" {
		return "", usageError{fmt.Errorf("--hub: %q is not an address such as http://localhost:8409", hub)}
	}
	if ip := net.ParseIP(u.Hostname()); u.Scheme != "https" && (u.Scheme != "http" || u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback())) {
		return "", usageError{fmt.Errorf("--hub: %q must begin with https://; http:// is for loopback only", hub)}
	}
	return u.Scheme + "://" + u.Host, nil
}

// httpClient trusts --ca, and follows no redirect.
func (a *app) httpClient() (*http.Client, error) {
	if a.http != nil {
		return a.http, nil
	}
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment}
	if a.ca != "" {
		pem, err := os.ReadFile(a.ca)
		if err != nil {
			return nil, usageError{fmt.Errorf("--ca: %w", err)}
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(pem) {
			return nil, usageError{fmt.Errorf("--ca: %s holds no certificate", a.ca)}
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	a.http = &http.Client{
		Timeout: callTimeout, Transport: transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return a.http, nil
}

// call asks the API: in is sent as JSON unless it is nil, the answer is decoded into out unless that is nil. What is no 2xx is an *apiError.
// A token that the hub refuses is renewed once.
func (a *app) call(ctx context.Context, method, path string, in, out any) error {
	body, err := a.open(ctx, method, path, in)
	if err != nil {
		return err
	}
	answer, err := io.ReadAll(io.LimitReader(body, maxAnswer+1))
	if err = errors.Join(err, body.Close()); err != nil {
		return fmt.Errorf("the answer broke off: %w", err)
	}
	if len(answer) > maxAnswer {
		return errors.New("the answer is longer than 32 MiB")
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("the answer is not what the API promises; is hubctl as new as the hub? %w", err)
	}
	return nil
}

// open is call that leaves the answer to be read.
func (a *app) open(ctx context.Context, method, path string, in any) (io.ReadCloser, error) {
	base, err := a.base()
	if err != nil {
		return nil, err
	}
	var send []byte
	if in != nil {
		if send, err = json.Marshal(in); err != nil {
			return nil, err
		}
	}
	token, err := a.access(ctx, base, "")
	if err != nil {
		return nil, err
	}
	body, err := a.send(ctx, method, base+path, token, send)
	if e, ok := errors.AsType[*apiError](err); ok && e.Reason == adminapi.Unauthenticated {
		if token, err := a.access(ctx, base, token.Reveal()); err == nil {
			return a.send(ctx, method, base+path, token, send)
		}
	}
	return body, err
}

func (a *app) send(ctx context.Context, method, address string, token rp.Secret, send []byte) (io.ReadCloser, error) {
	client, err := a.httpClient()
	if err != nil {
		return nil, err
	}
	var body io.Reader
	if send != nil {
		body = bytes.NewReader(send)
	}
	req, err := http.NewRequestWithContext(ctx, method, address, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json, application/problem+json, application/x-ndjson")
	if send != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if !token.IsZero() {
		req.Header.Set("Authorization", "Bearer "+token.Reveal())
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("the hub does not answer: %w", err)
	}
	if resp.StatusCode >= 200 && resp.StatusCode <= 299 {
		return resp.Body, nil
	}
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return nil, fmt.Errorf("the answer broke off: %w", err)
	}
	return nil, refusal(resp.StatusCode, answer)
}

// refusal reads a problem. An answer in another form comes of something else than the API.
func refusal(status int, answer []byte) error {
	var p adminapi.Problem
	if err := json.Unmarshal(answer, &p); err != nil || p.Reason == "" {
		if status == http.StatusUnauthorized {
			return &apiError{adminapi.Problem{Status: status, Reason: adminapi.Unauthenticated, Detail: "the hub wants a new sign-in; hubctl login"}}
		}
		return fmt.Errorf("the address answers %d, not as an administration API does; is --hub the operators' address?", status)
	}
	if p.Reason == adminapi.Unauthenticated {
		p.Detail = strings.TrimSpace(p.Detail + " Sign in with: hubctl login")
	}
	return &apiError{p}
}
