package rp

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
)

// Request is a request to a resource that takes the hub's access tokens, at any address.
type Request struct {
	Method, Address string
	Type            string // content type of Body
	Body            []byte // nil: none
}

// Response is what the resource said, whatever its status.
type Response struct {
	Status int
	Header http.Header
	Body   []byte // at most 2 MiB
}

// Fetch makes a request on behalf of the session's person. A token grown old is refreshed, and one that the resource refuses with 401 is
// refreshed once; when that does not help the error is SignedOut, and the person has to sign in again. No answer is HubUnreachable. What any
// other status means is the caller's to know.
func (p *Party) Fetch(ctx context.Context, s *Session, r Request) (*Response, error) {
	access, err := p.access(ctx, s, "")
	if err != nil {
		return nil, err
	}
	resp, err := p.fetchWith(ctx, access, r)
	if err != nil || resp.Status != http.StatusUnauthorized {
		return resp, err
	}
	if access, err = p.access(ctx, s, access); err != nil {
		return nil, err
	}
	if resp, err = p.fetchWith(ctx, access, r); err != nil || resp.Status != http.StatusUnauthorized {
		return resp, err
	}
	detail := "refused with a fresh token"
	if s.rec.Again && p.now().Sub(s.Since()) < justNow { // a third login would end like the first two
		return nil, &Error{Reason: HubRefused, Detail: detail + ", right after a login"}
	}
	return nil, &Error{Reason: SignedOut, Detail: detail}
}

// fetchWith makes the request, and once more if it is refused for want of a nonce (RFC 9449 §9).
func (p *Party) fetchWith(ctx context.Context, access string, r Request) (*Response, error) {
	nonce, _ := p.nonce.Load().(string)
	resp, err := p.fetchOnce(ctx, access, nonce, r)
	if err != nil || resp.Status != http.StatusUnauthorized || p.bound == nil {
		return resp, err
	}
	if fresh := resp.Header.Get("DPoP-Nonce"); fresh != "" && fresh != nonce && len(fresh) <= maxNonce {
		return p.fetchOnce(ctx, access, fresh, r)
	}
	return resp, nil
}

func (p *Party) fetchOnce(ctx context.Context, access, nonce string, r Request) (*Response, error) {
	req, err := http.NewRequestWithContext(ctx, r.Method, r.Address, bytes.NewReader(r.Body))
	if err != nil {
		return nil, &Error{Reason: HubUnreachable, Err: err}
	}
	req.Header.Set("Authorization", p.scheme()+" "+access)
	req.Header.Set("Accept", "application/json, application/problem+json")
	if r.Body != nil {
		req.Header.Set("Content-Type", r.Type)
	}
	if err := p.addProofWith(req.Header, r.Method, r.Address, access, nonce); err != nil {
		return nil, err
	}
	resp, err := p.http.Do(req)
	if err != nil {
		return nil, &Error{Reason: HubUnreachable, Err: err}
	}
	body, err := io.ReadAll(resp.Body)
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return nil, &Error{Reason: HubUnreachable, Err: err}
	}
	return &Response{Status: resp.StatusCode, Header: resp.Header, Body: body}, nil
}
