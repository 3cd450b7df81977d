package idp

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/federation"
	"github.com/tsunagu-id/tsunagu/internal/audit"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

const undoPath = "/account/cards/undo"

// cardViews are the person's cards, with what became of them, the newest first. s is whose page it is.
func (p *Provider) cardViews(ctx context.Context, s *session) ([]cardView, error) {
	cards, err := p.accounts.cards(ctx, s.Account)
	if err != nil {
		return nil, fmt.Errorf("read cards: %w", err)
	}
	now := p.now()
	var out []cardView
	for _, c := range cards {
		v := cardView{
			Kind: c.Kind, NotAfter: c.NotAfter, Since: c.Since, Evidence: string(c.Evidence), Ended: c.Ended, Why: c.Why,
			Current: c.Ref == s.Card, Live: c.live(now),
		}
		if c.Ended.IsZero() && c.Opens.After(now) {
			v.Opens = c.Opens
		}
		v.ExpiringSoon = v.Live && c.NotAfter.Sub(now) < expiringSoon
		if v.Ended.IsZero() && !c.NotAfter.After(now) {
			v.Ended, v.Why = c.NotAfter, "expired"
		}
		if v.Why != "" && !slices.Contains([]string{endSuperseded, endUndone, "expired", "revoked"}, v.Why) {
			v.Why = "revoked"
		}
		root := provedRoot(cards, c)
		v.Proved = !root.zero()
		if mayUndo(cards, root, s.Card, now) {
			v.Undo = root.handle()
		}
		out = append(out, v)
	}
	return out, nil
}

// handle names a card in a form of its owner's page. It is a digest, and opens nothing.
func (c cardRef) handle() string {
	return base64.RawURLEncoding.EncodeToString([]byte(c.IssuerKey)) + "." + c.Serial
}

func refOfHandle(s string) cardRef {
	key, serial, _ := strings.Cut(s, ".")
	b, err := base64.RawURLEncoding.DecodeString(key)
	if err != nil || len(s) > 200 {
		return cardRef{}
	}
	return cardRef{IssuerKey: string(b), Serial: serial}
}

// undoable returns the card named in the request if whoever is signed in may take its tie back.
func (p *Provider) undoable(ctx context.Context, s *session, handle string) (card, error) {
	cards, err := p.accounts.cards(ctx, s.Account)
	if err != nil {
		return card{}, fmt.Errorf("read cards: %w", err)
	}
	target := refOfHandle(handle)
	if target.zero() || !mayUndo(cards, target, s.Card, p.now()) {
		return card{}, &Error{Reason: NotFound, Detail: "no card that can be taken back with this one"}
	}
	return cards[slices.IndexFunc(cards, func(c card) bool { return c.Ref == target })], nil
}

// getCardUndo asks before a card is taken out of the folder.
func (p *Provider) getCardUndo(c echo.Context) error {
	s, err := p.ownPage(c, "/account")
	if err != nil || s == nil {
		return err
	}
	t, err := p.undoable(c.Request().Context(), s, c.QueryParam("card"))
	if err != nil {
		return err
	}
	p.site.Render(c.Response(), c.Request(), http.StatusOK, web.Page{
		Name: "card-undo", Title: "undo.title", SignedIn: true, Data: undoView{Card: t.Ref.handle(), Kind: t.Kind, Since: t.Since},
	})
	return nil
}

// postCardUndo takes a card's tie to the folder back. What was done with the card since is over, here and at every service: whoever took it
// back does not know whose hands it was in.
func (p *Provider) postCardUndo(c echo.Context) error {
	ctx := c.Request().Context()
	s, err := p.ownPage(c, "/account")
	if err != nil || s == nil {
		return err
	}
	t, err := p.undoable(ctx, s, c.FormValue("card"))
	if err != nil {
		return err
	}
	why := audit.Event{Kind: eventCardUndone, Account: string(s.Account), Session: s.ID, Facts: map[string]string{
		"evidence": string(t.Evidence), "kind": t.Kind,
	}}
	if _, err := p.endSessions(ctx, s.Account, whatEnds{Card: t.Ref, Revoked: endUndone, In: s.ID, Because: why}, federation.LogoutCardRevoked); err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, "/account#card")
}
