package idp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/cardauth"
	"github.com/tsunagu-id/tsunagu/cardauth/ades"
	"github.com/tsunagu-id/tsunagu/federation"
	"github.com/tsunagu-id/tsunagu/internal/audit"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

// DefaultRelinkWait is how long a card that was tied by a signature waits before it opens the folder.
const DefaultRelinkWait = 24 * time.Hour

const preparePath = "/account/prepare"

// holderDigest is what is kept of the four attributes. It reports false for attributes that could be two people's: with a character that
// stands for another one, or with a birth date that nobody knows.
func (p *Provider) holderDigest(a cardauth.Attributes) ([]byte, bool) {
	if a.Substituted() || len(a.Birthdate.String()) != len("2006-01-02") {
		return nil, false
	}
	b, err := json.Marshal([]any{a.Name, a.Address, a.Birthdate.String(), int(a.Sex)})
	if err != nil {
		return nil, false
	}
	d := p.digest("relink-attributes", b)
	return d[:], true
}

// mark keeps the digest of a person's attributes, in place of an earlier one.
func (a accounts) mark(ctx context.Context, id federation.AccountID, digest []byte, then func(context.Context) error) error {
	return a.db.Tx(ctx, func(ctx context.Context) error {
		if err := a.lock(ctx, id); err != nil {
			return err
		}
		if _, err := a.db.Exec(ctx, `INSERT INTO relink_mark (account, digest, since) VALUES ($1, $2, $3)
			ON CONFLICT (account) DO UPDATE SET digest = excluded.digest, since = excluded.since`, string(id), digest, a.now().Unix()); err != nil {
			return fmt.Errorf("keep mark: %w", err)
		}
		return then(ctx)
	})
}

// unmark forgets a digest that was kept since a time.
func (a accounts) unmark(ctx context.Context, id federation.AccountID, since time.Time) error {
	if _, err := a.db.Exec(ctx, `DELETE FROM relink_mark WHERE account = $1 AND since >= $2`, string(id), since.Unix()); err != nil {
		return fmt.Errorf("forget mark: %w", err)
	}
	return nil
}

// markedSince is when the person prepared; zero: never.
func (a accounts) markedSince(ctx context.Context, id federation.AccountID) (time.Time, error) {
	var since int64
	err := a.db.QueryRow(ctx, `SELECT COALESCE(MAX(since), 0) FROM relink_mark WHERE account = $1`, string(id)).Scan(&since)
	if err != nil || since == 0 {
		return time.Time{}, err
	}
	return time.Unix(since, 0), nil
}

// byMark returns the one folder whose owner signed with these attributes, or errNoAccount, also if there are two.
func (a accounts) byMark(ctx context.Context, digest []byte) (federation.AccountID, error) {
	var n int
	var id string
	err := a.db.QueryRow(ctx, `SELECT count(*), COALESCE(MAX(account), '') FROM relink_mark WHERE digest = $1`, digest).Scan(&n, &id)
	if err == nil && n != 1 {
		err = errNoAccount
	}
	return federation.AccountID(id), err
}

// getPrepare offers to sign once, so that a new card can be recognised when nobody else says whose it is.
func (p *Provider) getPrepare(c echo.Context) error {
	s, err := p.ownPage(c, preparePath)
	if err != nil || s == nil {
		return err
	}
	v := prepareView{Card: !s.Card.zero()}
	if v.Since, err = p.accounts.markedSince(c.Request().Context(), s.Account); err != nil {
		return fmt.Errorf("read mark: %w", err)
	}
	switch note := c.QueryParam("note"); {
	case prepareNotes[note]:
		v.Note = note
	case refusesSignature(note):
		v.Refused = signMessage(note)
	}
	p.site.Render(c.Response(), c.Request(), http.StatusOK, web.Page{Name: "prepare", Title: "prepare.title", SignedIn: true, OpenForm: true, Data: v})
	return nil
}

var prepareNotes = map[string]bool{"done": true, "silent": true, "not_same": true, "ambiguous": true}

func (p *Provider) toPrepare(c echo.Context, note string) error {
	return c.Redirect(http.StatusSeeOther, preparePath+"?"+url.Values{"note": {note}}.Encode())
}

// postPrepare sends the citizen to the card app to sign.
func (p *Provider) postPrepare(c echo.Context) error {
	s, err := p.ownPage(c, preparePath)
	if err != nil || s == nil {
		return err
	}
	if p.signing == nil || s.Card.zero() {
		return c.Redirect(http.StatusSeeOther, preparePath)
	}
	tx := &transaction{
		State: Authenticated, Return: preparePath, StartedAt: p.now().Unix(), SID: s.ID, Login: s.AuthTime, Browser: digest(p.browserProof(c)),
		Prepares: true,
	}
	if err := p.transactions.create(c.Request().Context(), tx); err != nil {
		return err
	}
	return p.toRelinkSignature(c, tx, preparePath)
}

// toRelinkSignature asks for a signature that shows who signs, and sends the browser to the card app.
func (p *Provider) toRelinkSignature(c echo.Context, tx *transaction, back string) error {
	ctx := c.Request().Context()
	ok, _, err := p.limiter.Allow(ctx, p.loginRate, tx.Browser)
	if err != nil {
		return err
	}
	if !ok {
		return &Error{Reason: TooMany, Detail: "signature requests of one browser", Client: tx.clientID()}
	}
	to, err := p.askSignature(ctx, tx, cardauth.SignatureAsk{
		ClientName: p.site.Text(c.Request(), "site.name"), RedirectHost: hostOf(p.issuer), Purpose: ades.PurposeRelink, Page: p.issuer + back,
	})
	if err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, to)
}

// relinkSigned goes on with a good signature that shows who signed.
func (p *Provider) relinkSigned(c echo.Context, tx *transaction, signer *signerProof) error {
	switch {
	case tx.Prepares:
		return p.prepareSigned(c, tx, signer)
	case tx.State == Proven && tx.Proof != nil && tx.Relinks == tx.Proof.ref():
		return p.relink(c, tx, signer)
	}
	return p.advance(c, tx)
}

// relinkRefused goes back to where the citizen was sent to sign from, with the reason.
func (p *Provider) relinkRefused(c echo.Context, tx *transaction, word string) error {
	switch {
	case tx.Prepares:
		return p.toPrepare(c, word)
	case tx.State == Proven && tx.Proof != nil:
		return p.again(c, tx, word)
	}
	return p.advance(c, tx)
}

func refusesSignature(word string) bool {
	_, ok := cardauth.ParseReason(word)
	return ok
}

// prepareSigned keeps the digest, if the authority says that who signed is whose card is signed in. Without that word nothing is kept: what
// is kept here is believed later.
func (p *Provider) prepareSigned(c echo.Context, tx *transaction, signer *signerProof) error {
	ctx := c.Request().Context()
	s, err := p.sessionFor(c, tx)
	if err != nil {
		return err
	}
	if s == nil || s.ID != tx.SID || s.AuthTime != tx.Login {
		return &Error{Reason: LoginExpired, Detail: "signature of another session"}
	}
	digest, ok := p.holderDigest(signer.Holder)
	if !ok {
		return p.toPrepare(c, "ambiguous")
	}
	beside, err := p.besideSignature(ctx, signer)
	switch {
	case cardauth.Unlinked(err) || err == nil && beside != s.Card:
		return p.toPrepare(c, "not_same")
	case isSilent(err):
		return p.toPrepare(c, "silent")
	case err != nil:
		return err
	}
	err = p.accounts.mark(ctx, s.Account, digest, func(ctx context.Context) error {
		if err := p.stillSignedIn(ctx, s); err != nil {
			return err
		}
		return p.record(ctx, audit.Event{Kind: eventRelinkPrepared, Account: string(s.Account), Session: s.ID})
	})
	if err != nil {
		return err
	}
	return p.toPrepare(c, "done")
}

// besideSignature is the login certificate on the card that signed.
func (p *Provider) besideSignature(ctx context.Context, signer *signerProof) (cardRef, error) {
	h, err := signer.handle()
	if err != nil {
		return cardRef{}, err
	}
	b, err := p.cards.AuthOf(ctx, h)
	if err != nil {
		return cardRef{}, err
	}
	return refOfBinding(b), nil
}

func isSilent(err error) bool {
	var silent *cardauth.LinkageError
	return errors.As(err, &silent) && !cardauth.Unlinked(err)
}

// relink ties the new card to the folder of the person who signed, for later. The person who signed owns the folder: her attributes are those
// that its owner signed with when the authority vouched for that. That the new card is hers too is what the authority cannot say now; she
// let it be read in this login and signed in it. So the card waits, everybody who is in the folder reads of it, any card that was there
// before takes it back, and as soon as the authority answers, its word decides.
func (p *Provider) relink(c echo.Context, tx *transaction, signer *signerProof) error {
	ctx := c.Request().Context()
	if !tx.Proof.fresh(p.now()) {
		return p.again(c, tx, "stale")
	}
	digest, ok := p.holderDigest(signer.Holder)
	if !ok {
		return p.again(c, tx, "no_match")
	}
	beside, err := p.besideSignature(ctx, signer)
	if err != nil && !isSilent(err) && !cardauth.Unlinked(err) {
		return err
	}
	if cardauth.Unlinked(err) || err == nil && beside != tx.Proof.ref() {
		return p.again(c, tx, "not_same")
	}
	id, err := p.accounts.byMark(ctx, digest)
	if errors.Is(err, errNoAccount) {
		return p.again(c, tx, "no_match")
	}
	if err != nil {
		return fmt.Errorf("folder of a signer: %w", err)
	}
	s := succession{Proof: tx.Proof, Account: id, Evidence: evidenceRelink, Wait: p.relinkWait}
	if _, err := p.accounts.succeed(ctx, s, func(ctx context.Context) error { return p.recordTie(ctx, tx, s) }); err != nil && refusalOf(err) == "" {
		return fmt.Errorf("tie card: %w", err)
	}
	proof := tx.Proof
	if err := tx.move(Authenticating); err != nil {
		return err
	}
	tx.Relinks = cardRef{}
	if err := p.transactions.save(ctx, tx); err != nil {
		return err
	}
	return p.proven(c, tx, proof)
}

// verdict is what the authority says of a tie that rests on a signature.
type verdict int

const (
	verdictSilent verdict = iota
	verdictConfirmed
	verdictRefuted
)

// reconsider asks the authority about the tie of a card that a signature made, at each login until it answers.
func (p *Provider) reconsider(ctx context.Context, tx *transaction, proof *cardProof, id federation.AccountID) (verdict, error) {
	older, err := p.predecessors(ctx, tx, proof)
	switch {
	case cardauth.Unlinked(err):
		return verdictRefuted, p.refute(ctx, proof, id)
	case isSilent(err):
		return verdictSilent, nil
	case err != nil:
		return verdictSilent, err
	}
	_, owners, err := p.heritage(ctx, proof, older)
	if err != nil {
		return verdictSilent, err
	}
	if len(owners) != 1 || owners[0] != id {
		return verdictRefuted, p.refute(ctx, proof, id)
	}
	return verdictConfirmed, p.accounts.confirm(ctx, proof)
}

// refute takes the tie back, with all that was made of it.
func (p *Provider) refute(ctx context.Context, proof *cardProof, id federation.AccountID) error {
	why := audit.Event{Kind: eventCardNotJoined, Account: string(id), Reason: "other_person"}
	_, err := p.endSessions(ctx, id, whatEnds{Card: proof.ref(), Revoked: endUndone, Because: why}, federation.LogoutCardRevoked)
	return err
}

// confirm makes a tie one that rests on the authority's word.
func (a accounts) confirm(ctx context.Context, p *cardProof) error {
	_, err := a.db.Exec(ctx, `UPDATE card_binding SET evidence = $1, opens_at = 0 WHERE issuer_key = $2 AND serial = $3 AND evidence = $4`,
		string(evidenceLinkage), p.IssuerKey, p.Serial, string(evidenceRelink))
	if err != nil {
		return fmt.Errorf("confirm card: %w", err)
	}
	return nil
}

// restsOnSignature says whether a card's tie does.
func (a accounts) restsOnSignature(ctx context.Context, p *cardProof) (bool, error) {
	var n int
	err := a.db.QueryRow(ctx, `SELECT count(*) FROM card_binding WHERE issuer_key = $1 AND serial = $2 AND evidence = $3 AND revoked IS NULL`,
		p.IssuerKey, p.Serial, string(evidenceRelink)).Scan(&n)
	return n == 1, err
}

// weigh looks once more at a tie that rests on a signature: found is what the folder says of the card.
func (p *Provider) weigh(ctx context.Context, tx *transaction, proof *cardProof, id federation.AccountID, found error) (federation.AccountID, error) {
	rests, err := p.accounts.restsOnSignature(ctx, proof)
	if err != nil {
		return "", fmt.Errorf("evidence of a card: %w", err)
	}
	if !rests {
		return id, found
	}
	v, err := p.reconsider(ctx, tx, proof, id)
	if err != nil {
		return "", err
	}
	switch v {
	case verdictConfirmed:
		return id, nil
	case verdictRefuted:
		return "", errNoAccount
	case verdictSilent:
	}
	return id, found
}
