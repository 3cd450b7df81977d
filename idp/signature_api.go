package idp

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/cardauth/ades"
	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/internal/audit"
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

// getSignature gives a service a signature: the one that its access token is for, by the token's authorization details; or, with a
// token of its own, any that it asked for and was told the identifier of. The second is for a service that lost the citizen's token
// between the redirect and its database. It reads nothing that was not released to it, with the citizen's consent, before.
func (p *Provider) getSignature(c echo.Context) error {
	ctx, w, r, id := c.Request().Context(), c.Response(), c.Request(), c.Param("id")
	held, err := p.bearerHeld(ctx, r, demand{either: true})
	if err != nil {
		return p.answerBearer(w, r, err)
	}
	own := held.g.Account == ""
	named := namesSignature(held.g.detailsOf(held.a), id)
	if own {
		named = slices.Contains(held.g.scopesOf(held.a), clients.ScopeService)
	}
	// Whose details do not name it learns nothing of what there is.
	if !named {
		return p.answerBearer(w, r, &bearerError{code: "insufficient_scope", status: http.StatusForbidden, dpop: held.a.JKT != ""})
	}
	account, result, err := p.signatures.get(ctx, id, held.g.Client)
	if errors.Is(err, errNoSignature) || err == nil && !own && account != held.g.Account {
		return &oauthError{code: "not_found", description: "the signature has been deleted", status: http.StatusNotFound}
	}
	if err != nil {
		return err
	}
	if own { // without the citizen's token: whoever asks later who fetched it finds it in the log
		if err := p.record(ctx, audit.Event{Kind: eventSignatureFetched, Account: string(account), Client: string(held.g.Client),
			Facts: map[string]string{"signature": id}}); err != nil {
			return err
		}
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
