package idp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/cardauth"
	"github.com/tsunagu-id/tsunagu/cardauth/ades"
	"github.com/tsunagu-id/tsunagu/cardauth/jlis"
	"github.com/tsunagu-id/tsunagu/internal/audit"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

// detailSignature is the type of authorization details by which a service asks for a signature over one document.
const detailSignature = "signature"

// wantedDocument returns the document that a request wants signed, or nil.
func (r *authzRequest) wantedDocument() (*ades.Document, error) {
	if r == nil || len(r.Details) == 0 {
		return nil, nil
	}
	var details []detail
	if err := json.Unmarshal(r.Details, &details); err != nil {
		return nil, fmt.Errorf("decode authorization details: %w", err)
	}
	for _, d := range details {
		if d.Type == detailSignature {
			return d.Document, nil
		}
	}
	return nil, nil
}

// grantedDetails are the details of a request with the signature that was made for it (RFC 9396 §7.1).
func (tx *transaction) grantedDetails() (json.RawMessage, error) {
	if tx.Signature == "" {
		return tx.Request.Details, nil
	}
	var details []detail
	if err := json.Unmarshal(tx.Request.Details, &details); err != nil {
		return nil, fmt.Errorf("decode authorization details: %w", err)
	}
	for i := range details {
		if details[i].Type == detailSignature {
			details[i].Identifier = tx.Signature
		}
	}
	return json.Marshal(details)
}

// getSign says once more what is signed, and sends the citizen to the card app.
func (p *Provider) getSign(c echo.Context) error {
	if c.QueryParam("tx") == "" { // from the card app, without a signature on its way
		return c.Redirect(http.StatusSeeOther, "/account")
	}
	tx, document, err := p.signStep(c, c.QueryParam("tx"))
	if err != nil {
		return err
	}
	if document == nil {
		return p.advance(c, tx)
	}
	return p.showSign(c, tx, document, "")
}

// signStep returns a transaction of this browser, and the document if signing it is what has to happen now.
func (p *Provider) signStep(c echo.Context, id string) (*transaction, *ades.Document, error) {
	tx, err := p.ownTransaction(c, id)
	if err != nil {
		return nil, nil, err
	}
	_, _, step, err := p.where(c, tx)
	if err != nil || step != StepSign {
		return tx, nil, err
	}
	document, err := tx.Request.wantedDocument()
	return tx, document, err
}

func (p *Provider) showSign(c echo.Context, tx *transaction, d *ades.Document, reason string) error {
	service, err := p.serviceOf(c, tx)
	if err != nil {
		return err
	}
	v := signView{Tx: tx.ID, Service: service, Facts: p.documentFacts(c.Request(), d)}
	page := web.Page{Name: "sign", Title: "sign.title", TitleArgs: []string{"service", service.Name}, OpenForm: true}
	status := http.StatusOK
	if reason != "" {
		v.Reason = signMessage(reason)
		page.Title, page.Error, status = "sign.refused."+v.Reason+".title", reason, signStatus(reason)
	}
	page.Data = v
	p.site.Render(c.Response(), c.Request(), status, page)
	return nil
}

// documentFacts describe a document; the digest as people compare it.
func (p *Provider) documentFacts(r *http.Request, d *ades.Document) []web.Description {
	say := func(key string, args ...string) string { return p.site.Text(r, key, args...) }
	facts := []web.Description{{Term: say("sign.name"), Values: []string{d.Name}}}
	if d.MediaType != "" {
		facts = append(facts, web.Description{Term: say("sign.kind"), Values: []string{d.MediaType}})
	}
	if d.Size > 0 {
		facts = append(facts, web.Description{Term: say("sign.size"), Values: []string{say("sign.bytes", "n", strconv.FormatInt(d.Size, 10))}})
	}
	return append(facts, web.Description{Term: say("sign.digest"), Values: []string{d.Groups()}})
}

// postSignCard makes a request and sends the browser to the card app with its address.
func (p *Provider) postSignCard(c echo.Context) error {
	ctx := c.Request().Context()
	tx, document, err := p.signStep(c, c.FormValue("tx"))
	if err != nil {
		return err
	}
	if document == nil {
		return p.advance(c, tx)
	}
	if ok, _, err := p.limiter.Allow(ctx, p.loginRate, tx.Browser); err != nil {
		return err
	} else if !ok {
		return &Error{Reason: TooMany, Detail: "signature requests of one browser", Client: tx.clientID()}
	}
	client, err := p.client(ctx, tx.Request.Client)
	if err != nil {
		return err
	}
	to, err := p.askSignature(ctx, tx, cardauth.SignatureAsk{
		ClientID: string(client.ID()), ClientName: client.Name(p.site.Lang(c.Request())), RedirectHost: hostOf(tx.Request.Redirect),
		Purpose: ades.PurposeDocument, Document: document, Page: p.issuer + "/sign?" + url.Values{"tx": {tx.ID}}.Encode(),
	})
	if err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, to)
}

// postSignCancel returns to the service without a signature.
func (p *Provider) postSignCancel(c echo.Context) error {
	tx, document, err := p.signStep(c, c.FormValue("tx"))
	if err != nil {
		return err
	}
	if document == nil {
		return p.advance(c, tx)
	}
	if err := p.recordStranger(c.Request().Context(), audit.Event{Kind: eventCancelled, Client: tx.clientID()}); err != nil {
		return err
	}
	return p.refuse(c, tx, &oauthError{code: "access_denied", description: "the citizen did not sign"})
}

// documentSigned goes on with a login whose document is signed. The one who signed must be the one who is signed in, by the word of the
// authority that issued both certificates; without that word the signature is not given out.
func (p *Provider) documentSigned(c echo.Context, tx *transaction, proof *signerProof) error {
	ctx := c.Request().Context()
	s, _, step, err := p.where(c, tx)
	if err != nil {
		return err
	}
	document, err := tx.Request.wantedDocument()
	if err != nil {
		return err
	}
	if step != StepSign || document == nil || s == nil {
		return p.advance(c, tx) // signed in another tab, or signed out meanwhile
	}
	word, err := p.signerOf(ctx, s, proof)
	if err != nil {
		return err
	}
	if word != "" {
		if err := p.record(ctx, audit.Event{Kind: eventSignatureRefused, Reason: word, Account: string(s.Account), Client: tx.clientID(), Session: s.ID}); err != nil {
			return err
		}
		return p.signRefused(c, tx, word)
	}
	id := newID()
	err = p.signatures.keep(ctx, signatureRecord{ID: id, Account: s.Account, Client: tx.Request.Client}, signatureResult{
		Document: *document, JWS: proof.JWS, CMS: proof.CMS, SignedAt: proof.At, Source: proof.Source, Produced: proof.Produced,
	}, func(ctx context.Context) error {
		return p.record(ctx, audit.Event{Kind: eventSignatureMade, Account: string(s.Account), Client: tx.clientID(), Session: s.ID,
			Facts: map[string]string{"signature": id, "revocation": proof.Source}})
	})
	if err != nil {
		return err
	}
	// A crash before this line leaves a signature that nobody is told of, which expires; the citizen is asked to sign again. Of two that
	// come back at once, in two tabs, one is the login's.
	tx.Signature = id
	if err := p.transactions.save(ctx, tx); err != nil {
		return err
	}
	return p.advance(c, tx)
}

// The words for a signature that is good and not this citizen's, as far as anybody can say.
const (
	signerOther     = "signer_other"     // another person's
	signerUnknown   = "signer_unknown"   // of a card that has not signed in here
	signerUnchecked = "signer_unchecked" // nobody could say
)

// signerOf compares who signed with who is signed in. Empty: one person.
func (p *Provider) signerOf(ctx context.Context, s *session, proof *signerProof) (word string, err error) {
	handle, err := proof.handle()
	if err != nil {
		return "", fmt.Errorf("signature handle: %w", err)
	}
	auth, err := p.cards.AuthOf(ctx, handle)
	if unanswered, ok := errors.AsType[*jlis.Error](err); ok {
		p.log.WarnContext(ctx, "linkage of a signature", "reason", unanswered.Reason.String(), "trace", web.Trace(ctx))
		if unanswered.Reason == jlis.None {
			return signerUnknown, nil
		}
		return signerUnchecked, nil
	}
	if err != nil {
		return "", fmt.Errorf("linkage of a signature: %w", err)
	}
	owner, err := p.accounts.byCard(ctx, &cardProof{IssuerKey: auth.IssuerKeyID, Serial: auth.SerialDigest[:]})
	switch {
	case errors.Is(err, errNoAccount), errors.Is(err, errReplaced), errors.Is(err, errCooling):
		return signerUnknown, nil
	case err != nil:
		return "", fmt.Errorf("account of signer: %w", err)
	case owner != s.Account:
		return signerOther, nil
	}
	return "", nil
}

// signRefused shows the reason at an address of its own, so that a reload shows it again.
func (p *Provider) signRefused(c echo.Context, tx *transaction, reason string) error {
	return c.Redirect(http.StatusSeeOther, "/sign/refused?"+url.Values{"tx": {tx.ID}, "reason": {reason}}.Encode())
}

// getSignRefused shows why there is no signature, and what to do.
func (p *Provider) getSignRefused(c echo.Context) error {
	reason := c.QueryParam("reason")
	if _, ok := cardauth.ParseReason(reason); !ok && reason != signerOther && reason != signerUnknown && reason != signerUnchecked {
		return &Error{Reason: NotFound}
	}
	tx, document, err := p.signStep(c, c.QueryParam("tx"))
	if err != nil {
		return err
	}
	if document == nil {
		return p.advance(c, tx)
	}
	return p.showSign(c, tx, document, reason)
}

// signMessage is the key of the words for a reason. What no citizen can tell apart has one text.
func signMessage(reason string) string {
	switch r, _ := cardauth.ParseReason(reason); r {
	case cardauth.CertificateRevoked, cardauth.CertificateExpired, cardauth.RevocationUnavailable, cardauth.CertificateForLogin:
		return reason
	case cardauth.ChallengeUnknown, cardauth.ChallengeExpired, cardauth.ChallengeSpent:
		return "late"
	case cardauth.Malformed, cardauth.CertificateMalformed, cardauth.CertificateIsCA, cardauth.CertificateForSigning,
		cardauth.CertificateProfile, cardauth.CertificateUntrusted, cardauth.CertificateNotYetValid, cardauth.SignatureInvalid,
		cardauth.ChallengeMismatch, cardauth.ClaimMismatch, cardauth.DocumentMismatch:
		return "other"
	}
	return reason // a word about the signer
}

func signStatus(reason string) int {
	if r, ok := cardauth.ParseReason(reason); ok {
		return cardStatus(r)
	}
	if reason == signerUnchecked {
		return http.StatusServiceUnavailable
	}
	return http.StatusForbidden
}
