package idp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/cardauth"
	"github.com/tsunagu-id/tsunagu/federation"
	"github.com/tsunagu-id/tsunagu/internal/audit"
	"github.com/tsunagu-id/tsunagu/internal/ephemeral"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

// returnLife is how long a browser may take from the card app back to the hub.
const returnLife = 2 * time.Minute

// maxCardResponse bounds what a card app may send: one JWS with one certificate.
const maxCardResponse = 16 << 10

// cardReturn is what waits for the browser behind a one-time return code: the outcome of a card response. Alone it logs nobody in;
// the browser that started the login, or the phone that it is paired with, has to bring its cookie.
type cardReturn struct {
	Tx      string     `json:"t"`
	Pairing string     `json:"p,omitempty"` // the browser is a phone's, and this is what it is paired for
	Proof   *cardProof `json:"k,omitempty"`
	Refused string     `json:"r,omitempty"`
}

func returnKey(code string) string   { return "return:1:" + digest(code) }
func returnedKey(code string) string { return "returned:1:" + digest(code) }

// getChallenge gives the card app the signed challenge.
func (p *Provider) getChallenge(c echo.Context) error {
	ctx := c.Request().Context()
	id := c.Param("id")
	token, err := p.challenges.JWT(ctx, id)
	if err != nil {
		return p.refuseCard(c, "", err)
	}
	if err := p.store.Create(ctx, fetchedKey(id), []byte{1}, transactionLife); err != nil && !errors.Is(err, ephemeral.ErrExists) {
		return fmt.Errorf("note challenge as fetched: %w", err)
	}
	return c.Blob(http.StatusOK, "application/jwt", []byte(token))
}

// postChallenge takes the card's answer. Whatever it is, the browser gets an address at the hub to go to, unless no login is known.
func (p *Provider) postChallenge(c echo.Context) error {
	ctx := c.Request().Context()
	body, err := io.ReadAll(io.LimitReader(c.Request().Body, maxCardResponse+1))
	if err != nil || len(body) > maxCardResponse {
		return p.refuseCard(c, "", &cardauth.Error{Reason: cardauth.Malformed, Detail: "body too long or broken"})
	}
	unverified, err := cardauth.ParseResponse(body)
	if err != nil {
		return p.refuseCard(c, "", err)
	}
	identity, err := p.cards.Verify(ctx, c.Param("id"), unverified)
	if err != nil {
		var ce *cardauth.Error
		bound := ""
		if errors.As(err, &ce) {
			bound = ce.Bound
		}
		return p.refuseCard(c, bound, err)
	}
	proof, err := p.proofOf(identity)
	if err != nil {
		return err
	}
	tx, pairing := splitBound(identity.Bound())
	answer := map[string]string{}
	if pairing == "" && wantsRemoval(c.Request()) { // the reader is this computer's
		if answer["removal_token"], proof.Removal, err = p.newRemoval(ctx); err != nil {
			return err
		}
		c.Response().Header().Set("Preference-Applied", preferWatch)
	}
	answer["return_uri"], err = p.returnURI(ctx, cardReturn{Tx: tx, Pairing: pairing, Proof: proof})
	if err != nil {
		return err
	}
	p.figures.cards.Inc(cardGood)
	writeJSON(c.Response(), c.Request(), http.StatusOK, answer)
	return nil
}

// proofOf is what is kept of a good card until its account is known.
func (p *Provider) proofOf(identity cardauth.Identity) (*cardProof, error) {
	b, fresh := identity.Binding(), identity.Fresh()
	tx, _ := splitBound(identity.Bound())
	handle, err := p.sealHandle(identity.Handle(), inTransaction(tx))
	if err != nil {
		return nil, err
	}
	return &cardProof{
		IssuerKey: b.IssuerKeyID, Serial: b.SerialDigest[:], Kind: fmt.Sprint(identity.Kind()), NotAfter: identity.NotAfter().Unix(),
		Source: fresh.Source, Produced: fresh.ProducedAt.Unix(), At: p.now().Unix(), Handle: handle,
		ACR: identity.ACR(),
	}, nil
}

// returnURI stores an outcome and returns the one-time address where the browser collects it.
func (p *Provider) returnURI(ctx context.Context, r cardReturn) (string, error) {
	code := newSecret()
	b, err := json.Marshal(r)
	if err != nil {
		return "", fmt.Errorf("encode card return: %w", err)
	}
	if err := p.store.Create(ctx, returnKey(code), b, returnLife); err != nil {
		return "", fmt.Errorf("store card return: %w", err)
	}
	path := "/login/return?"
	if r.Pairing != "" {
		path = phonePath + "/return?"
	}
	return p.issuer + path + url.Values{"code": {code}}.Encode(), nil
}

// refuseCard answers the card app with the reason, and with an address for the browser if the login is known.
func (p *Provider) refuseCard(c echo.Context, bound string, err error) error {
	ctx := c.Request().Context()
	var ce *cardauth.Error
	if !errors.As(err, &ce) {
		return err
	}
	word := ce.Reason.String()
	p.figures.cards.Inc(word)
	p.log.InfoContext(ctx, "card response refused", "reason", word, "detail", ce.Detail, "trace", web.Trace(ctx))
	e := audit.Event{Kind: eventCardRefused, Reason: word}
	txID, pairing := splitBound(bound)
	if tx, err := p.transactions.get(ctx, txID); err == nil {
		e.Client = tx.clientID()
	}
	if err := p.recordStranger(ctx, e); err != nil {
		return err
	}
	answer := map[string]string{"error": word, "error_description": "the card response was refused"}
	if bound != "" {
		uri, err := p.returnURI(ctx, cardReturn{Tx: txID, Pairing: pairing, Refused: word})
		if err != nil {
			return err
		}
		answer["return_uri"] = uri
	}
	writeJSON(c.Response(), c.Request(), cardStatus(ce.Reason), answer)
	return nil
}

// takeReturn spends the return code before anything is looked at.
func (p *Provider) takeReturn(c echo.Context) (ret cardReturn, err error) {
	err = p.spendReturn(c.Request().Context(), c.QueryParam("code"), returnKey, returnedKey, &ret)
	return ret, err
}

// spendReturn takes what waits under a return code, once: a code that is brought again is told from one that nobody gave out.
func (p *Provider) spendReturn(ctx context.Context, code string, waiting, spent func(code string) string, into any) error {
	if !isBase64URL(code, 43) {
		return p.refuseReturn(ctx, ReturnUnknown, eventReturnUnknown)
	}
	b, err := p.store.Take(ctx, waiting(code))
	if errors.Is(err, ephemeral.ErrNotFound) {
		if _, err := p.store.Get(ctx, spent(code)); err == nil {
			return p.refuseReturn(ctx, ReturnUsed, eventReturnReused)
		} else if !errors.Is(err, ephemeral.ErrNotFound) {
			return err
		}
		return p.refuseReturn(ctx, ReturnUnknown, eventReturnUnknown)
	}
	if err != nil {
		return fmt.Errorf("take what a card app left: %w", err)
	}
	// A crash between Take and here leaves a code that is unknown instead of used: a different word on the same dead end.
	if err := p.store.Create(ctx, spent(code), []byte{1}, transactionLife); err != nil && !errors.Is(err, ephemeral.ErrExists) {
		return fmt.Errorf("note code as used: %w", err)
	}
	if err := json.Unmarshal(b, into); err != nil {
		return fmt.Errorf("decode what a card app left: %w", err)
	}
	return nil
}

// getLoginReturn is where the browser comes back from the card app. Its code is spent; then the browser has to be the one that started the
// login. Someone lured into signing another's challenge ends here.
func (p *Provider) getLoginReturn(c echo.Context) error {
	ret, err := p.takeReturn(c)
	if err != nil {
		return err
	}
	if ret.Pairing != "" { // a phone's, which has an address of its own
		return p.refuseReturn(c.Request().Context(), ReturnUnknown, eventReturnUnknown)
	}
	tx, err := p.ownTransaction(c, ret.Tx)
	if err != nil {
		return err
	}
	if ret.Refused != "" {
		// The outcome has an address of its own, so that a reload shows it again.
		return c.Redirect(http.StatusSeeOther, "/login/refused?"+url.Values{"tx": {tx.ID}, "reason": {ret.Refused}}.Encode())
	}
	return p.proven(c, tx, ret.Proof)
}

func (p *Provider) refuseReturn(ctx context.Context, reason Reason, kind audit.Kind) error {
	if err := p.recordStranger(ctx, audit.Event{Kind: kind, Reason: reason.String()}); err != nil {
		return err
	}
	return &Error{Reason: reason, Detail: "login return"}
}

// proven goes on with a login whose card is good: into the owner's folder, or to opening one. A second answer, to a challenge that the
// citizen had issued twice, changes nothing.
func (p *Provider) proven(c echo.Context, tx *transaction, proof *cardProof) error {
	ctx := c.Request().Context()
	if tx.State != Authenticating {
		return p.advance(c, tx)
	}
	id, err := p.accounts.byCard(ctx, proof)
	if err == nil || errors.Is(err, errCooling) {
		id, err = p.weigh(ctx, tx, proof, id, err)
	}
	switch {
	case errors.Is(err, errNoAccount):
		return p.provenNobody(c, tx, proof)
	case refusalOf(err) != "":
		return p.refuseProven(c, tx, id, refusalOf(err))
	case err != nil:
		return fmt.Errorf("account of card: %w", err)
	}
	return p.provenOwner(c, tx, proof, id)
}

// What the folder says of a good card that does not open it, in the words of pages and of the audit log.
const (
	cardReplaced = "card_replaced"
	cardWaiting  = "card_waiting"
)

// refusalOf is the word for an error by which a folder says that a card does not open it; empty for another error.
func refusalOf(err error) string {
	switch {
	case errors.Is(err, errReplaced):
		return cardReplaced
	case errors.Is(err, errCooling):
		return cardWaiting
	}
	return ""
}

func (p *Provider) refuseProven(c echo.Context, tx *transaction, id federation.AccountID, word string) error {
	if err := p.record(c.Request().Context(), audit.Event{Kind: eventCardRefused, Account: string(id), Client: tx.clientID(), Reason: word}); err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, "/login/refused?"+url.Values{"tx": {tx.ID}, "reason": {word}}.Encode())
}

// resume sends the browser on after a step that set cookies: the next request proves that they came back.
func (p *Provider) resume(c echo.Context, tx *transaction) error {
	return c.Redirect(http.StatusSeeOther, "/login?"+pageQuery(tx))
}

// getLoginRefused shows why a card was refused and what to do.
func (p *Provider) getLoginRefused(c echo.Context) error {
	tx, err := p.ownTransaction(c, c.QueryParam("tx"))
	if err != nil {
		return err
	}
	word := c.QueryParam("reason")
	status, final := http.StatusForbidden, true
	if word != cardReplaced && word != cardWaiting {
		reason, ok := cardauth.ParseReason(word)
		if !ok {
			return &Error{Reason: NotFound}
		}
		status, final = cardStatus(reason), finalRefusal(reason)
	}
	service, err := p.serviceOf(c, tx)
	if err != nil {
		return err
	}
	p.site.Render(c.Response(), c.Request(), status, web.Page{
		Name: "card-refused", Title: "refused." + word + ".title", Error: word, OpenForm: true,
		Data: refusedView{Tx: tx.ID, Reason: word, Service: service, Final: final, Device: tx.Device != ""},
	})
	return nil
}

// finalRefusal: the same card will be refused again.
func finalRefusal(r cardauth.Reason) bool {
	switch r {
	case cardauth.CertificateIsCA, cardauth.CertificateForSigning, cardauth.CertificateForLogin, cardauth.CertificateProfile, cardauth.CertificateUntrusted,
		cardauth.CertificateExpired, cardauth.CertificateRevoked, cardauth.CertificateMalformed:
		return true
	case cardauth.Malformed, cardauth.ChallengeUnknown, cardauth.ChallengeExpired, cardauth.ChallengeSpent, cardauth.ChallengeMismatch,
		cardauth.ClaimMismatch, cardauth.DocumentMismatch, cardauth.SignatureInvalid, cardauth.CertificateNotYetValid, cardauth.RevocationUnavailable:
	}
	return false
}
