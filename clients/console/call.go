package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"

	"github.com/tsunagu-id/tsunagu/clients/adminapi"
	"github.com/tsunagu-id/tsunagu/clients/rp"
)

// Refusal is what the API answered in place of what was asked for.
type Refusal struct{ adminapi.Problem }

// Error is for logs: the detail can quote what a person typed.
func (r *Refusal) Error() string { return fmt.Sprintf("api: %d %s", r.Status, r.Reason) }

// errUnreadable is an answer that is not the API's.
var errUnreadable = errors.New("console: the API's answer cannot be read")

// refused returns the API's refusal, if err is one for one of the reasons, or for any if none is named.
func refused(err error, reasons ...adminapi.Reason) (*Refusal, bool) {
	r, ok := errors.AsType[*Refusal](err)
	if !ok {
		return nil, false
	}
	for _, reason := range reasons {
		if r.Reason == reason {
			return r, true
		}
	}
	return r, len(reasons) == 0
}

// path joins the segments of an address of the API, each as it is: p("clients", id, "draft").
func apiPath(segments ...string) string {
	var b []byte
	for _, s := range segments {
		b = append(append(b, '/'), url.PathEscape(s)...)
	}
	return string(b)
}

// call asks the API with the operator's token: in is sent as JSON unless it is nil, the answer is decoded into out unless that is nil. What the
// API refuses is a *Refusal.
func (v *visit) call(ctx context.Context, method, path string, in, out any) error {
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return fmt.Errorf("encode %s: %w", path, err)
		}
	}
	return v.send(ctx, rp.Request{Method: method, Address: path, Type: "application/json", Body: body}, out)
}

// get is call for what changes nothing.
func (v *visit) get(ctx context.Context, path string, query url.Values, out any) error {
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	return v.call(ctx, http.MethodGet, path, nil, out)
}

// send makes a request; its Address is a path below the API's.
func (v *visit) send(ctx context.Context, r rp.Request, out any) error {
	r.Address = v.console.api + r.Address
	resp, err := v.console.party.Fetch(ctx, v.session, r)
	if err != nil {
		return err
	}
	kind, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if err != nil && len(resp.Body) > 0 {
		return fmt.Errorf("%w: %d without a type", errUnreadable, resp.Status)
	}
	if resp.Status < 200 || resp.Status > 299 {
		return refusalOf(resp)
	}
	if out == nil {
		return nil
	}
	if raw, ok := out.(*rp.Response); ok {
		*raw = *resp
		return nil
	}
	if kind != "application/json" || json.Unmarshal(resp.Body, out) != nil {
		return fmt.Errorf("%w: %d", errUnreadable, resp.Status)
	}
	return nil
}

// refusalOf reads the body of an answer that is no success.
func refusalOf(resp *rp.Response) error {
	refusal := &Refusal{}
	kind, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if err != nil || kind != "application/problem+json" || json.Unmarshal(resp.Body, &refusal.Problem) != nil || refusal.Reason == "" {
		return fmt.Errorf("%w: %d", errUnreadable, resp.Status)
	}
	return refusal
}
