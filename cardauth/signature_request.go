package cardauth

import (
	"context"
	"fmt"
	"time"

	"github.com/tsunagu-id/tsunagu/cardauth/ades"
)

// signatureRequestType keeps what a card is asked to sign for good apart from
// what it signs to log in.
const signatureRequestType = "signature-request+jwt"

// signatureLife is longer than a challenge's: there is something to read, and
// a long password to type.
const signatureLife = 5 * time.Minute

// SignatureRequests issues requests for signatures and lets each be answered
// once, as [Challenges] does for logins.
type SignatureRequests struct{ c *Challenges }

// NewSignatureRequests returns the requests of one issuer. A zero Life means
// five minutes.
func NewSignatureRequests(d Deps) *SignatureRequests {
	if d.Life == 0 {
		d.Life = signatureLife
	}
	return &SignatureRequests{newChallenges(d, signatureRequestType, "signature-request:1:")}
}

// SignatureAsk is what a citizen is asked to sign.
type SignatureAsk struct {
	ClientID     string // empty for the hub's own pages
	ClientName   string // shown by the card app
	RedirectHost string // where the citizen goes afterwards; shown too
	Purpose      string // one of package ades
	Document     *ades.Document
	Page         string // the hub's page that the card app goes back to when the citizen stops
	Bound        string // the caller's; given back, never sent out
}

// Issue makes a request and returns its id, which is no secret.
func (s *SignatureRequests) Issue(ctx context.Context, a SignatureAsk) (string, error) {
	switch {
	case a.Purpose == ades.PurposeDocument && a.Document != nil:
		if err := a.Document.Check(); err != nil {
			return "", fmt.Errorf("document: %w", err)
		}
	case (a.Purpose == ades.PurposeRelink || a.Purpose == ades.PurposeAttributes) && a.Document == nil:
	default:
		return "", fmt.Errorf("purpose %q does not go with what is signed", a.Purpose)
	}
	r := Request{ClientID: a.ClientID, ClientName: a.ClientName, RedirectHost: a.RedirectHost, Bound: a.Bound}
	return s.c.issue(ctx, r, signing{purpose: a.Purpose, document: a.Document, page: a.Page})
}

// JWT returns the request to show and to answer, the same bytes every time.
func (s *SignatureRequests) JWT(ctx context.Context, id string) (string, error) {
	return s.c.JWT(ctx, id)
}

// statement is what an answer to a request must say.
func (rec record) statement(issuer string) ades.Statement {
	return ades.Statement{
		Audience: issuer, Request: ades.RequestDigest(rec.JWT), Nonce: rec.Nonce, Purpose: rec.Purpose,
		ClientID: rec.ClientID, RedirectHost: rec.RedirectHost, Document: rec.Document,
	}
}

// compareSigned judges a signed statement against the request it answers.
func (rec record) compareSigned(issuer string, got ades.Statement) error {
	want := rec.statement(issuer)
	switch {
	case !same(got.Nonce, want.Nonce):
		return refuse(ChallengeMismatch, "nonce")
	case !same(got.Request, want.Request):
		return refuse(ChallengeMismatch, "request")
	case (got.Document == nil) != (want.Document == nil):
		return refuse(DocumentMismatch, "a document or none")
	case got.Document != nil && *got.Document != *want.Document:
		return refuse(DocumentMismatch, "another document")
	case got.Audience != want.Audience:
		return refuse(ClaimMismatch, "aud")
	case got.Purpose != want.Purpose:
		return refuse(ClaimMismatch, "purpose")
	case got.ClientID != want.ClientID:
		return refuse(ClaimMismatch, "client_id")
	case got.RedirectHost != want.RedirectHost:
		return refuse(ClaimMismatch, "redirect_host")
	}
	return nil
}
