package idp

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/idp/shapes"
)

// Impact says what a version of a client would have done to the requests of the last day.
type Impact struct {
	Since    time.Time
	Requests int64 // that were let pass
	Refused  int64 // that the version would have refused
	Unknown  int64 // of Requests: their shape was not kept, and they were not tried
	Reasons  []ImpactReason
	Sector   bool // every citizen would come back as a stranger
}

// ImpactReason is one kind of refusal, the most frequent first.
type ImpactReason struct {
	Word    string // as in Reason, clients.Reason or RFC 6749
	Member  string // of the metadata, that it comes of; may be empty
	Detail  string
	Count   int64
	Example shapes.Shape // the most frequent one
}

// maxImpactReasons is more than there are checks.
const maxImpactReasons = 40

// Impact tries a version of a client, which need not be registered, on what the client did in the last day, by the very checks that its requests
// meet. Live is the version in force; nil if there is none.
func (p *Provider) Impact(ctx context.Context, live, version *clients.Client) (Impact, error) {
	day, err := p.shapes.Day(ctx, version.ID())
	if err != nil {
		return Impact{}, err
	}
	out := Impact{Since: day.Since, Sector: live != nil && live.Sector() != version.Sector()}
	out.Requests, out.Unknown = day.Requests()
	for _, one := range day.Shapes {
		refused, err := p.replay(ctx, version, one.Shape)
		if err != nil {
			return Impact{}, err
		}
		if refused == nil {
			continue
		}
		out.Refused += one.Count
		refused.Count, refused.Example = one.Count, one.Shape
		out.add(*refused)
	}
	slices.SortStableFunc(out.Reasons, func(a, b ImpactReason) int { return int(b.Count - a.Count) })
	return out, nil
}

func (i *Impact) add(r ImpactReason) {
	for n := range i.Reasons {
		if was := &i.Reasons[n]; was.Word == r.Word && was.Member == r.Member && was.Detail == r.Detail {
			was.Count += r.Count
			return
		}
	}
	if len(i.Reasons) < maxImpactReasons {
		i.Reasons = append(i.Reasons, r)
	}
}

// replay tries one shape. Nil: the version lets it pass.
func (p *Provider) replay(ctx context.Context, version *clients.Client, s shapes.Shape) (*ImpactReason, error) {
	var err error
	switch s.Kind {
	case shapes.Authorization, shapes.Pushed:
		err = p.replayAuthorization(ctx, version, s)
	case shapes.Device:
		if err = p.believed(ctx, version, s); err == nil {
			_, err = p.judgeDevice(ctx, &draft{submission: submission{form: formOf(s), pushed: true}, client: version})
		}
	case shapes.Token:
		err = p.replayToken(ctx, version, s)
	case shapes.SignOut:
		err = checkLogoutReturn(version, formOf(s).Get("post_logout_redirect_uri"))
	case shapes.SignedIn, shapes.Refused, shapes.Beyond:
	}
	if err == nil {
		return nil, nil
	}
	return reasonFor(err)
}

// formOf returns the parameters of a shape; whoever gets them may change them.
func formOf(s shapes.Shape) url.Values { return maps.Clone(url.Values(s.Parameters)) }

// believed says whether the version believes what the client was believed by.
func (p *Provider) believed(ctx context.Context, version *clients.Client, s shapes.Shape) error {
	if s.Client == nil {
		return nil
	}
	return p.clients.Believes(ctx, version, *s.Client)
}

func (p *Provider) replayAuthorization(ctx context.Context, version *clients.Client, s shapes.Shape) error {
	if err := p.believed(ctx, version, s); err != nil {
		return err
	}
	d := &draft{submission: submission{form: formOf(s), pushed: s.Kind == shapes.Pushed}, client: version}
	d.out.Client = version.ID()
	if s.Object != nil {
		d.signed = true
		if err := p.clients.BelievesObject(ctx, version, *s.Object); err != nil {
			if d.objectErr = objectRefused(err); d.objectErr == nil || d.pushed {
				return err
			}
		}
	}
	return d.pass(p, ctx, checks)
}

// replayToken follows postToken.
func (p *Provider) replayToken(ctx context.Context, version *clients.Client, s shapes.Shape) error {
	if err := p.believed(ctx, version, s); err != nil {
		return err
	}
	form := formOf(s)
	for _, name := range p.tokenGrants()[form.Get("grant_type")].required {
		form.Set(name, fillerWord) // it was there
	}
	if _, err := p.tokenGrant(version, form); err != nil {
		return err
	}
	if version.DPoPBound() && !s.DPoP {
		return proofMissing()
	}
	if version.CertificateBound() && !s.Certificate {
		return certificateMissing()
	}
	switch form.Get("grant_type") {
	case clients.GrantClientCredentials:
		_, _, err := p.serviceMay(version, form.Get("scope"), form["resource"])
		return err
	case clients.GrantRefreshToken:
		return refreshable(version, p.issuer, strings.Fields(form.Get("scope")), form["resource"])
	}
	return nil
}

// reasonFor turns a refusal into a reason; what is none is the hub's own trouble.
func reasonFor(err error) (*ImpactReason, error) {
	// The client's error first: the protocol has one word for all that it does not believe.
	if e, ok := errors.AsType[*clients.Error](err); ok {
		return &ImpactReason{Word: e.Reason.String(), Member: e.Member, Detail: e.Detail}, nil
	}
	if o, ok := errors.AsType[*oauthError](err); ok {
		return &ImpactReason{Word: o.code, Member: o.member, Detail: o.description}, nil
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return &ImpactReason{Word: e.Reason.String(), Member: e.Member, Detail: e.Detail}, nil
	}
	return nil, fmt.Errorf("try a version: %w", err)
}
