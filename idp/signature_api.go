package idp

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/cardauth/ades"
)

// signatureAnswer is what GET /api/signatures/{id} returns.
type signatureAnswer struct {
	ID         string          `json:"id"`
	Document   ades.Document   `json:"document"`
	SignedAt   int64           `json:"signed_at"` // Unix seconds; the citizen's clock, at most a minute off
	JWS        string          `json:"jws"`
	CMS        []byte          `json:"cms"` // base64 of DER
	Revocation revocationFacts `json:"revocation"`
}

// revocationFacts say how it is known that the certificate was not revoked when it signed.
type revocationFacts struct {
	Source string `json:"source"` // ocsp or crl
	AsOf   int64  `json:"as_of"`  // Unix seconds
}

// getSignature gives a service the one signature that its access token is for: the token's authorization details name it.
func (p *Provider) getSignature(c echo.Context) error {
	w, r, id := c.Response(), c.Request(), c.Param("id")
	held, err := p.bearerHeld(r.Context(), r, demand{})
	if err != nil {
		return p.answerBearer(w, r, err)
	}
	// Whose details do not name it learns nothing of what there is.
	if !namesSignature(held.g.detailsOf(held.a), id) {
		return p.answerBearer(w, r, &bearerError{code: "insufficient_scope", status: http.StatusForbidden, dpop: held.a.JKT != ""})
	}
	result, err := p.signatures.get(r.Context(), id, held.g.Account, held.g.Client)
	if errors.Is(err, errNoSignature) {
		return &oauthError{code: "not_found", description: "the signature has been deleted", status: http.StatusNotFound}
	}
	if err != nil {
		return err
	}
	writeJSON(w, r, http.StatusOK, signatureAnswer{
		ID: id, Document: result.Document, SignedAt: result.SignedAt, JWS: result.JWS, CMS: result.CMS,
		Revocation: revocationFacts{Source: result.Source, AsOf: result.Produced},
	})
	return nil
}

func namesSignature(raw json.RawMessage, id string) bool {
	var details []detail
	if len(raw) == 0 || json.Unmarshal(raw, &details) != nil {
		return false
	}
	for _, d := range details {
		if d.Type == detailSignature && d.Identifier == id {
			return true
		}
	}
	return false
}
