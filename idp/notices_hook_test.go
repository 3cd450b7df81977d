package idp_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/tsunagu-id/tsunagu/idp/idptest"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
	"github.com/tsunagu-id/tsunagu/internal/sqldb/sqldbtest"
)

// receiver is a citizen's own program that takes notices.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	status int
	got    []string
	types  []string
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{status: http.StatusAccepted}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		body, _ := io.ReadAll(q.Body)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.got, r.types = append(r.got, string(body)), append(r.types, q.Header.Get("Content-Type"))
		w.WriteHeader(r.status)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) answer(status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status = status
}

func (r *receiver) tokens() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.got...)
}

// eventToken is a Security Event Token as its receiver sees it (RFC 8417 §2.2).
type eventToken struct {
	Issuer   string                     `json:"iss"`
	Audience string                     `json:"aud"`
	ID       string                     `json:"jti"`
	At       int64                      `json:"iat"`
	Subject  *string                    `json:"sub"`
	Expires  *int64                     `json:"exp"`
	Events   map[string]json.RawMessage `json:"events"`
}

// verified reads a token as RFC 8417 §4 asks, with the keys that the hub publishes and a library that is not ours.
func (r *receiver) verified(t *testing.T, h *idptest.Hub, compact string) eventToken {
	t.Helper()
	resp, err := h.Client().Get(h.Issuer + "/jwks")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var set jose.JSONWebKeySet
	if err := json.NewDecoder(resp.Body).Decode(&set); err != nil {
		t.Fatal(err)
	}
	signed, err := jose.ParseSignedCompact(compact, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		t.Fatal(err)
	}
	header := signed.Signatures[0].Header
	if typ := header.ExtraHeaders[jose.HeaderType]; typ != "secevent+jwt" {
		t.Errorf("typ %v", typ)
	}
	keys := set.Key(header.KeyID)
	if len(keys) != 1 {
		t.Fatalf("%d keys named %q", len(keys), header.KeyID)
	}
	payload, err := signed.Verify(keys[0])
	if err != nil {
		t.Fatal(err)
	}
	var out eventToken
	if err := json.Unmarshal(payload, &out); err != nil {
		t.Fatal(err)
	}
	if out.Issuer != h.Issuer || out.Audience != r.URL+"/hook?key=1" || out.ID == "" || out.At == 0 || out.Subject != nil || out.Expires != nil || len(out.Events) != 1 {
		t.Errorf("%s", payload)
	}
	return out
}

// hookNotices are the notices of a token.
func hookNotices(t *testing.T, e eventToken) (kinds []string, notMe string) {
	t.Helper()
	var told struct {
		Count   int `json:"count"`
		Notices []struct {
			Kind  string `json:"kind"`
			NotMe string `json:"not_me_uri"`
			Time  int64  `json:"time"`
		} `json:"notices"`
	}
	if err := json.Unmarshal(e.Events["urn:tsunagu:event:notices"], &told); err != nil || told.Count != len(told.Notices) {
		t.Fatalf("%v: %s", err, e.Events)
	}
	for _, n := range told.Notices {
		kinds = append(kinds, n.Kind)
		if n.NotMe != "" {
			notMe = n.NotMe
		}
	}
	return kinds, notMe
}

// A citizen's own program is told, in tokens that it can verify; one that does not answer well is tried again with the same jti.
func TestNoticesByWebhook(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		r := newReceiver(t)
		c := newClock()
		h := idptest.Start(t, idptest.Options{DB: db, Now: c.now, Own: true, Webhooks: []string{r.Listener.Addr().String()}})
		own := h.Browser(t)
		own.SignIn(own.Get("/account/notices"), "taro")
		wait := func(n int) []string {
			t.Helper()
			eventually(t, func() bool { c.advance(50 * time.Millisecond); return len(r.tokens()) >= n })
			return r.tokens()
		}
		p := own.Post("/account/notices/webhook", url.Values{"address": {r.URL + "/hook?key=1"}, "kind-sign-in": {"yes"}, "lang": {"en"}})
		if !strings.Contains(p.Body, "data-waiting") {
			t.Fatalf("%d %s", p.Status, p.Body)
		}
		first := r.verified(t, h, wait(1)[0])
		var confirm struct {
			URI string `json:"confirm_uri"`
		}
		if err := json.Unmarshal(first.Events["urn:tsunagu:event:notice-address"], &confirm); err != nil || !strings.HasPrefix(confirm.URI, h.Issuer+"/") {
			t.Fatalf("%v: %s", err, first.Events)
		}
		confirmAddress(own, confirm.URI)
		if kinds, _ := hookNotices(t, r.verified(t, h, wait(2)[1])); strings.Join(kinds, " ") != "address" {
			t.Errorf("after the confirmation: %v", kinds)
		}

		r.answer(http.StatusTemporaryRedirect) // is no answer, and is not followed
		stranger := h.Browser(t)
		stranger.SignIn(stranger.Get("/account"), "taro")
		before := r.verified(t, h, wait(3)[2])
		r.answer(http.StatusAccepted)
		c.advance(10 * time.Second)
		after := r.verified(t, h, wait(4)[3])
		if before.ID != after.ID {
			t.Errorf("jti %s, then %s", before.ID, after.ID)
		}
		kinds, notMe := hookNotices(t, after)
		if strings.Join(kinds, " ") != "sign-in" || !strings.HasPrefix(notMe, h.Issuer+"/not-me/") {
			t.Fatalf("%v %s", kinds, notMe)
		}
		h.Browser(t).Post(notMe, nil)
		if p := stranger.Get("/account"); strings.Contains(p.Body, "data-signed-in") {
			t.Error("the stranger is still signed in")
		}
		for _, typ := range r.types {
			if typ != "application/secevent+jwt" {
				t.Errorf("sent as %s", typ)
			}
		}
	})
}

// What citizens enter reaches neither this machine nor a private network, and not what the operator opened to the hub for services.
func TestWebhooksReachNothingPrivate(t *testing.T) {
	inside := newReceiver(t)
	at := inside.Listener.Addr().String()
	h := idptest.Start(t, idptest.Options{Reachable: []string{at}})
	b := h.Browser(t)
	b.SignIn(b.Get("/account/notices"), "taro")
	for _, bad := range []string{
		inside.URL + "/", "https://" + at + "/", "https://127.0.0.1/", "https://localhost/x", "https://[::1]:8443/", "https://10.0.0.1/", "https://192.168.1.1/", "https://169.254.169.254/latest",
		"https://[fd00::1]/", "https://0x7f000001/", "https://2130706433/", "https://127.1/", "https://hub/", "https://[::ffff:127.0.0.1]/",
	} {
		p := b.Post("/account/notices/webhook", url.Values{"address": {bad}, "kind-sign-in": {"yes"}})
		if p.Status != http.StatusUnprocessableEntity || p.Error() != "address_invalid" || !strings.Contains(p.Body, `href="#address"`) || !strings.Contains(p.Body, "インターネットから届く") {
			t.Errorf("%s: %d %s", bad, p.Status, p.Error())
		}
	}
	var letters int
	if err := h.DB.QueryRow(t.Context(), `SELECT count(*) FROM notice_letter`).Scan(&letters); err != nil || letters != 0 {
		t.Errorf("%d letters promised, %v", letters, err)
	}
}
