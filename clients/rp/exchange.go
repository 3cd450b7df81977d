package rp

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
)

// exchange makes one request to the hub. Whatever goes wrong is an *Error: HubUnreachable if asking again later may help
// (no answer, 5xx, 429), SignedOut for 401 with an access token, HubRefused otherwise.
func (p *Party) exchange(ctx context.Context, method, address string, header http.Header, send []byte, out any) error {
	req, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(send))
	if err != nil {
		return &Error{Reason: HubUnreachable, Err: err}
	}
	req.Header = header
	resp, err := p.http.Do(req)
	if err != nil {
		return &Error{Reason: HubUnreachable, Err: err}
	}
	if strings.HasPrefix(address, strings.TrimSuffix(p.issuer, "/")+"/") { // another resource's nonce is its own affair
		p.learn(resp.Header)
	}
	answer, err := io.ReadAll(resp.Body)
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return &Error{Reason: HubUnreachable, Err: err}
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return refusal(resp, req, answer)
	}
	if out == nil {
		return nil
	}
	if t, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type")); err != nil || t != "application/json" {
		return &Error{Reason: HubRefused, Detail: req.URL.Path + " answered something other than JSON"}
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return &Error{Reason: HubRefused, Detail: req.URL.Path + " answered malformed JSON", Err: err}
	}
	return nil
}

// refusal reads the error object of RFC 6749 §5.2, which the hub's API uses too.
func refusal(resp *http.Response, req *http.Request, answer []byte) *Error {
	var said struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
		Reason      string `json:"reason"` // the hub's own member, where there is more to say than the code
	}
	_ = json.Unmarshal(answer, &said) // an answer in another form has no code, and that is all
	e := &Error{Reason: HubRefused, Code: clip(said.Error, 64), Word: clip(said.Reason, 64), Detail: clip(req.URL.Path+": "+resp.Status+" "+said.Description, 300)}
	switch {
	case resp.StatusCode >= 500 || resp.StatusCode == http.StatusTooManyRequests:
		e.Reason = HubUnreachable
	case resp.StatusCode == http.StatusUnauthorized && carriesToken(req.Header):
		e.Reason = SignedOut
	}
	return e
}

// clip bounds what another program wrote, and keeps to ASCII that cannot break a log line or a page.
func clip(s string, most int) string {
	b := make([]byte, 0, min(len(s), most))
	for i := 0; i < len(s) && len(b) < most; i++ {
		if c := s[i]; c >= 0x20 && c < 0x7f {
			b = append(b, c)
		}
	}
	return string(b)
}
