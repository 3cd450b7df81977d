package idp

import (
	"context"
	"fmt"
	"net/http"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/federation"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

// newAPI returns the federation's API with this provider's tokens as its authorization.
func (p *Provider) newAPI() (*federation.API, error) {
	api, err := federation.NewAPI(federation.APIDeps{
		Issuer: p.issuer, Links: p.links, Clients: p.clients, Authorize: p.authorizeAPI, Refuse: p.refuseAPI, OnEnd: p.endService, Knows: p.agreed,
	})
	if err != nil {
		return nil, fmt.Errorf("federation api: %w", err)
	}
	return api, nil
}

// agreed says whether a person's consent to a service stands.
func (p *Provider) agreed(ctx context.Context, account federation.AccountID, client clients.ID) (bool, error) {
	c, err := p.accounts.consentFor(ctx, account, client)
	if err != nil {
		return false, fmt.Errorf("read consent: %w", err)
	}
	return c.ID != 0, nil
}

// refuseAPI answers what the federation itself has no answer for.
func (p *Provider) refuseAPI(w http.ResponseWriter, r *http.Request, err error) {
	if err = p.answerBearer(w, r, err); err != nil {
		p.log.ErrorContext(r.Context(), "internal error", "path", r.URL.Path, "err", err, "trace", web.Trace(r.Context()))
		p.writeOAuthError(w, r, &oauthError{code: "server_error", description: "internal error, reference " + web.Trace(r.Context()), status: http.StatusInternalServerError})
	}
}
