package rp

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// justNow is how soon after a login that was to bring better tokens there is no use in another.
const justNow = 15 * time.Second

// Call asks the hub's API for something on behalf of the person: in is sent as JSON unless it is nil, the answer is decoded
// into out unless that is nil. A token grown old is refreshed, and one that the hub refuses is refreshed once. When that does
// not help the error is SignedOut and the person has to sign in again; but if they have only just done so for that very
// reason it is HubRefused, because sending them once more would go round in circles.
func (p *Party) Call(ctx context.Context, s *Session, method, path string, in, out any) error {
	access, err := p.access(ctx, s, "")
	if err == nil {
		err = p.CallWith(ctx, NewSecret(access), method, path, in, out)
		if e, ok := asReason(err); ok && e.Reason == SignedOut {
			if access, err = p.access(ctx, s, access); err == nil {
				err = p.CallWith(ctx, NewSecret(access), method, path, in, out)
			}
		}
	}
	if e, ok := asReason(err); ok && e.Reason == SignedOut && s.rec.Again && p.now().Sub(s.Since()) < justNow {
		return &Error{Reason: HubRefused, Code: e.Code, Detail: "refused right after a login", Err: err}
	}
	return err
}

// CallWith is Call with a token from Refresh.
func (p *Party) CallWith(ctx context.Context, access Secret, method, path string, in, out any) error {
	var send []byte
	if in != nil {
		var err error
		if send, err = json.Marshal(in); err != nil {
			return fmt.Errorf("encode %s: %w", path, err)
		}
	}
	return p.callAt(ctx, access.Reveal(), method, strings.TrimSuffix(p.issuer, "/")+path, send, out)
}

// callAt calls a resource with an access token, and with the proof that it is ours if it is bound.
func (p *Party) callAt(ctx context.Context, access, method, address string, send []byte, out any) error {
	return p.proving(func() error {
		header := http.Header{"Authorization": {p.scheme() + " " + access}, "Accept": {"application/json"}}
		if send != nil {
			header.Set("Content-Type", "application/json")
		}
		if err := p.addProof(header, method, address, access); err != nil {
			return err
		}
		return p.exchange(ctx, method, address, header, send, out)
	})
}

func carriesToken(h http.Header) bool {
	scheme, _, _ := strings.Cut(h.Get("Authorization"), " ")
	return scheme == "Bearer" || scheme == "DPoP"
}
