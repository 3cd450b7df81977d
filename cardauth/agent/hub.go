package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/tsunagu-id/tsunagu/keys"
)

// Bounds of a conversation with a hub.
const (
	hubTimeout   = 10 * time.Second // one request
	maxDocument  = 64 << 10         // bytes of discovery
	maxAnswer    = 16 << 10         // bytes of any other answer
	keysLife     = 10 * time.Minute // how long fetched keys are believed
	maxReturnURI = 2 << 10          // bytes
)

// hub is a hub the card app trusts: its name, its keys, and the way to it.
type hub struct {
	origin string
	name   string
	host   string
	http   *http.Client
	now    func() time.Time
	date   atomic.Pointer[time.Time] // of its last answer

	lock    lock // guards what follows, also while fetching
	set     keys.PublicSet
	fetch   int // how often the keys were fetched
	fetched time.Time
}

func newHub(i Issuer, client *http.Client, now func() time.Time) (*hub, error) {
	u, err := parseOrigin(i.URL)
	if err != nil {
		return nil, err
	}
	return &hub{origin: i.URL, name: i.Name, host: u.Host, http: client, now: now, lock: newLock()}, nil
}

// loginURL is the hub's page where a login goes on, or starts again.
func (h *hub) loginURL() string { return h.origin + "/login" }

// challenge fetches a challenge and checks who signed it. What a hub says in place of one is a *Refusal.
func (h *hub) challenge(ctx context.Context, from challengeURL) (challenge, error) {
	a, err := h.do(ctx, hubRequest{method: http.MethodGet, address: from.String()}, maxAnswer)
	if err != nil {
		return challenge{}, err
	}
	if a.status != http.StatusOK {
		return challenge{}, h.refusal(a)
	}
	compact := string(a.body)
	if len(compact) > maxChallenge {
		return challenge{}, refuse(ChallengeForged, "the challenge is too long")
	}
	payload, err := h.verify(ctx, compact, from.typ())
	if err != nil {
		return challenge{}, err
	}
	return parseChallenge(payload, compact, from, h.now())
}

// verify checks a JWT with the hub's keys, which are fetched once more if it names a key they do not have: the hub
// may have begun to sign with a new one.
func (h *hub) verify(ctx context.Context, compact, typ string) ([]byte, error) {
	known := 0
	for range 2 {
		set, fetch, err := h.keys(ctx, known)
		if err != nil {
			return nil, err
		}
		v, err := set.Verify(compact, keys.VerifyOptions{Algs: keys.Algs(), Typ: typ})
		if err == nil {
			return v.Payload, nil
		}
		if bad, ok := errors.AsType[*keys.Error](err); !ok || bad.Reason != keys.KeyUnknown {
			return nil, &Error{Reason: ChallengeForged, Err: err}
		}
		known = fetch
	}
	return nil, refuse(ChallengeForged, "no key of the hub")
}

// keys returns the hub's keys, fetched at least after the known-th time, and how often they were fetched by then.
func (h *hub) keys(ctx context.Context, known int) (keys.PublicSet, int, error) {
	if err := h.lock.acquire(ctx); err != nil {
		return keys.PublicSet{}, 0, &Error{Reason: HubUnreachable, Err: err}
	}
	defer h.lock.release()
	if h.fetch > known && h.now().Sub(h.fetched) < keysLife {
		return h.set, h.fetch, nil
	}
	set, err := h.fetchKeys(ctx)
	if err != nil {
		return keys.PublicSet{}, 0, err
	}
	h.set, h.fetched = set, h.now()
	h.fetch++
	return h.set, h.fetch, nil
}

// fetchKeys reads the discovery document, which has to name the hub itself as issuer (OpenID Connect Discovery §4.3),
// and the key set it points to, which has to be on the same origin.
func (h *hub) fetchKeys(ctx context.Context) (keys.PublicSet, error) {
	a, err := h.do(ctx, hubRequest{method: http.MethodGet, address: h.origin + "/.well-known/openid-configuration"}, maxDocument)
	if err != nil {
		return keys.PublicSet{}, err
	}
	var doc struct {
		Issuer  string `json:"issuer"`
		JWKSURI string `json:"jwks_uri"`
	}
	switch err := json.Unmarshal(a.body, &doc); {
	case a.status != http.StatusOK || err != nil:
		return keys.PublicSet{}, refuse(HubUnreachable, "no discovery document")
	case doc.Issuer != h.origin || !h.owns(doc.JWKSURI):
		return keys.PublicSet{}, refuse(HubUnreachable, "the discovery document is of another issuer")
	}
	if a, err = h.do(ctx, hubRequest{method: http.MethodGet, address: doc.JWKSURI}, keys.MaxSetBytes); err != nil {
		return keys.PublicSet{}, err
	}
	if a.status != http.StatusOK {
		return keys.PublicSet{}, refuse(HubUnreachable, "no key set")
	}
	set, err := keys.ParsePublicSet(a.body)
	if err != nil {
		return keys.PublicSet{}, &Error{Reason: HubUnreachable, Detail: "key set", Err: err}
	}
	return set, nil
}

// answered is what a hub makes of a response.
type answered struct {
	returnURI string // where the browser goes next
	removal   string // token to report with that the card was taken out; empty: nobody asked for it
}

// answer hands the hub a response; with watch it says that the card will be watched.
func (h *hub) answer(ctx context.Context, to challengeURL, sealed string, watch bool) (answered, error) {
	req := hubRequest{method: http.MethodPost, address: to.answerTo(), kind: "application/jose", body: sealed} // RFC 7515 §9.2.1
	if strings.HasPrefix(sealed, "{") {
		req.kind = "application/json"
	}
	if watch {
		req.prefer = preferWatch
	}
	a, err := h.do(ctx, req, maxAnswer)
	if err != nil {
		return answered{}, err
	}
	if a.status != http.StatusOK {
		return answered{}, h.refusal(a)
	}
	var ok struct {
		ReturnURI string `json:"return_uri"`
		Removal   string `json:"removal_token"`
	}
	if err := json.Unmarshal(a.body, &ok); err != nil {
		return answered{}, refuse(HubRefused, "the answer is not JSON")
	}
	if !h.owns(ok.ReturnURI) {
		return answered{}, refuse(ReturnRefused, "return_uri is not on the hub's origin")
	}
	if !watch || len(ok.Removal) > maxText || !isBase64URL(ok.Removal) {
		ok.Removal = ""
	}
	return answered{returnURI: ok.ReturnURI, removal: ok.Removal}, nil
}

// refusal reads what a hub said in place of what was asked for: {"error": word, "return_uri": …}. The word decides,
// whatever the status: "status_unknown" may well come as 503.
func (h *hub) refusal(a hubAnswer) error {
	var no struct {
		Error     string `json:"error"`
		ReturnURI string `json:"return_uri"`
	}
	known := json.Unmarshal(a.body, &no) == nil && slices.Contains(refusalWords(), no.Error)
	switch {
	case known && h.owns(no.ReturnURI):
		return &Refusal{Word: no.Error, ReturnURI: no.ReturnURI}
	case known:
		return &Refusal{Word: no.Error}
	case a.status >= http.StatusInternalServerError:
		return refuse(HubUnreachable, "the hub has a problem")
	case a.status == http.StatusNotFound:
		return &Refusal{Word: "challenge_unknown"}
	case a.status == http.StatusTooManyRequests:
		return &Refusal{Word: "too_many"}
	}
	return refuse(HubRefused, "the hub said no")
}

// owns reports whether an address is on the hub's origin. The comparison is of text up to and including the slash
// that ends the authority, so nothing after it can change the host; letters that browsers drop or turn around are
// refused.
func (h *hub) owns(address string) bool {
	if !strings.HasPrefix(address, h.origin+"/") || len(address) > maxReturnURI || strings.Contains(address, `\`) {
		return false
	}
	for i := range len(address) {
		if address[i] <= ' ' || address[i] > '~' {
			return false
		}
	}
	_, err := url.Parse(address)
	return err == nil
}

// hubAnswer is what a hub said.
type hubAnswer struct {
	status int
	body   []byte
}

// dated remembers when the hub said it was (RFC 9110 §6.6.1).
func (h *hub) dated(header http.Header) {
	at, err := http.ParseTime(header.Get("Date"))
	if err != nil {
		at = time.Time{}
	}
	h.date.Store(&at)
}

// lastDate is when the hub's last answer was made, by its own clock; zero if it did not say.
func (h *hub) lastDate() time.Time {
	if at := h.date.Load(); at != nil {
		return *at
	}
	return time.Time{}
}

// hubRequest is one request to a hub.
type hubRequest struct {
	method, address string
	kind, body      string // of a post
	prefer          string // RFC 7240; may be empty
}

// do makes one request. A redirect is an answer like any other, and not the one hoped for.
func (h *hub) do(ctx context.Context, req hubRequest, limit int) (hubAnswer, error) {
	ctx, cancel := context.WithTimeout(ctx, hubTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, req.method, req.address, strings.NewReader(req.body))
	if err != nil {
		return hubAnswer{}, &Error{Reason: Internal, Detail: "request to the hub", Err: err}
	}
	if req.kind != "" {
		r.Header.Set("Content-Type", req.kind)
	}
	if req.prefer != "" {
		r.Header.Set("Prefer", req.prefer)
	}
	r.Header.Set("User-Agent", "tsunagu-cardagent")
	res, err := h.http.Do(r)
	if err != nil {
		return hubAnswer{}, &Error{Reason: HubUnreachable, Err: withoutAddress(err)}
	}
	defer func() { _ = res.Body.Close() }() // everything of use has been read
	h.dated(res.Header)
	b, err := io.ReadAll(io.LimitReader(res.Body, int64(limit)+1))
	switch {
	case err != nil:
		return hubAnswer{}, &Error{Reason: HubUnreachable, Err: withoutAddress(err)}
	case len(b) > limit:
		return hubAnswer{}, refuse(HubUnreachable, "the answer is too long")
	}
	return hubAnswer{status: res.StatusCode, body: bytes.TrimSpace(b)}, nil
}

// withoutAddress keeps a challenge's id out of error texts.
func withoutAddress(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}
