package idp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/federation"
	"github.com/tsunagu-id/tsunagu/internal/ephemeral"
)

const (
	receiptLife = 24 * time.Hour // as long as a service is being told
	// receiptPatience is how long the page waits for services that answer at once: long enough that most people see the end.
	receiptPatience = time.Second
	// toldFor is how long the account page speaks of a sign-out.
	toldFor = 7 * 24 * time.Hour
)

// notices asks for every service of a session to be told that it ended; those in front are told by the browser as well.
func (p *Provider) notices(s *session, front []clients.ID) []federation.Notice {
	out := make([]federation.Notice, 0, len(s.Clients))
	for _, cl := range s.Clients {
		out = append(out, federation.Notice{
			Account: s.Account, Client: cl.ID, Session: s.ID, SID: p.clientSID(s.ID, string(cl.ID)), Browser: slices.Contains(front, cl.ID), Nameless: cl.Acted,
		})
	}
	return out
}

// noticesEverywhere asks for every service of the sessions to be told once that all of the person's ended; a service that can only
// end the session it is told of is told of each. A service's own session may outlive the one here that it came from, so every service
// the person agreed to is told as well.
func (p *Provider) noticesEverywhere(ctx context.Context, account federation.AccountID, all []*session) ([]federation.Notice, error) {
	agreed, err := p.accounts.consents(ctx, account)
	if err != nil {
		return nil, fmt.Errorf("read consents: %w", err)
	}
	var out []federation.Notice
	for _, s := range all {
		for _, n := range p.notices(s, nil) {
			c, err := p.clients.Get(ctx, n.Client)
			if err != nil && !errors.Is(err, clients.ErrSuspended) && !errors.Is(err, clients.ErrUnknown) {
				return nil, fmt.Errorf("read client: %w", err)
			}
			if n.Nameless && !slices.Contains(out, n) {
				out = append(out, n)
			}
			n.Nameless = false
			if c == nil || !c.BackchannelLogoutSessionRequired() {
				n.Session, n.SID = "", ""
			}
			if !slices.Contains(out, n) {
				out = append(out, n)
			}
		}
	}
	for _, con := range agreed {
		if slices.ContainsFunc(out, func(n federation.Notice) bool { return n.Client == con.Client }) {
			continue
		}
		c, err := p.clients.Get(ctx, con.Client)
		if err != nil && !errors.Is(err, clients.ErrSuspended) && !errors.Is(err, clients.ErrUnknown) {
			return nil, fmt.Errorf("read client: %w", err)
		}
		if c != nil && !c.BackchannelLogoutSessionRequired() { // one that must be told a session cannot be told of none
			out = append(out, federation.Notice{Account: account, Client: con.Client})
		}
	}
	return out, nil
}

// ending is what a browser has signed out of.
type ending struct {
	batch      string       // of the services that are told; empty: none
	session    string       // the hub's session, or the one that a service was left in
	front      []clients.ID // services that the browser is to tell
	beside     string       // the browser's other session, which ended with it; empty: none
	besides    []clients.ID // services of that one that the browser is to tell
	only       bool         // of the one service that asked for it
	everywhere bool
}

// receipt lets the browser that signed out see which services confirmed it, though it has no session any more.
type receipt struct {
	Browser string       `json:"b"`           // digest of its cookie
	Session string       `json:"s,omitempty"` // that ended
	Front   []clients.ID `json:"f,omitempty"` // services that this browser tells
	Beside  string       `json:"e,omitempty"` // ended with it
	Besides []clients.ID `json:"g,omitempty"` // services of that one that this browser tells
	Client  clients.ID   `json:"c,omitempty"` // that asked for it
	Only    bool         `json:"o,omitempty"` // and was all that ended
	Return  string       `json:"u,omitempty"` // where it wants the citizen afterwards
	At      int64        `json:"t"`           // Unix seconds
}

func receiptKey(batch string) string { return "receipt:1:" + batch }

// signedOutPage is where a browser sees what became of an ending.
func (p *Provider) signedOutPage(c echo.Context, end ending, req logoutRequest) (string, error) {
	q := url.Values{}
	if end.everywhere {
		q.Set("everywhere", "1")
	}
	if req.Locales != "" {
		q.Set("ui_locales", req.Locales)
	}
	if end.batch != "" {
		b, err := json.Marshal(receipt{
			Browser: digest(p.browserProof(c)), Session: end.session, Front: end.front, Beside: end.beside, Besides: end.besides, Client: req.Client, Only: end.only,
			Return: req.Return, At: p.now().Unix(),
		})
		if err != nil {
			return "", fmt.Errorf("encode receipt: %w", err)
		}
		if err := p.store.Create(c.Request().Context(), receiptKey(end.batch), b, receiptLife); err != nil {
			return "", fmt.Errorf("store receipt: %w", err)
		}
		q.Set("request", end.batch)
	}
	if len(q) == 0 {
		return "/signed-out", nil
	}
	return "/signed-out?" + q.Encode(), nil
}

// receipt returns what is known of the batch, if this browser may know: nil otherwise, because the page is of use without.
func (p *Provider) receipt(c echo.Context, batch string) (*receipt, error) {
	if batch == "" || len(batch) > 64 {
		return nil, nil
	}
	rec, err := p.store.Get(c.Request().Context(), receiptKey(batch))
	if errors.Is(err, ephemeral.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read receipt: %w", err)
	}
	r := &receipt{}
	if err := json.Unmarshal(rec.Value, r); err != nil {
		return nil, fmt.Errorf("decode receipt: %w", err)
	}
	proof, ok := p.site.Cookie(c.Request(), cookieBrowser)
	if !ok || !sameDigest(r.Browser, digest(proof)) {
		return nil, nil
	}
	return r, nil
}

// receipts returns what became of a batch, one line for each service, and waits for services that answer at once.
func (p *Provider) receipts(c echo.Context, batch string, r *receipt, patience time.Duration) ([]receiptView, error) {
	all, err := p.deliveries.Batch(c.Request().Context(), batch, patience)
	if err != nil {
		return nil, fmt.Errorf("read receipts: %w", err)
	}
	views, err := p.receiptViews(c, all)
	for i := range views {
		views[i].Browser = slices.Contains(slices.Concat(r.Front, r.Besides), clients.ID(views[i].Client)) && views[i].State != string(federation.Asked)
	}
	return views, err
}

// told returns what a person's services answered to the latest sign-out that they were told of in the last days, the newest first.
func (p *Provider) told(c echo.Context, id federation.AccountID) ([]receiptView, error) {
	all, err := p.deliveries.List(c.Request().Context(), id)
	if err != nil {
		return nil, fmt.Errorf("list receipts: %w", err)
	}
	since, latest := p.now().Add(-toldFor), map[clients.ID]time.Time{}
	all = slices.DeleteFunc(all, func(d federation.Delivery) bool {
		if _, ok := latest[d.Client]; !ok {
			latest[d.Client] = d.Created
		}
		return d.Created.Before(since) || !d.Created.Equal(latest[d.Client])
	})
	return p.receiptViews(c, all)
}

// receiptViews is one line for each service, about the delivery that went worst.
func (p *Provider) receiptViews(c echo.Context, all []federation.Delivery) ([]receiptView, error) {
	ctx, lang := c.Request().Context(), p.site.Lang(c.Request())
	order := []federation.DeliveryState{federation.Confirmed, federation.Collects, federation.Looks, federation.Asked, federation.Pending, federation.Unsupported, federation.Failed}
	var out []receiptView
	at := map[clients.ID]int{}
	for _, d := range all {
		i, seen := at[d.Client]
		if !seen {
			name, _, err := p.displayName(ctx, d.Client, lang)
			if err != nil {
				return nil, err
			}
			at[d.Client] = len(out)
			out = append(out, receiptView{Client: string(d.Client), Name: name, State: string(d.State), Reason: string(d.Reason), At: d.Created})
			continue
		}
		if slices.Index(order, d.State) > slices.Index(order, federation.DeliveryState(out[i].State)) {
			out[i].State = string(d.State)
		}
	}
	return out, nil
}
