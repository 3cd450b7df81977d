package idp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ory/fosite"
	"github.com/ory/fosite/handler/rfc7523"
	"github.com/ory/fosite/storage"

	"github.com/tsunagu-id/tsunagu/internal/ephemeral"
)

func wiredEngine(t *testing.T) (*fosite.Fosite, engineConfig) {
	t.Helper()
	e := newEngine(&Provider{issuer: "https://hub.example", now: func() time.Time { return time.Unix(1, 0) }})
	cfg, ok := e.fosite.Config.(engineConfig)
	if !ok {
		t.Fatalf("configured by %T", e.fosite.Config)
	}
	return e.fosite, cfg
}

// TestEngineErrorsBecomeOAuthErrors: the engine has words of its own, and quotes the request in its texts. What leaves is a code of the RFCs
// with a text of ours, or an error that is answered as server_error.
func TestEngineErrorsBecomeOAuthErrors(t *testing.T) {
	const quoted = "zq9\r\n\"\\é"
	for e, want := range map[*fosite.RFC6749Error]string{
		fosite.ErrInvalidRequest: "invalid_request", fosite.ErrInvalidState: "invalid_request", fosite.ErrInsufficientEntropy: "invalid_request",
		fosite.ErrInvalidGrant: "invalid_grant", fosite.ErrInactiveToken: "invalid_grant", fosite.ErrNotFound: "invalid_grant",
		fosite.ErrTokenExpired: "invalid_grant", fosite.ErrInvalidTokenFormat: "invalid_grant",
		fosite.ErrInvalidScope: "invalid_scope", fosite.ErrScopeNotGranted: "invalid_scope", fosite.ErrInvalidClient: "invalid_client",
		fosite.ErrUnauthorizedClient: "unauthorized_client", fosite.ErrUnsupportedResponseType: "unsupported_response_type",
		fosite.ErrLoginRequired: "login_required", fosite.ErrConsentRequired: "consent_required", fosite.ErrInteractionRequired: "interaction_required",
		fosite.ErrTemporarilyUnavailable: "temporarily_unavailable",

		fosite.ErrServerError: "", fosite.ErrMisconfiguration: "", fosite.ErrJTIKnown: "", fosite.ErrRequestUnauthorized: "", fosite.ErrRequestForbidden: "",
		fosite.ErrTokenSignatureMismatch: "", fosite.ErrTokenClaim: "", fosite.ErrSerializationFailure: "",
		fosite.ErrUnknownRequest: "", fosite.ErrUnsupportedResponseMode: "", fosite.ErrUnsupportedGrantType: "", fosite.ErrAccessDenied: "",
		fosite.ErrRequestNotSupported: "", fosite.ErrRequestURINotSupported: "", fosite.ErrRegistrationNotSupported: "",
		fosite.ErrInvalidRequestURI: "", fosite.ErrInvalidRequestObject: "",
	} {
		from := fmt.Errorf("wrapped: %w", e.WithHint(quoted).WithDebug(quoted).WithWrap(errors.New(quoted)))
		var o *oauthError
		if !errors.As(engineOAuthError(from), &o) {
			o = &oauthError{}
		}
		if o.code != want || strings.Contains(o.description, "zq9") {
			t.Errorf("%s: %q %q, want %q", e.ErrorField, o.code, o.description, want)
		}
	}
}

// TestEngineConfigIsComplete: some getters of the engine's configuration fill in a missing part when they are first asked, which is a race and
// a default nobody chose. Ours finds nothing missing. The fetcher of client keys is the one that cannot be given, and nothing asks for it.
func TestEngineConfigIsComplete(t *testing.T) {
	_, cfg := wiredEngine(t)
	before := *cfg.Config
	v := reflect.ValueOf(cfg)
	asked := 0
	for i := range v.NumMethod() {
		if name := v.Type().Method(i).Name; name == "GetJWKSFetcherStrategy" || v.Method(i).Type().NumIn() != 1 {
			continue
		}
		asked++
		v.Method(i).Call([]reflect.Value{reflect.ValueOf(context.Background())})
	}
	was, is := reflect.ValueOf(before), reflect.ValueOf(*cfg.Config)
	for i := range was.NumField() {
		if was.Field(i).IsZero() != is.Field(i).IsZero() {
			t.Errorf("%s was filled in when it was asked for", was.Type().Field(i).Name)
		}
	}
	if asked < 40 {
		t.Errorf("asked for %d settings only", asked)
	}
	if urls := cfg.GetTokenURLs(t.Context()); !slices.Equal(urls, []string{"https://hub.example/token"}) {
		t.Errorf("an assertion could be for %q", urls)
	}
	if cfg.SanitationWhiteList != nil || cfg.EnablePKCEPlainChallengeMethod || cfg.SendDebugMessagesToClients || cfg.UseLegacyErrorFormat ||
		cfg.GlobalSecret != nil || cfg.RotatedGlobalSecrets != nil || !cfg.GetEnforcePKCE(t.Context()) {
		t.Errorf("%+v", cfg.Config)
	}
	for _, pair := range [][2]string{{"open", "openid"}, {"OPENID", "openid"}, {"openid.x", "openid"}, {"*", "openid"}} {
		if cfg.ScopeStrategy([]string{pair[0]}, pair[1]) || cfg.ScopeStrategy([]string{pair[1]}, pair[0]) {
			t.Errorf("scope %s is as good as %s", pair[0], pair[1])
		}
	}
	if cfg.AudienceMatchingStrategy([]string{"https://api.example/"}, []string{"https://api.example/more"}) == nil {
		t.Error("an audience is matched by its beginning")
	}
}

// TestEngineRunsOnlyWhatIsWired: no grant, endpoint or client authentication but the ones that were chosen, in the order they depend on.
func TestEngineRunsOnlyWhatIsWired(t *testing.T) {
	f, cfg := wiredEngine(t)
	types := func(handlers any) string {
		var out []string
		v := reflect.ValueOf(handlers)
		for i := range v.Len() {
			out = append(out, fmt.Sprintf("%T", v.Index(i).Interface()))
		}
		return strings.Join(out, " ")
	}
	for got, want := range map[string]string{
		types(cfg.AuthorizeEndpointHandlers): "*oauth2.AuthorizeExplicitGrantHandler *openid.OpenIDConnectExplicitHandler *pkce.Handler",
		types(cfg.TokenEndpointHandlers): "*oauth2.AuthorizeExplicitGrantHandler *oauth2.RefreshTokenGrantHandler *pkce.Handler idp.deviceGrant idp.narrowing" +
			" *openid.OpenIDConnectExplicitHandler *openid.OpenIDConnectRefreshHandler",
		types(cfg.RevocationHandlers) + types(cfg.TokenIntrospectionHandlers) + types(cfg.PushedAuthorizeEndpointHandlers): "",
	} {
		if got != want {
			t.Errorf("wired: %s\nwant:  %s", got, want)
		}
	}
	for _, name := range []string{"password", "client_credentials", "urn:ietf:params:oauth:grant-type:jwt-bearer", "AUTHORIZATION_CODE", ""} {
		r := fosite.NewAccessRequest(&engineSession{})
		r.GrantTypes = fosite.Arguments{name}
		for _, h := range cfg.TokenEndpointHandlers {
			if h.CanHandleTokenEndpointRequest(t.Context(), r) {
				t.Errorf("%T takes grant type %q", h, name)
			}
			if h.CanSkipClientAuth(t.Context(), r) {
				t.Errorf("%T needs no client for grant type %q", h, name)
			}
		}
	}
	for name, is := range map[string]bool{
		"a client the engine reads request objects of": implements[fosite.OpenIDConnectClient](engineClient{}),
		"a store with transactions":                    implements[storage.Transactional](f.Store),
		"a store of pushed requests":                   implements[fosite.PARStorage](f.Store),
		"a store of assertion keys":                    implements[rfc7523.RFC7523KeyStorage](f.Store),
	} {
		if is {
			t.Error(name)
		}
	}
}

func implements[T any](v any) bool { _, ok := v.(T); return ok }

// TestClosedPartsOfTheEngineRefuse: whoever reaches them by a way nobody thought of gets nothing: no comparison of an empty secret with an
// empty digest, no request to a foreign address, no token read by the engine's own rules, nothing outside of a request of ours.
func TestClosedPartsOfTheEngineRefuse(t *testing.T) {
	f, cfg := wiredEngine(t)
	ctx := t.Context()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://hub.example/token", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	store, ok := f.Store.(engineStore)
	if !ok {
		t.Fatalf("%T", f.Store)
	}
	answer, fetched := cfg.HTTPClient.HTTPClient.Do(r)
	if answer != nil {
		t.Error("the engine called a foreign address")
	}
	for name, err := range map[string]error{
		"empty secret":     cfg.ClientSecretsHasher.Compare(ctx, nil, nil),
		"client":           second(cfg.ClientAuthenticationStrategy(ctx, r, url.Values{"client_id": {"app"}})),
		"hint":             second(closedSigner{}.Decode(ctx, "e30.e30.")),
		"foreign address":  fetched,
		"assertion":        store.ClientAssertionJWTValid(ctx, "1"),
		"marked assertion": store.SetClientAssertionJWT(ctx, "1", time.Unix(1, 0)),
		"client by id":     second(store.GetClient(ctx, "app")),
		"code":             second(store.GetAuthorizeCodeSession(ctx, "", nil)),
		"access token":     second(store.GetAccessTokenSession(ctx, "", nil)),
		"refresh token":    second(store.GetRefreshTokenSession(ctx, "", nil)),
		"revocation":       store.RevokeRefreshToken(ctx, "1"),
	} {
		if err == nil {
			t.Errorf("%s: not refused", name)
		}
	}
}

func second[T any](_ T, err error) error { return err }

// countedStore counts how often anything is looked up.
type countedStore struct {
	ephemeral.Store
	lookups int
}

func (s *countedStore) Get(context.Context, string) (ephemeral.Record, error) {
	s.lookups++
	return ephemeral.Record{}, ephemeral.ErrNotFound
}

// TestMalformedTokensAreNotLookedUp: the engine asks its store even for a token that has no signature; ours has an answer without asking
// anybody. A token of one kind is none of another.
func TestMalformedTokensAreNotLookedUp(t *testing.T) {
	count := &countedStore{}
	u := &unit{grants: grants{store: count}}
	ctx, s := withUnit(t.Context(), u), engineStore{now: func() time.Time { return time.Unix(1, 0) }}
	look := map[kind]func(string) error{
		kindCode:    func(sig string) error { return second(s.GetAuthorizeCodeSession(ctx, sig, nil)) },
		kindAccess:  func(sig string) error { return second(s.GetAccessTokenSession(ctx, sig, nil)) },
		kindRefresh: func(sig string) error { return second(s.GetRefreshTokenSession(ctx, sig, nil)) },
	}
	id := newID()
	for k, get := range look {
		good := newToken(k, id)
		bad := []string{"", "x", string(k), good[:len(good)-1], good + "A", "ory_at_" + good, strings.ToUpper(good[:4]) + good[4:], good[:len(good)-1] + "="}
		for other := range look {
			if other != k {
				bad = append(bad, newToken(other, id))
			}
		}
		for _, token := range bad {
			if err := get(engineTokens{}.AccessTokenSignature(ctx, token)); !errors.Is(err, fosite.ErrNotFound) {
				t.Errorf("%s as %s: %v", token, k, err)
			}
		}
		if count.lookups != 0 {
			t.Errorf("%s: %d lookups", k, count.lookups)
		}
		if err := get(signatureOf(good)); !errors.Is(err, fosite.ErrNotFound) || count.lookups != 1 {
			t.Errorf("%s that is well-formed: %v after %d lookups", k, err, count.lookups)
		}
		count.lookups = 0
	}
}

// TestEngineIsToldWhatItHasToBind, and nothing that it would judge again by rules and a clock of its own.
func TestEngineIsToldWhatItHasToBind(t *testing.T) {
	age := int64(0)
	full := &authzRequest{
		Grant: "g", Client: "app", Redirect: "https://app.example/cb", State: "s", Scopes: []string{"openid"}, Nonce: "n", Challenge: strings.Repeat("A", 43),
		Prompt: promptNone, MaxAge: &age, ACR: []string{"phrh"}, Locales: "en", HintSub: "x", Pushed: true, JKT: "k", Mode: modeFormPostJWT,
		Resources: []string{"https://api.example/"}, Details: []byte(`[]`), Claims: &claimsRequest{},
	}
	want := "client_id=app&code_challenge=" + full.Challenge + "&code_challenge_method=S256&nonce=n&redirect_uri=https%3A%2F%2Fapp.example%2Fcb&response_type=code&scope=openid&state=s"
	if got := engineForm(full).Encode(); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}
