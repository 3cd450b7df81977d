package rptest

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"time"
)

// Keys signs for the hub and checks for it what clients sign.
type Keys struct {
	JWKS   []byte
	Sign   func(claims map[string]any) string             // a compact JWS
	Client func(assertion string) (map[string]any, error) // the claims of a client assertion with a good signature
}

// Hub is the server. Its exported fields may be changed between requests, with Set.
type Hub struct {
	*httptest.Server
	Settings

	mu      sync.Mutex
	keys    Keys
	now     func() time.Time
	pushed  map[string]url.Values
	codes   map[string]grant
	grants  map[string]*grant // by refresh token
	access  map[string]*grant
	spent   map[string]*grant // refresh tokens used up
	jti     map[string]bool
	links   map[string]Link // sub
	counts  map[string]int
	lastReq url.Values
	serial  int
	signed  map[string]signature // by id
}

// Settings are what a test may decide.
type Settings struct {
	Person     string                          // who is signed in at the hub; empty: nobody
	Deny       string                          // error code in place of a code
	Claims     func(claims map[string]any)     // alters an ID token before it is signed
	Token      func(compact string) string     // alters it afterwards
	Response   func(v url.Values)              // alters the authorization response
	AccessLife time.Duration                   // zero: five minutes
	NoPAR      bool                            // not offered
	DPoP       bool                            // tokens are bound, and proofs need the nonce
	Down       bool                            // every answer is 503
	APIDown    bool                            // the API's answers are
	APIRefuses bool                            // the API takes no token for good
	Services   []map[string]any                // the directory
	Hold       func(endpoint string)           // called before a request is answered, without a lock
	Userinfo   func(sub string) map[string]any // nil: the subject

	// Signature signs for the person: it gets the document that a client asked about, and returns what GET /api/signatures/{id} answers
	// besides the id. Nil: nobody signs.
	Signature func(document json.RawMessage) map[string]any
}

// Link is what the hub knows about a link.
type Link struct {
	State string
	Since time.Time
	Tie   string
}

// grant is what one authorization gave.
type grant struct {
	client, sub, nonce, challenge, redirect string
	expires                                 time.Time
	dead                                    *bool
	details                                 []map[string]any
}

// NewHub starts a hub. Close it.
func NewHub(keys Keys, now func() time.Time) *Hub {
	h := &Hub{
		keys: keys, now: now, pushed: map[string]url.Values{}, codes: map[string]grant{}, grants: map[string]*grant{},
		access: map[string]*grant{}, spent: map[string]*grant{}, jti: map[string]bool{}, links: map[string]Link{}, counts: map[string]int{},
		signed: map[string]signature{},
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", h.discovery)
	mux.HandleFunc("GET /jwks", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, json.RawMessage(keys.JWKS)) })
	mux.HandleFunc("POST /par", h.par)
	mux.HandleFunc("GET /authorize", h.authorize)
	mux.HandleFunc("POST /token", h.token)
	mux.HandleFunc("POST /revoke", h.revoke)
	mux.HandleFunc("GET /userinfo", h.userinfo)
	mux.HandleFunc("GET /end-session", h.endSession)
	mux.HandleFunc("GET /api/link", h.api(h.getLink))
	mux.HandleFunc("PUT /api/link", h.api(h.putLink))
	mux.HandleFunc("DELETE /api/link", h.api(h.deleteLink))
	mux.HandleFunc("DELETE /api/links/{sub}", h.api(h.deleteOwnLink))
	mux.HandleFunc("GET /api/signatures/{id}", h.api(h.getSignature))
	mux.HandleFunc("GET /api/account/services", h.api(h.getServices))
	mux.HandleFunc("POST /api/account/links", h.api(h.postLinks))
	mux.HandleFunc("DELETE /api/account/links/{client}", h.api(h.deleteLinks))
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.mu.Lock()
		h.counts[r.Method+" "+r.URL.Path]++
		down, hold := h.Down, h.Hold
		h.mu.Unlock()
		if hold != nil {
			hold(r.URL.Path)
		}
		if down {
			http.Error(w, "down", http.StatusServiceUnavailable)
			return
		}
		mux.ServeHTTP(w, r)
	}))
	return h
}

// Set changes settings while the hub is running.
func (h *Hub) Set(fn func(*Settings)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	fn(&h.Settings)
}

// Count returns how often an endpoint was asked, such as "POST /token".
func (h *Hub) Count(endpoint string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.counts[endpoint]
}

// LastRequest returns the parameters of the last authorization request, wherever they came.
func (h *Hub) LastRequest() url.Values {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.lastReq
}

// Link returns the link of a person, by the name the service knows them by.
func (h *Hub) Link(sub string) Link {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.links[sub]
}

// SetLink changes it, as the portal or an operator would.
func (h *Hub) SetLink(sub, state string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.links[sub] = Link{State: state, Since: h.now(), Tie: h.links[sub].Tie}
}

// RevokeAll ends every grant, as signing out everywhere does.
func (h *Hub) RevokeAll() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, list := range []map[string]*grant{h.grants, h.access, h.spent} {
		for _, g := range list {
			*g.dead = true
		}
	}
}

// Sub is the name a client knows a person by.
func Sub(person, client string) string { return person + "-at-" + client }

func (h *Hub) discovery(w http.ResponseWriter, _ *http.Request) {
	h.mu.Lock()
	noPAR := h.NoPAR
	h.mu.Unlock()
	doc := map[string]any{
		"issuer": h.URL, "authorization_endpoint": h.URL + "/authorize", "token_endpoint": h.URL + "/token",
		"jwks_uri": h.URL + "/jwks", "revocation_endpoint": h.URL + "/revoke", "end_session_endpoint": h.URL + "/end-session",
		"userinfo_endpoint": h.URL + "/userinfo", "code_challenge_methods_supported": []string{"S256"},
		"id_token_signing_alg_values_supported": []string{"ES256", "RS256"}, "authorization_response_iss_parameter_supported": true,
	}
	if !noPAR {
		doc["pushed_authorization_request_endpoint"] = h.URL + "/par"
	}
	answer(w, http.StatusOK, doc)
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

func refuse(w http.ResponseWriter, status int, code string) {
	answer(w, status, map[string]string{"error": code, "error_description": "said the test hub"})
}
