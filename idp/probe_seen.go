package idp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/internal/ephemeral"
)

// ProbeNote is what a service did at a machine endpoint while it was probed.
type ProbeNote struct {
	Path    string `json:"p"`
	Grant   string `json:"g,omitempty"` // of the code that was shown
	Refused string `json:"r,omitempty"` // empty: it got what it asked for; otherwise why not
	At      int64  `json:"t"`           // Unix seconds
	Clock   int64  `json:"c,omitempty"` // iat of its assertion
}

const maxProbeNotes = 200

func probeNotesKey(probe string) string { return "probe-notes:1:" + probe }

// ProbeNotes returns what was noted of a probe, in order.
func (p *Provider) ProbeNotes(ctx context.Context, probe Probe) ([]ProbeNote, error) {
	rec, err := p.store.Get(ctx, probeNotesKey(probe.ID))
	if errors.Is(err, ephemeral.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read probe's notes: %w", err)
	}
	var out []ProbeNote
	return out, json.Unmarshal(rec.Value, &out)
}

// noteProbe notes what a client that is being probed did. Notes are evidence and no more: one that cannot be written is left out.
func (p *Provider) noteProbe(ctx context.Context, probe string, n ProbeNote) {
	ctx = context.WithoutCancel(ctx)
	n.At = p.now().Unix()
	for range 5 { // each lost swap is a note of another request of the same service
		rec, err := p.store.Get(ctx, probeNotesKey(probe))
		var all []ProbeNote
		if err == nil {
			err = json.Unmarshal(rec.Value, &all)
		}
		found := err == nil
		if errors.Is(err, ephemeral.ErrNotFound) {
			err = nil
		}
		if err != nil || len(all) >= maxProbeNotes {
			return
		}
		b, err := json.Marshal(append(all, n))
		if err != nil {
			return
		}
		if found {
			err = p.store.Swap(ctx, probeNotesKey(probe), rec.Version, b, ProbeLife)
		} else {
			err = p.store.Create(ctx, probeNotesKey(probe), b, ProbeLife)
		}
		if err == nil {
			return
		}
	}
}

// noteRedeemed notes what became of a code of a probe.
func (p *Provider) noteRedeemed(ctx context.Context, g *grant, form url.Values, err error) {
	if g == nil || g.Probe == nil {
		return
	}
	n := ProbeNote{Path: "/token", Grant: g.ID}
	if o, ok := errors.AsType[*oauthError](err); ok {
		n.Refused = o.code
	} else if err != nil {
		n.Refused = "server_error"
	}
	if cred, err := clients.ParseCredentials(http.Header{}, form); err == nil {
		if at, ok := cred.IssuedAt(); ok {
			n.Clock = at.Unix()
		}
	}
	p.noteProbe(ctx, g.Probe.ID, n)
}

// authenticateProbed is authenticateBy that also knows a client that was never live while it is probed; newcomer says that it is one.
func (p *Provider) authenticateProbed(ctx context.Context, r *http.Request, form url.Values) (c *clients.Client, proof clients.Proof, newcomer bool, err error) {
	cred, err := clients.ParseCredentials(r.Header, form)
	if err != nil {
		c, proof, err = p.authenticateBy(ctx, r, form)
		return c, proof, false, err
	}
	candidate, err := p.newcomer(ctx, clients.ID(cred.ClientID()))
	switch {
	case errors.Is(err, ErrNoProbe):
		c, proof, err = p.authenticateBy(ctx, r, form)
	case err != nil:
		return nil, proof, false, err
	default:
		newcomer = true
		if c, proof, err = p.clients.AuthenticateAs(ctx, candidate, cred.WithCertificates(clientChain(r)), p.assertionRules(r)); err != nil {
			err = p.refusedClient(ctx, err)
		}
	}
	if err != nil {
		p.noteUnproven(ctx, r, cred, err)
	}
	return c, proof, newcomer, err
}

// noteUnproven notes why a client could not prove who it is, if it is being probed.
func (p *Provider) noteUnproven(ctx context.Context, r *http.Request, cred clients.Credentials, refused error) {
	reason := "invalid_client"
	if e, ok := errors.AsType[*clients.Error](refused); ok {
		reason = e.Reason.String()
	}
	rec, err := p.findProbe(ctx, clients.ID(cred.ClientID()))
	if err != nil {
		return
	}
	n := ProbeNote{Path: strings.TrimSuffix(r.URL.Path, "/"), Refused: reason}
	if at, ok := cred.IssuedAt(); ok {
		n.Clock = at.Unix()
	}
	p.noteProbe(ctx, rec.ID, n)
}
