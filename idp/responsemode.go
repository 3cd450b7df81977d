package idp

import (
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

// responseMode is how the answer to an authorization request travels (OAuth 2.0 Multiple Response Types §2.1, Form Post Response
// Mode §2, JARM §2.3). The zero value is query.
type responseMode string

// The modes. There is none for fragments: only codes are ever answered (JARM §2.3.2, §2.3.4).
const (
	modeQuery       responseMode = ""
	modeFormPost    responseMode = "form_post"
	modeQueryJWT    responseMode = "query.jwt"
	modeFormPostJWT responseMode = "form_post.jwt"
)

// responseModes are the values of response_mode, as the discovery document lists them.
var responseModes = []string{"query", "form_post", "jwt", "query.jwt", "form_post.jwt"}

func (m responseMode) signed() bool { return m == modeQueryJWT || m == modeFormPostJWT }

func (m responseMode) posted() bool { return m == modeFormPost || m == modeFormPostJWT }

// parseResponseMode reads the parameter; jwt means query.jwt where a code is asked for (JARM §2.3.4).
func parseResponseMode(s string) (responseMode, bool) {
	switch s {
	case "", "query":
		return modeQuery, true
	case "form_post":
		return modeFormPost, true
	case "jwt", "query.jwt":
		return modeQueryJWT, true
	case "form_post.jwt":
		return modeFormPostJWT, true
	}
	return modeQuery, false
}

// mayAnswer says whether a client may be answered so. Profile fapi2 is answered by redirects alone, which is what its relying parties and
// their test suites expect.
func mayAnswer(c *clients.Client, m responseMode) bool {
	return c.Profile() != clients.FAPI2 || !m.posted()
}

// responseLife is how long a signed authorization response is good for (JARM §2.1: at most ten minutes). A code does not live as long.
const responseLife = 5 * time.Minute

// sendBack answers the client in the mode it asked for, with iss (RFC 9207, JARM §2.1) and, if the client sent one, state.
func (p *Provider) sendBack(w http.ResponseWriter, r *http.Request, req *authzRequest, params url.Values) {
	params = maps.Clone(params)
	params.Set("iss", p.issuer)
	if req.State != "" {
		params.Set("state", req.State)
	}
	var client *clients.Client
	var err error
	if req.Mode != modeQuery {
		client, err = p.client(r.Context(), req.Client)
	}
	if err == nil && req.Mode.signed() {
		params, err = p.signedResponse(client, params)
	}
	if err != nil {
		p.log.ErrorContext(r.Context(), "authorization response not sent", "client", req.Client, "err", err, "trace", web.Trace(r.Context()))
		reason := Internal
		if shown, ok := errors.AsType[*Error](err); ok { // suspended meanwhile
			reason = shown.Reason
		}
		p.site.FailWith(w, r, reason.status(), reason.String(), web.ErrorView{NextURL: "/help", NextLabelKey: "error.help"})
		return
	}
	if req.Mode.posted() {
		p.postBack(w, r, client, req, params)
		return
	}
	// 303 also after a form: the citizen's data must not be posted on to the service (RFC 9700 §4.12).
	http.Redirect(w, r, appendQuery(req.Redirect, params), http.StatusSeeOther)
}

// signedResponse puts the parameters into a JWT, which is the one parameter left (JARM §2.1).
func (p *Provider) signedResponse(client *clients.Client, params url.Values) (url.Values, error) {
	claims := map[string]any{"aud": string(client.ID()), "exp": p.now().Add(responseLife).Unix()}
	for name := range params {
		claims[name] = params.Get(name)
	}
	token, err := p.keys.Sign(client.AuthorizationResponseAlg(), "JWT", claims)
	return url.Values{"response": {token}}, err
}

// formPostView is the data of form-post.html.
type formPostView struct {
	Service serviceView
	Action  string
	Fields  []formField
}

type formField struct{ Name, Value string }

// postBack shows the page whose form carries the answer (Form Post Response Mode §4). Its script sends the form at once; its button does
// where scripts are off.
func (p *Provider) postBack(w http.ResponseWriter, r *http.Request, client *clients.Client, req *authzRequest, params url.Values) {
	v := formPostView{Service: viewOfService(client, p.site.Lang(r)), Action: req.Redirect}
	for _, name := range slices.Sorted(maps.Keys(params)) {
		v.Fields = append(v.Fields, formField{name, params.Get(name)})
	}
	p.site.Render(w, r, http.StatusOK, web.Page{
		Name: "form-post", Title: "form_post.title", TitleArgs: []string{"service", v.Service.Name}, OpenForm: true, Once: true, Data: v,
	})
}
