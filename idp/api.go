package idp

import (
	"fmt"
	"net/http"

	"github.com/tsunagu-id/tsunagu/federation"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

// newAPI returns the federation's API with this provider's tokens as its authorization.
func (p *Provider) newAPI() (*federation.API, error) {
	api, err := federation.NewAPI(federation.APIDeps{
		Issuer: p.issuer, Links: p.links, Clients: p.clients, Authorize: p.authorizeAPI, Refuse: p.refuseAPI, OnEnd: p.endService,
	})
	if err != nil {
		return nil, fmt.Errorf("federation api: %w", err)
	}
	return api, nil
}

// refuseAPI answers what the federation itself has no answer for.
func (p *Provider) refuseAPI(w http.ResponseWriter, r *http.Request, err error) {
	if err = p.answerBearer(w, r, err); err != nil {
		p.log.ErrorContext(r.Context(), "internal error", "path", r.URL.Path, "err", err, "trace", web.Trace(r.Context()))
		p.writeOAuthError(w, r, &oauthError{code: "server_error", description: "internal error, reference " + web.Trace(r.Context()), status: http.StatusInternalServerError})
	}
}
