package idp

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/keys"
)

// submission is an authorization request as it came in.
type submission struct {
	form   url.Values
	broken error // what readForm said of the form; told to the client once it may be
	pushed bool
	proof  *clients.Proof // by what the client was believed that pushed it
	jkt    string         // thumbprint of the key of the proof that came with it (RFC 9449 §10.1), or ""
}

// draft is an authorization request while it is being judged.
type draft struct {
	submission
	client    *clients.Client
	signed    bool          // form is what the client signed
	object    clients.Proof // by what it was believed that it did
	objectErr *oauthError   // what is wrong with the request object; told to the client once it may be
	out       authzRequest
}

// check judges one thing. Before client and redirect URI are both accepted it returns *Error (shown), afterwards *oauthError
// (may be redirected).
type check func(p *Provider, ctx context.Context, d *draft) error

// checks in the order in which their errors take precedence; checkClient comes before all.
var checks = []check{
	readRequestObject,
	checkRedirectURI,
	readResponseMode,
	checkForm,
	checkRequestObject,
	checkResponseType,
	checkResponseMode,
	checkScope,
	checkPKCE,
	checkLengths,
	checkPrompt,
	checkMaxAge,
	checkACR,
	checkHint,
	checkClaims,
	checkResources,
	checkDetails,
	checkDPoPKey,
}

// judge runs every check over an authorization request, pushed or not.
func (p *Provider) judge(ctx context.Context, s submission) (*authzRequest, *clients.Client, error) {
	d := &draft{submission: s}
	err := checkClient(p, ctx, d)
	if err == nil {
		err = d.pass(p, ctx, checks)
	}
	if d.client == nil || candidateOf(ctx, d.client.ID()) == nil { // a probe is no traffic
		p.noteRequest(d, err)
	}
	if err != nil {
		return &d.out, d.client, err
	}
	d.out.Grant, d.out.Pushed = newID(), s.pushed
	return &d.out, d.client, nil
}

// pass makes checks in their order, and returns what the first one said that refuses.
func (d *draft) pass(p *Provider, ctx context.Context, checks []check) error {
	for _, c := range checks {
		if err := c(p, ctx, d); err != nil {
			return err
		}
	}
	return nil
}

// checkClient: RFC 6749 §4.1.2.1: an unknown client is shown, not redirected.
func checkClient(p *Provider, ctx context.Context, d *draft) error {
	id := d.form.Get("client_id")
	if id == "" || len(d.form["client_id"]) != 1 {
		return &Error{Reason: UnknownClient, Detail: "client_id missing or repeated"}
	}
	c, err := p.client(ctx, clients.ID(id))
	if err != nil {
		return err
	}
	d.client, d.out.Client = c, c.ID()
	return nil
}

// checkRedirectURI: RFC 9700 §2.1: compared byte for byte with what was registered; always required.
func checkRedirectURI(p *Provider, _ context.Context, d *draft) error {
	refused := &Error{Reason: RedirectMismatch, Detail: "redirect_uri missing, repeated or not registered", Client: string(d.client.ID()), Member: "redirect_uris"}
	if d.objectErr != nil { // the parameters to go by were in an object that nobody can believe
		// Not the oauthError itself: inside of an Error it would still be found, and redirected.
		refused.Reason, refused.Detail, refused.Err = BadRequest, "no registered redirect_uri, and "+d.objectErr.description, d.objectErr.err
	}
	if len(d.form["redirect_uri"]) != 1 {
		return refused
	}
	u, err := clients.ParseRedirectURI(d.form.Get("redirect_uri"))
	if err != nil || !d.client.Allows(u) {
		return refused
	}
	if originOf(u.String()) == originOf(p.issuer) { // a form posted here from a page of ours would count as the citizen's
		refused.Detail = "redirect_uri is the hub's own"
		return refused
	}
	d.out.Redirect = u.String()
	if s := d.form["state"]; len(s) == 1 && len(s[0]) <= maxState && visible(s[0]) {
		d.out.State = s[0]
	}
	return nil
}

// readResponseMode comes before whatever may be told to the client, so that it is told in the mode it asked for. A mode that is not
// offered is refused by checkResponseMode, in a query.
func readResponseMode(_ *Provider, _ context.Context, d *draft) error {
	if m, ok := parseResponseMode(d.form.Get("response_mode")); ok && mayAnswer(d.client, m) && len(d.form["response_mode"]) <= 1 {
		d.out.Mode = m
	}
	return nil
}

func checkForm(_ *Provider, _ context.Context, d *draft) error {
	if d.out.State != d.form.Get("state") || len(d.form["state"]) > 1 {
		return invalidRequest("state is repeated, too long, or not visible ASCII (RFC 6749 appendix A.5)")
	}
	var bad *errForm
	if errors.As(d.broken, &bad) {
		return invalidRequest(bad.Error())
	}
	return nil
}

// visible says whether s is VSCHAR only (RFC 6749 appendix A).
func visible(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] > 0x7e {
			return false
		}
	}
	return true
}

func checkResponseType(_ *Provider, _ context.Context, d *draft) error {
	switch d.form.Get("response_type") {
	case "code":
		return nil
	case "":
		return invalidRequest("response_type is missing")
	}
	return &oauthError{code: "unsupported_response_type", description: "only response_type code is supported"}
}

func checkResponseMode(_ *Provider, _ context.Context, d *draft) error {
	switch m, ok := parseResponseMode(d.form.Get("response_mode")); {
	case !ok:
		return invalidRequest("response_mode is none of query, form_post, jwt, query.jwt and form_post.jwt")
	case !mayAnswer(d.client, m):
		return invalidRequest("this client is answered by redirects: query, jwt or query.jwt").of("profile")
	}
	return nil
}

// checkScope drops scopes this hub has never heard of (OIDC Core §3.1.2.1) and refuses those the client is not registered for.
func checkScope(_ *Provider, _ context.Context, d *draft) error {
	words := strings.Fields(d.form.Get("scope"))
	if len(words) > maxScopes {
		return &oauthError{code: "invalid_scope", description: "too many scopes"}
	}
	for _, w := range words {
		if !slices.Contains(knownScopes, w) && w != clients.ScopeAdmin || slices.Contains(d.out.Scopes, w) {
			continue
		}
		if !slices.Contains(d.client.Scopes(), w) {
			return &oauthError{code: "invalid_scope", description: "this client is not registered for one of the scopes", member: "scope"}
		}
		d.out.Scopes = append(d.out.Scopes, w)
	}
	if len(d.out.Scopes) == 0 {
		return &oauthError{code: "invalid_scope", description: "no known scope requested"}
	}
	return nil
}

// checkPKCE: RFC 7636 §4.2, S256 only; a challenge is the base64url of a SHA-256 digest, so exactly 43 characters.
func checkPKCE(_ *Provider, _ context.Context, d *draft) error {
	challenge, method := d.form.Get("code_challenge"), d.form.Get("code_challenge_method")
	switch {
	case challenge == "" && method == "" && !d.client.RequirePKCE():
		return nil
	case challenge == "":
		return invalidRequest("code_challenge is missing (RFC 7636)").of("require_pkce")
	case method != "S256":
		return invalidRequest("code_challenge_method must be S256")
	case !isBase64URL(challenge, 43):
		return invalidRequest("code_challenge must be 43 characters of base64url")
	}
	d.out.Challenge = challenge
	return nil
}

func checkLengths(_ *Provider, _ context.Context, d *draft) error {
	d.out.Nonce = d.form.Get("nonce")
	if len(d.out.Nonce) > maxNonce || !utf8.ValidString(d.out.Nonce) {
		return invalidRequest("nonce is too long or not UTF-8")
	}
	d.out.Locales = d.form.Get("ui_locales")
	if len(d.out.Locales) > maxLocales || len(d.form.Get("claims_locales")) > maxLocales || len(d.form.Get("login_hint")) > 500 {
		return invalidRequest("ui_locales, claims_locales or login_hint is too long")
	}
	if disp := d.form.Get("display"); disp != "" && !slices.Contains([]string{"page", "popup", "touch", "wap"}, disp) {
		return invalidRequest("display has an unknown value")
	}
	return nil
}

func checkPrompt(_ *Provider, _ context.Context, d *draft) error {
	prompt, err := parsePrompt(d.form.Get("prompt"))
	if err != nil {
		return invalidRequest(err.Error())
	}
	d.out.Prompt = prompt
	return nil
}

// maxMaxAge caps max_age at ten years; more cannot matter and would overflow a duration.
const maxMaxAge = 10 * 365 * 24 * 60 * 60

func checkMaxAge(_ *Provider, _ context.Context, d *draft) error {
	if v := d.form.Get("max_age"); v != "" {
		n, err := strconv.ParseUint(v, 10, 63)
		if err != nil {
			return invalidRequest("max_age must be a number of seconds, zero or more")
		}
		age := int64(min(n, maxMaxAge))
		d.out.MaxAge = &age
	} else if age, ok := d.client.DefaultMaxAge(); ok {
		seconds := int64(age.Seconds())
		d.out.MaxAge = &seconds
	}
	return nil
}

func checkACR(_ *Provider, _ context.Context, d *draft) error {
	wanted := strings.Fields(d.form.Get("acr_values"))
	if len(wanted) > maxACRValues {
		return invalidRequest("too many acr_values")
	}
	if len(wanted) == 0 {
		wanted = d.client.ACRValues()
	}
	for _, w := range wanted { // a level nobody has heard of cannot be met, and acr_values is a wish (OIDC Core §3.1.2.1)
		if acrRank[w] > 0 {
			d.out.ACR = append(d.out.ACR, w)
		}
	}
	return nil
}

// checkHint: OIDC Core §3.1.2.1: a hint is a token we issued to this client; it may have expired, and its key may be retired.
func checkHint(p *Provider, _ context.Context, d *draft) error {
	hint := d.form.Get("id_token_hint")
	if hint == "" {
		return nil
	}
	claims, err := p.readHint(hint)
	if err != nil || !claims.Audience.has(string(d.client.ID())) {
		return invalidRequest("id_token_hint was not issued by this provider to this client")
	}
	d.out.HintSub = claims.Subject
	return nil
}

// checkDPoPKey: RFC 9449 §10: the code is bound to the key with this thumbprint.
func checkDPoPKey(_ *Provider, _ context.Context, d *draft) error {
	named := d.form.Get("dpop_jkt")
	if named != "" && !isBase64URL(named, 43) {
		return invalidRequest("dpop_jkt must be a SHA-256 thumbprint in base64url")
	}
	if named != "" && d.jkt != "" && named != d.jkt {
		return &oauthError{code: "invalid_dpop_proof", description: "dpop_jkt is not the key of the proof"}
	}
	d.out.JKT = cmp.Or(named, d.jkt)
	return nil
}

// hintClaims are the claims of an ID token that came back as a hint.
type hintClaims struct {
	Issuer   string   `json:"iss"`
	Subject  string   `json:"sub"`
	Audience audience `json:"aud"`
	SID      string   `json:"sid"`
}

// readHint verifies an ID token of ours whatever its age.
func (p *Provider) readHint(token string) (hintClaims, error) {
	var c hintClaims
	payload, err := p.keys.Verify(token, "JWT", keys.ES256, keys.RS256, keys.PS256, keys.EdDSA)
	if err != nil {
		return c, err
	}
	if err := json.Unmarshal(payload, &c); err != nil {
		return c, err
	}
	if c.Issuer != p.issuer || c.Subject == "" {
		return c, errors.New("hint of another issuer")
	}
	return c, nil
}

// audience is a string or a list of strings (RFC 7519 §4.1.3).
type audience []string

func (a audience) has(s string) bool { return slices.Contains(a, s) }

// UnmarshalJSON accepts both forms.
func (a *audience) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*a = audience{one}
		return nil
	}
	var many []string
	if err := json.Unmarshal(b, &many); err != nil {
		return err
	}
	*a = many
	return nil
}

// knownScopes are the scopes this hub can grant to services. There is one more, which services are not told of: the hub's own programs ask
// for clients.ScopeAdmin (OpenID Connect Discovery §3: a provider need not advertise all).
var knownScopes = []string{
	clients.ScopeOpenID, clients.ScopeOfflineAccess, clients.ScopeProfile, clients.ScopeEmail, clients.ScopeAddress, clients.ScopePhone,
	clients.ScopeLinks, clients.ScopeLink, clients.ScopeExchanges,
}
