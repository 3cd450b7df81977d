package rptest

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// client authenticates a form and returns who sent it. Assertions are good once and for the issuer only.
func (h *Hub) client(r *http.Request) (string, error) {
	if err := r.ParseForm(); err != nil {
		return "", err
	}
	if id, secret, ok := r.BasicAuth(); ok {
		id, err := url.QueryUnescape(id) // RFC 6749 §2.3.1: both halves come form-encoded
		if secret, bad := url.QueryUnescape(secret); err != nil || bad != nil || secret != Secret {
			return "", fmt.Errorf("wrong secret")
		}
		return id, nil
	}
	claims, err := h.keys.Client(r.PostForm.Get("client_assertion"))
	if err != nil {
		return "", err
	}
	id, _ := claims["sub"].(string)
	jti, _ := claims["jti"].(string)
	exp, _ := claims["exp"].(float64)
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case claims["iss"] != id || claims["aud"] != h.URL || r.PostForm.Get("client_id") != id:
		return "", fmt.Errorf("assertion of another client or for another audience")
	case jti == "" || h.jti[jti]:
		return "", fmt.Errorf("assertion used twice")
	case int64(exp) <= h.now().Unix() || int64(exp) > h.now().Add(5*time.Minute).Unix():
		return "", fmt.Errorf("assertion life")
	case r.PostForm.Get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer":
		return "", fmt.Errorf("assertion type")
	}
	h.jti[jti] = true
	return id, nil
}

// Secret is what a client with client_secret_basic has to send: not only letters, so that encoding matters.
const Secret = "s+cret/ü&%"

func (h *Hub) par(w http.ResponseWriter, r *http.Request) {
	id, err := h.client(r)
	if err != nil || r.PostForm.Get("client_id") != id {
		refuse(w, http.StatusUnauthorized, "invalid_client")
		return
	}
	uri := "urn:ietf:params:oauth:request_uri:" + rand.Text()
	h.mu.Lock()
	h.pushed[uri] = maps.Clone(r.PostForm)
	h.mu.Unlock()
	answer(w, http.StatusCreated, map[string]any{"request_uri": uri, "expires_in": 60})
}

// authorize answers for the person at once.
func (h *Hub) authorize(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	q := r.URL.Query()
	if uri := q.Get("request_uri"); uri != "" {
		if len(q) != 2 || h.pushed[uri].Get("client_id") != q.Get("client_id") {
			http.Error(w, "request_uri", http.StatusBadRequest)
			return
		}
		q = h.pushed[uri]
		delete(h.pushed, uri)
	}
	h.lastReq = q
	for _, name := range []string{"state", "nonce", "code_challenge", "redirect_uri", "client_id"} {
		if q.Get(name) == "" {
			http.Error(w, "no "+name, http.StatusBadRequest)
			return
		}
	}
	if q.Get("code_challenge_method") != "S256" || q.Get("response_type") != "code" || !slices.Contains(strings.Fields(q.Get("scope")), "openid") {
		http.Error(w, "malformed", http.StatusBadRequest)
		return
	}
	out := url.Values{"iss": {h.URL}, "state": {q.Get("state")}}
	switch {
	case h.Deny != "":
		out.Set("error", h.Deny)
	case h.Person == "" && q.Get("prompt") == "none":
		out.Set("error", "login_required")
	case h.Person == "":
		http.Error(w, "the hub would ask for the card here", http.StatusOK)
		return
	default:
		code := rand.Text()
		h.codes[code] = grant{
			client: q.Get("client_id"), sub: Sub(h.Person, q.Get("client_id")), nonce: q.Get("nonce"),
			challenge: q.Get("code_challenge"), redirect: q.Get("redirect_uri"), dead: new(bool),
		}
		if asked := q.Get("authorization_details"); asked != "" {
			if err := h.grantDetails(code, asked); err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
		}
		out.Set("code", code)
	}
	if h.Response != nil {
		h.Response(out)
	}
	http.Redirect(w, r, q.Get("redirect_uri")+"?"+out.Encode(), http.StatusSeeOther) //nolint:gosec // a hub for tests registers nobody
}

func (h *Hub) token(w http.ResponseWriter, r *http.Request) {
	id, err := h.client(r)
	if err != nil {
		refuse(w, http.StatusUnauthorized, "invalid_client")
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.DPoP && !h.proved(w, r, "") {
		return
	}
	var g grant
	switch f := r.PostForm; f.Get("grant_type") {
	case "authorization_code":
		var ok bool
		g, ok = h.codes[f.Get("code")]
		delete(h.codes, f.Get("code"))
		sum := sha256.Sum256([]byte(f.Get("code_verifier")))
		if !ok || g.client != id || g.redirect != f.Get("redirect_uri") || base64.RawURLEncoding.EncodeToString(sum[:]) != g.challenge {
			refuse(w, http.StatusBadRequest, "invalid_grant")
			return
		}
	case "refresh_token":
		token := f.Get("refresh_token")
		if old := h.spent[token]; old != nil { // RFC 9700 §4.14.2: reuse ends the grant
			*old.dead = true
		}
		live := h.grants[token]
		if live == nil || live.client != id || *live.dead {
			refuse(w, http.StatusBadRequest, "invalid_grant")
			return
		}
		h.spent[token] = live
		delete(h.grants, token)
		g = *live
	case "client_credentials":
		g = grant{client: id, dead: new(bool)}
		access := rand.Text()
		g.expires = h.now().Add(time.Minute)
		h.access[access] = &g
		answer(w, http.StatusOK, map[string]any{"access_token": access, "token_type": h.tokenType(), "expires_in": 60, "scope": f.Get("scope")})
		return
	default:
		refuse(w, http.StatusBadRequest, "unsupported_grant_type")
		return
	}
	answer(w, http.StatusOK, h.issue(g))
}

// issue makes the tokens of a grant. The caller holds the lock.
func (h *Hub) issue(g grant) map[string]any {
	life := h.AccessLife
	if life == 0 {
		life = 5 * time.Minute
	}
	access, refresh := rand.Text(), rand.Text()
	h.serial++
	g.expires = h.now().Add(life)
	h.access[access], h.grants[refresh] = &g, &g
	sum := sha256.Sum256([]byte(access))
	claims := map[string]any{
		"iss": h.URL, "sub": g.sub, "aud": g.client, "exp": h.now().Add(time.Hour).Unix(), "iat": h.now().Unix(),
		"auth_time": h.now().Unix(), "acr": "phrh", "at_hash": base64.RawURLEncoding.EncodeToString(sum[:16]),
	}
	if g.nonce != "" {
		claims["nonce"] = g.nonce
	}
	if h.Claims != nil {
		h.Claims(claims)
	}
	compact := h.keys.Sign(claims)
	if h.Token != nil {
		compact = h.Token(compact)
	}
	out := map[string]any{
		"access_token": access, "token_type": h.tokenType(), "expires_in": int(life / time.Second),
		"refresh_token": refresh, "id_token": compact,
	}
	if g.details != nil {
		out["authorization_details"] = g.details
	}
	return out
}

func (h *Hub) tokenType() string {
	if h.DPoP {
		return "DPoP"
	}
	return "bearer"
}

func (h *Hub) revoke(w http.ResponseWriter, r *http.Request) {
	id, err := h.client(r)
	if err != nil {
		refuse(w, http.StatusUnauthorized, "invalid_client")
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if g := h.grants[r.PostForm.Get("token")]; g != nil && g.client == id {
		*g.dead = true
	}
	w.WriteHeader(http.StatusOK)
}

// bearer returns the live grant behind a request's token. The caller holds the lock.
func (h *Hub) bearer(r *http.Request) *grant {
	scheme := "Bearer "
	if h.DPoP {
		scheme = "DPoP "
	}
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), scheme)
	if h.DPoP && !h.proved(nil, r, token) {
		return nil
	}
	g := h.access[token]
	if !ok || g == nil || *g.dead || !h.now().Before(g.expires) {
		return nil
	}
	return g
}

func (h *Hub) userinfo(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	g := h.bearer(r)
	if g == nil {
		refuse(w, http.StatusUnauthorized, "invalid_token")
		return
	}
	out := map[string]any{"sub": g.sub}
	if h.Userinfo != nil {
		out = h.Userinfo(g.sub)
	}
	answer(w, http.StatusOK, out)
}

// endSession signs the person out. A token in the address is refused: it would stay in histories and logs.
func (h *Hub) endSession(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if q.Has("id_token_hint") || q.Get("client_id") == "" {
		http.Error(w, "client_id and no token expected", http.StatusBadRequest)
		return
	}
	h.Set(func(s *Settings) { s.Person = "" })
	http.Redirect(w, r, q.Get("post_logout_redirect_uri"), http.StatusSeeOther) //nolint:gosec // a hub for tests registers nobody
}
