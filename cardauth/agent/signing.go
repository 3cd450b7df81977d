package agent

import (
	"context"
	"encoding/base64"
	"encoding/json"

	"github.com/tsunagu-id/tsunagu/cardauth/ades"
	"github.com/tsunagu-id/tsunagu/cardauth/jpki"
	"github.com/tsunagu-id/tsunagu/internal/audit"
)

// signatureResponse is what the hub gets: the signed statement, and over the document the signature that makes a CMS.
type signatureResponse struct {
	JWS string `json:"jws"`
	CMS string `json:"cms_signature,omitempty"` // base64url
}

// Sign makes one signature without a browser, as Login makes a login: it fetches and checks the request, has the card
// sign what the request names, hands the signature to the hub, and returns the address at which the browser that
// started it has to arrive. It never spends the password's last try (jpki.LastPasswordTry). What is signed is for the
// caller to show beforehand, see Preview.
func (a *Agent) Sign(ctx context.Context, requestURL, card string, password jpki.Password) (returnURI string, err error) {
	return a.signAt(ctx, requestURL, card, password, false)
}

// SignLastTry is Sign for a citizen who was told that one try is left and confirmed that it may be spent.
func (a *Agent) SignLastTry(ctx context.Context, requestURL, card string, password jpki.Password) (returnURI string, err error) {
	return a.signAt(ctx, requestURL, card, password, true)
}

func (a *Agent) signAt(ctx context.Context, requestURL, card string, password jpki.Password, lastTry bool) (string, error) {
	req, err := a.prepareSigning(ctx, requestURL)
	if err != nil {
		return "", err
	}
	return a.answerSigning(ctx, req, card, password, lastTry)
}

// Preview is what a citizen must have seen before she signs.
type Preview struct {
	Hub, Service, Domain string
	Purpose              string         // one of package ades
	Document             *ades.Document // nil: nothing is signed but who she is
	Digest               string         // of the document, hex in groups of four
}

// Preview fetches a request and returns what it asks to be signed.
func (a *Agent) Preview(ctx context.Context, requestURL string) (Preview, error) {
	req, err := a.prepareSigning(ctx, requestURL)
	if err != nil {
		return Preview{}, err
	}
	c := req.challenge
	p := Preview{Hub: req.from.hub.origin, Service: c.clientName, Domain: c.redirectHost, Purpose: c.purpose, Document: c.document}
	if c.document != nil {
		p.Digest = c.document.Groups()
	}
	return p, nil
}

// prepareSigning finds out who asks for a signature, and over what.
func (a *Agent) prepareSigning(ctx context.Context, address string) (*request, error) {
	from, err := findSignature(a.hubs, address)
	if err == nil {
		var c challenge
		if c, err = from.hub.challenge(ctx, from); err == nil {
			return &request{from: from, challenge: c}, nil
		}
	}
	a.failed(ctx, nil, err)
	return nil, err
}

// attemptSigning is what a page with a password is good for.
func (a *Agent) attemptSigning(ctx context.Context, p *page, card, typed string) (string, error) {
	password, err := jpki.ParsePassword(typed)
	if err != nil {
		return "", err
	}
	defer password.Wipe()
	return a.answerSigning(ctx, p.request, card, password, p.lastTry == card)
}

// answerSigning has the card sign and hands the signature to the hub.
func (a *Agent) answerSigning(ctx context.Context, req *request, card string, password jpki.Password, lastTry bool) (string, error) {
	returnURI, err := a.tryDocument(ctx, req, card, password, lastTry)
	if err != nil {
		a.failed(ctx, req, err)
	}
	return returnURI, err
}

func (a *Agent) tryDocument(ctx context.Context, req *request, card string, password jpki.Password, lastTry bool) (string, error) {
	// A try is not spent on a request that the hub would refuse.
	if err := req.challenge.fresh(a.now()); err != nil {
		return "", err
	}
	signed, err := a.signWith(ctx, req, card, password, lastTry)
	if err != nil {
		return "", err
	}
	body, err := json.Marshal(signed)
	if err != nil {
		return "", &Error{Reason: Internal, Detail: "signature", Err: err}
	}
	event := audit.Event{
		Kind: kindSigned, Client: req.challenge.clientID,
		Facts: map[string]string{"hub": req.from.hub.origin, "purpose": req.challenge.purpose},
	}
	if err := a.journal.write(ctx, event); err != nil {
		return "", &Error{Reason: Internal, Detail: "journal", Err: err}
	}
	to, err := req.from.hub.answer(ctx, req.from, string(body), false)
	return to.returnURI, err
}

// signWith has the card sign the two forms, from the request alone: what was fetched is what was shown. One VERIFY
// serves both.
func (a *Agent) signWith(ctx context.Context, req *request, name string, password jpki.Password, lastTry bool) (signatureResponse, error) {
	var out signatureResponse
	err := a.cards.use(ctx, name, func(ctx context.Context, card *jpki.Card) error {
		unlock := card.UnlockSigning
		if lastTry {
			unlock = card.UnlockSigningLastTry
		}
		if err := unlock(ctx, password); err != nil {
			return err
		}
		der, err := card.SigningCertificate(ctx) // behind the password: it names the holder
		if err != nil {
			return err
		}
		at := a.now()
		jws, err := ades.NewJWS(req.statement(), der, at)
		if err != nil {
			return err
		}
		signature, err := card.SignDocument(ctx, jws.Digest())
		if err != nil {
			return err
		}
		out.JWS = jws.Seal(signature)
		if req.challenge.document == nil {
			return nil
		}
		cms, err := ades.NewCMS(req.challenge.document.Sum(), der, at)
		if err != nil {
			return &jpki.Error{Reason: jpki.CardFault, Detail: "signature certificate", Err: err}
		}
		if signature, err = card.SignDocument(ctx, cms.Digest()); err != nil {
			return err
		}
		out.CMS = base64.RawURLEncoding.EncodeToString(signature)
		return nil
	})
	return out, err
}

// statement is what the citizen was shown, as it is signed.
func (r *request) statement() ades.Statement {
	c := r.challenge
	return ades.Statement{
		Audience: r.from.hub.origin, Request: ades.RequestDigest(c.compact), Nonce: c.nonce, Purpose: c.purpose,
		ClientID: c.clientID, RedirectHost: c.redirectHost, Document: c.document,
	}
}

// triesLeft asks a card how often it will still compare. It costs no try.
func triesLeft(ctx context.Context, card *jpki.Card, signing bool) (jpki.Tries, error) {
	if signing {
		return card.SigningTries(ctx)
	}
	return card.AuthPINTries(ctx)
}
