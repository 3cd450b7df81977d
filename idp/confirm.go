package idp

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/cardauth"
	"github.com/tsunagu-id/tsunagu/cardauth/ades"
	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/federation"
	"github.com/tsunagu-id/tsunagu/internal/audit"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

const confirmedPath = detailsPath + "/confirmed"

// confirmedNotes are the words that a page knows of what came of a confirmation.
var confirmedNotes = map[string]bool{
	"done": true, "removed": true, "cert_revoked": true, "cert_expired": true, "status_unknown": true, "cert_login": true, "late": true, "other": true,
	signerOther: true, signerUnknown: true, signerUnchecked: true,
}

// noteOf returns the word of a page's address, if it is one of those.
func noteOf(c echo.Context) string {
	if note := c.QueryParam("note"); confirmedNotes[note] {
		return note
	}
	return ""
}

// getConfirmed shows what the signature certificate said, beside what the citizen wrote of herself.
func (p *Provider) getConfirmed(c echo.Context) error {
	if p.signing == nil {
		return &Error{Reason: NotFound}
	}
	s, err := p.ownPage(c, confirmedPath)
	if err != nil || s == nil {
		return err
	}
	ctx := c.Request().Context()
	a, stands, err := p.attested(ctx, s.Account)
	if err != nil {
		return err
	}
	v := confirmedView{Standing: stands, Note: noteOf(c)}
	v.Refused = v.Note != "" && v.Note != "done" && v.Note != "removed"
	if a != nil {
		said, err := p.attributes.of(ctx, s.Account)
		if err != nil {
			return err
		}
		v.Since, v.Substitutes = a.confirmed(), a.Holder.Substituted()
		v.Facts = p.confirmedFacts(c.Request(), a, said)
		for _, f := range v.Facts {
			v.Differs = v.Differs || f.Differs
		}
	}
	p.site.Render(c.Response(), c.Request(), http.StatusOK, web.Page{Name: "confirmed", Title: "confirmed.title", SignedIn: true, OpenForm: true, Data: v})
	return nil
}

// confirmedText is a verified claim as the citizen reads it.
func (p *Provider) confirmedText(r *http.Request, a *attestation, claim string) string {
	text := ""
	switch claim {
	case "name":
		text = a.Holder.Name
	case "address":
		text = a.Holder.Address
	case "birthdate":
		text = a.Holder.Birthdate.String()
	case "gender":
		if g := a.gender(); g != "" {
			text = p.site.Text(r, "details.gender."+g)
		}
	}
	if text == "" {
		return p.site.Text(r, "confirmed.unstated")
	}
	return text
}

// confirmedFacts puts what two sources say side by side.
func (p *Provider) confirmedFacts(r *http.Request, a *attestation, said statement) []confirmedFact {
	own := map[string]string{
		"name": said.values[attrName], "birthdate": said.values[attrBirthdate],
		"address": said.values[attrRegion] + said.values[attrLocality] + said.values[attrStreet],
	}
	if g := said.values[attrGender]; g != "" {
		own["gender"] = p.site.Text(r, "details.gender."+g)
	}
	var out []confirmedFact
	for _, claim := range verifiedClaims() {
		f := confirmedFact{Label: p.site.Text(r, "scope."+verifiedScope(claim)), Card: p.confirmedText(r, a, claim), Own: own[claim]}
		f.Differs = f.Own != "" && !sameWriting(f.Card, f.Own)
		out = append(out, f)
	}
	return out
}

// sameWriting compares what people read, whatever the width of its characters and the spaces in it.
func sameWriting(a, b string) bool {
	plain := func(s string) string { return strings.Join(strings.Fields(half(s)), "") }
	return plain(a) == plain(b)
}

// postConfirmed sends the citizen to the card app to confirm.
func (p *Provider) postConfirmed(c echo.Context) error {
	if p.signing == nil {
		return &Error{Reason: NotFound}
	}
	s, err := p.ownPage(c, confirmedPath)
	if err != nil || s == nil {
		return err
	}
	tx := &transaction{
		State: Authenticated, Return: confirmedPath, StartedAt: p.now().Unix(), SID: s.ID, Login: s.AuthTime, Browser: digest(p.browserProof(c)),
		Confirms: true,
	}
	if err := p.transactions.create(c.Request().Context(), tx); err != nil {
		return err
	}
	return p.toConfirm(c, tx, confirmedPath)
}

// toConfirm asks for a signature that shows the four attributes, and sends the browser to the card app.
func (p *Provider) toConfirm(c echo.Context, tx *transaction, back string) error {
	ctx := c.Request().Context()
	if ok, _, err := p.limiter.Allow(ctx, p.loginRate, tx.Browser); err != nil {
		return err
	} else if !ok {
		return &Error{Reason: TooMany, Detail: "signature requests of one browser", Client: tx.clientID()}
	}
	// It is the hub that gets the attributes, whoever asked for them: what a service is given is decided here, afterwards.
	to, err := p.askSignature(ctx, tx, cardauth.SignatureAsk{
		ClientName: p.site.Text(c.Request(), "site.name"), RedirectHost: hostOf(p.issuer), Purpose: ades.PurposeAttributes, Page: p.issuer + back,
	})
	if err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, to)
}

// postConsentConfirm is the same from the page on which a service asks for what was never confirmed, or does not count any more.
func (p *Provider) postConsentConfirm(c echo.Context) error {
	tx, err := p.ownTransaction(c, c.FormValue("tx"))
	if err != nil {
		return err
	}
	s, _, step, err := p.where(c, tx)
	if err != nil {
		return err
	}
	if step != StepConsent || s == nil || p.signing == nil || tx.Request == nil || len(tx.Request.Claims.verifiedScopes(false)) == 0 {
		return p.advance(c, tx)
	}
	return p.toConfirm(c, tx, "/consent?"+pageQuery(tx))
}

// attributesSigned keeps what the certificate states of the person who is signed in. That it is hers is the word of the authority which
// issued both certificates; without that word nothing is kept.
func (p *Provider) attributesSigned(c echo.Context, tx *transaction, signer *signerProof) error {
	ctx := c.Request().Context()
	s, err := p.confirming(c, tx)
	if err != nil {
		return err
	}
	if s == nil {
		return p.advance(c, tx) // the login went on in another tab
	}
	word, err := p.signerOf(ctx, s, signer)
	if err != nil {
		return err
	}
	if word != "" {
		if err := p.record(ctx, audit.Event{Kind: eventSignatureRefused, Reason: word, Account: string(s.Account), Client: tx.clientID(), Session: s.ID}); err != nil {
			return err
		}
		return p.notConfirmed(c, tx, word)
	}
	a := attestation{Holder: signer.Holder, Confirmed: p.now().Unix(), Signed: signer.At, Handle: signer.Handle}
	err = p.db.Tx(ctx, func(ctx context.Context) error {
		// The card that signed may be taken back meanwhile, with what it confirmed.
		if err := p.accounts.lock(ctx, s.Account); err != nil {
			return fmt.Errorf("lock account: %w", err)
		}
		if err := p.stillSignedIn(ctx, s); err != nil {
			return err
		}
		if err := p.attestations.keep(ctx, s.Account, a); err != nil {
			return err
		}
		return p.record(ctx, audit.Event{Kind: eventAttested, Account: string(s.Account), Client: tx.clientID(), Session: s.ID,
			Facts: map[string]string{"source": string(fromSigningCard), "revocation": signer.Source}})
	})
	if err != nil {
		return err
	}
	if !tx.Confirms && !tx.Attested { // the values have not been on the page yet
		tx.Attested = true
		if err := p.transactions.save(ctx, tx); err != nil {
			return err
		}
	}
	return p.toNote(c, tx, "done")
}

// confirming is the session that a signature is to be kept for: that of the page where it was asked for. nil: it is asked for no more.
func (p *Provider) confirming(c echo.Context, tx *transaction) (*session, error) {
	if !tx.Confirms {
		s, _, step, err := p.where(c, tx)
		if err != nil || step != StepConsent {
			return nil, err
		}
		return s, nil
	}
	s, err := p.sessionFor(c, tx)
	if err != nil {
		return nil, err
	}
	if s == nil || s.ID != tx.SID || s.AuthTime != tx.Login {
		return nil, &Error{Reason: LoginExpired, Detail: "signature of another session"}
	}
	return s, nil
}

// notConfirmed goes back to the page where the signature was asked for, with the reason.
func (p *Provider) notConfirmed(c echo.Context, tx *transaction, reason string) error {
	return p.toNote(c, tx, signMessage(reason))
}

func (p *Provider) toNote(c echo.Context, tx *transaction, note string) error {
	if tx.Confirms {
		return c.Redirect(http.StatusSeeOther, confirmedPath+"?"+url.Values{"note": {note}}.Encode())
	}
	return c.Redirect(http.StatusSeeOther, "/consent?"+url.Values{"tx": {tx.ID}, "note": {note}}.Encode())
}

// postConfirmedRemove takes what was confirmed away.
func (p *Provider) postConfirmedRemove(c echo.Context) error {
	if p.signing == nil {
		return &Error{Reason: NotFound}
	}
	s, err := p.ownPage(c, confirmedPath)
	if err != nil || s == nil {
		return err
	}
	err = p.attestations.remove(c.Request().Context(), s.Account, func(ctx context.Context) error {
		return p.record(ctx, audit.Event{Kind: eventUnattested, Account: string(s.Account), Session: s.ID, Facts: map[string]string{"source": string(fromSigningCard)}})
	})
	if err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, confirmedPath+"?note=removed")
}

// unconfirmed says whether a service insists on verified claims that there is nothing to make of, and that the citizen could confirm now.
func (p *Provider) unconfirmed(ctx context.Context, id federation.AccountID, client *clients.Client, req *authzRequest) (bool, error) {
	for _, scope := range req.Claims.verifiedScopes(true) {
		for _, registered := range client.Scopes() {
			if scope == registered {
				_, stands, err := p.attested(ctx, id)
				if err != nil {
					return false, fmt.Errorf("verified claims: %w", err)
				}
				return stands != standingGood && stands != standingUnknown, nil
			}
		}
	}
	return false, nil
}

// verifiedShown is what a consent hands out of what the card says, for the page that asks for it.
func (p *Provider) verifiedShown(c echo.Context, s *session, items []consentItem) (*verifiedView, error) {
	if len(items) == 0 {
		return nil, nil
	}
	a, stands, err := p.attested(c.Request().Context(), s.Account)
	if err != nil {
		return nil, err
	}
	v := &verifiedView{Items: items, Standing: stands, Note: noteOf(c)}
	if a == nil {
		return v, nil
	}
	v.Since, v.Substitutes = a.confirmed(), a.Holder.Substituted()
	if stands != standingGood {
		return v, nil
	}
	for i := range items {
		items[i].Details = []web.Description{{
			Term:  p.site.Text(c.Request(), "scope."+items[i].Scope),
			Value: p.confirmedText(c.Request(), a, claimOfVerifiedScope(items[i].Scope)),
		}}
	}
	return v, nil
}
