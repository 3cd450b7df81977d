package rp

import (
	"net/http"

	"github.com/tsunagu-id/tsunagu/internal/web"
)

// Login begins a login for the page named by ?return=.
func (p *Party) Login(w http.ResponseWriter, r *http.Request) error {
	to, _ := ParseLocal(r.URL.Query().Get("return")) // another address means the front page
	return p.Begin(w, r, to)
}

// Answer answers a request that ended in an *Error, and reports false for every other error. Somebody who is not signed in
// any more is sent to the hub, and from there back to the page they were on; whoever still has a session there sees nothing
// of it.
func (p *Party) Answer(w http.ResponseWriter, r *http.Request, err error) bool {
	e, ok := asReason(err)
	if !ok {
		return false
	}
	if e.Reason == SignedOut {
		// At the callback the tokens were fresh, and the session is in the answer, not in the request.
		_, none := p.Session(r)
		if err = p.begin(w, r, flow{Return: p.here(r).String(), Again: none == nil || r.URL.Path == PathCallback}); err == nil {
			return true
		}
		if e, ok = asReason(err); !ok {
			return false
		}
	}
	level := p.log.InfoContext
	if e.Reason == HubRefused || e.Reason == TokenInvalid || e.Reason == HubUnreachable {
		level = p.log.WarnContext
	}
	level(r.Context(), "not signed in", "err", err, "trace", web.Trace(r.Context()))
	view := web.ErrorView{NextURL: PathLogin, NextLabelKey: "rp.again"}
	switch e.Reason {
	case AccessDenied, IssuerForeign, TargetForeign:
		view.NextURL, view.NextLabelKey = "/", "error.home"
	case HubUnreachable, HubRefused:
		view.NextURL, view.NextLabelKey = p.here(r).String(), "rp.retry"
	case FlowExpired, OtherBrowser, ResponseMalformed, IssuerMismatch, TokenInvalid, SignedOut:
	}
	view.Developer = []web.Term{{Name: "reason", Value: e.Reason.String()}}
	if e.Code != "" {
		view.Developer = append(view.Developer, web.Term{Name: "error", Value: e.Code})
	}
	p.site.FailWith(w, r, e.Reason.status(), e.Reason.String(), view)
	return true
}

// here is the page the person is on: the one asked for, or for a form the one that holds it. The browser tells that in
// Referer, because our referrer policy is same-origin.
func (p *Party) here(r *http.Request) Local {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		to, _ := ParseLocal(r.URL.RequestURI())
		return to
	}
	to, _ := p.own(r.Referer())
	return to
}
