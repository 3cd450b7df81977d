package preflight

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"slices"

	"github.com/tsunagu-id/tsunagu/federation"
	"github.com/tsunagu-id/tsunagu/idp"
)

// login is one that the service has begun, in one browser, for one made-up person.
type login struct {
	b      *browser
	asked  idp.ProbeAsked
	person int
	grant  string // of its answer
}

// trouble is why a login could not begin; it is the service's.
type trouble struct{ words }

func (trouble) Error() string { return "the service did not begin a login" }

// begin lets the service begin a login. The error is a *trouble if the service is to blame.
func (t *try) begin(ctx context.Context) (*login, error) {
	if t.people >= idp.MaxProbePeople {
		return nil, errTooMany
	}
	l := &login{b: t.browser(), person: t.people}
	t.people++
	address, err := federation.LaunchURI(t.c, t.d.Issuer, "")
	if err != nil {
		return nil, err
	}
	p := l.b.open(ctx, address, nil)
	if err := t.broken(ctx, p); err != nil {
		return nil, err
	}
	if p.hub == "" {
		why := whyNot(p)
		if note := t.refusedProof(ctx, "/par"); note != "" {
			why = why.with(words{fmt.Sprintf("。PAR でサービスの認証に失敗しています (%s)", note), fmt.Sprintf(". The hub could not authenticate it at the PAR endpoint (%s)", note)})
		}
		return nil, &trouble{why}
	}
	l.asked, err = t.d.Hub.ReadProbe(ctx, t.probe, p.hub)
	if refused, ok := errors.AsType[*idp.ProbeRefusal](err); ok {
		return nil, &trouble{words{
			fmt.Sprintf("依頼をハブが受け付けませんでした (%s: %s)", refused.Code, refused.Description),
			fmt.Sprintf("the hub refuses the request (%s: %s)", refused.Code, refused.Description),
		}}
	}
	if errors.Is(err, idp.ErrElsewhere) {
		return nil, &trouble{words{"ハブの認可エンドポイントではないアドレスに進みました", "it led to an address of the hub that is not the authorization endpoint"}}
	}
	if err != nil {
		return nil, err
	}
	t.asked = append(t.asked, l.asked)
	return l, nil
}

// whyNot says where a browser ended that should have come to the hub.
func whyNot(p page) words {
	switch {
	case p.err != nil:
		return words{"応答がありませんでした (" + reason(p.err) + ")", "it did not answer (" + reason(p.err) + ")"}
	case p.away != "":
		return words{"登録のないアドレス " + p.away + " に進みました", "it led to " + p.away + ", which is no address of the service"}
	}
	return words{fmt.Sprintf("ハブに進まず、%s でステータス %d を返しました", p.end.Path, p.status), fmt.Sprintf("it did not lead to the hub: %s answered with status %d", p.end.Path, p.status)}
}

// broken returns the error of a page that is not the service's to answer for.
func (t *try) broken(ctx context.Context, p page) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if errors.Is(p.err, errTooMany) {
		return p.err
	}
	return nil
}

// change makes a broken answer of a good one.
type change func(params url.Values)

// answer sends the browser back to the service: with a code that has the flaw, in parameters that are changed. It returns where that led.
func (t *try) answer(ctx context.Context, l *login, flaw idp.ProbeFlaw, changes ...change) (page, error) {
	code, grant, err := t.d.Hub.ProbeCode(ctx, t.probe, l.asked, l.person, flaw)
	if err != nil {
		return page{}, err
	}
	l.grant = grant
	params := url.Values{"code": {code}}
	return t.carry(ctx, l, params, changes...)
}

// carry takes parameters to the service in the way it asked for.
func (t *try) carry(ctx context.Context, l *login, params url.Values, changes ...change) (page, error) {
	params.Set("iss", t.d.Issuer)
	if l.asked.State != "" {
		params.Set("state", l.asked.State)
	}
	for _, c := range changes {
		c(params)
	}
	params, err := t.d.Hub.ProbeAnswer(ctx, t.probe, l.asked, params)
	if err != nil {
		return page{}, err
	}
	var p page
	if l.asked.Posted {
		p = l.b.open(ctx, l.asked.Redirect, params)
	} else {
		u, err := url.Parse(l.asked.Redirect)
		if err != nil {
			return page{}, err
		}
		if u.RawQuery != "" {
			u.RawQuery += "&"
		}
		u.RawQuery += params.Encode()
		p = l.b.open(ctx, u.String(), nil)
	}
	return p, t.broken(ctx, p)
}

// isIn looks at the page of the reference with the login's browser.
func (t *try) isIn(ctx context.Context, b *browser) (bool, error) {
	p := b.open(ctx, t.ref.address, nil)
	if err := t.broken(ctx, p); err != nil {
		return false, err
	}
	return t.ref.signedIn(lookOf(p)), nil
}

// signedInBy begins a login, answers it so, and says whether the service signed the person in.
func (t *try) signedInBy(ctx context.Context, flaw idp.ProbeFlaw, changes ...change) (bool, error) {
	l, err := t.begin(ctx)
	if err != nil {
		return false, err
	}
	if _, err := t.answer(ctx, l, flaw, changes...); err != nil {
		return false, err
	}
	return t.isIn(ctx, l.b)
}

// notesOf returns what was noted of the grant of a login at the token endpoint.
func (t *try) notesOf(ctx context.Context, grant string) ([]idp.ProbeNote, error) {
	all, err := t.d.Hub.ProbeNotes(ctx, t.probe)
	return slices.DeleteFunc(all, func(n idp.ProbeNote) bool { return n.Grant != grant }), err
}

// refusedProof returns why the service could last not prove who it is at a path, or "".
func (t *try) refusedProof(ctx context.Context, path string) string {
	all, err := t.d.Hub.ProbeNotes(ctx, t.probe)
	if err != nil {
		return ""
	}
	for _, n := range slices.Backward(all) {
		if n.Path == path && n.Grant == "" && n.Refused != "" {
			return n.Refused
		}
	}
	return ""
}

func random() string { return rand.Text() }
