package idp_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/cardauth"
	"github.com/tsunagu-id/tsunagu/federation"
	"github.com/tsunagu-id/tsunagu/idp"
	"github.com/tsunagu-id/tsunagu/idp/idptest"
)

const (
	earsURI = "https://ears.example/cb"
	caep    = "https://schemas.openid.net/secevent/caep/event-type/"
	risc    = "https://schemas.openid.net/secevent/risc/event-type/"
)

// ears is a service that collects security events by polling, and has no address that the hub could call.
type ears struct {
	t      *testing.T
	h      *idptest.Hub
	token  string
	stream string
	acks   []string
}

func earsClient() map[string]any {
	return confidential("ears", map[string]any{
		"redirect_uris": []string{earsURI}, "grant_types": []string{"authorization_code", "client_credentials"}, "scope": "openid link ssf.read ssf.manage",
	})
}

func newEars(t *testing.T, h *idptest.Hub) *ears {
	t.Helper()
	e := &ears{t: t, h: h}
	e.renew()
	a := h.JSON(t, http.MethodPost, "/api/ssf/streams", e.token, `{}`)
	if e.stream = a.Text("stream_id"); a.Status != http.StatusCreated || e.stream == "" {
		t.Fatalf("%d %s", a.Status, a.Raw)
	}
	return e
}

func (e *ears) renew() {
	e.t.Helper()
	a := e.h.PostForm(e.t, "/token", "ears", idptest.Secret, serviceForm("scope", "ssf.manage"))
	if e.token = a.Text("access_token"); e.token == "" {
		e.t.Fatalf("%d %s", a.Status, a.Raw)
	}
}

func earsRequest(changes ...string) idptest.Request {
	return idptest.NewRequest(append([]string{"client_id", "ears", "redirect_uri", earsURI, "scope", "openid"}, changes...)...)
}

// enters takes a login to the service and returns the ID token's claims.
func (e *ears) enters(b *idptest.Browser, p idptest.Page, r idptest.Request) map[string]any {
	e.t.Helper()
	if p.Body != "" {
		p = b.Finish(p)
	}
	code := p.URL.Query().Get("code")
	tokens := e.h.PostForm(e.t, "/token", "ears", idptest.Secret, idptest.CodeForm(code, r))
	if tokens.Status != http.StatusOK {
		e.t.Fatalf("%s: %d %s", p.URL, tokens.Status, tokens.Raw)
	}
	return idClaims(e.t, tokens.Text("id_token"))
}

// collect polls, acknowledging what came before, and returns the claims of what is new by the type of event.
func (e *ears) collect() map[string][]map[string]any {
	e.t.Helper()
	acks := `"` + strings.Join(e.acks, `","`) + `"`
	if e.acks == nil {
		acks = ""
	}
	a := e.h.JSON(e.t, http.MethodPost, "/api/ssf/poll/"+e.stream, e.token, `{"returnImmediately":true,"ack":[`+acks+`]}`)
	if a.Status != http.StatusOK {
		e.t.Fatalf("%d %s", a.Status, a.Raw)
	}
	e.acks = nil
	out := map[string][]map[string]any{}
	sets, _ := a.JSON["sets"].(map[string]any)
	for jti, set := range sets {
		e.acks = append(e.acks, jti)
		raw, _ := set.(string)
		header, claims := readJWT(e.t, e.h, raw)
		if header["typ"] != "secevent+jwt" || claims["iss"] != e.h.Issuer || claims["aud"] != "ears" || claims["jti"] != jti || claims["sub"] != nil || claims["exp"] != nil {
			e.t.Errorf("%v %v", header, claims)
		}
		events, _ := claims["events"].(map[string]any)
		for name := range events {
			out[name] = append(out[name], claims)
		}
		if len(events) != 1 {
			e.t.Errorf("%v", events)
		}
	}
	return out
}

// event returns the only event of a type, and its subject's name and session.
func (e *ears) event(all map[string][]map[string]any, name string) (members map[string]any, sub, sid string) {
	e.t.Helper()
	if len(all[name]) != 1 {
		e.t.Fatalf("%d events %s among %v", len(all[name]), name, all)
	}
	events, _ := all[name][0]["events"].(map[string]any)
	members, _ = events[name].(map[string]any)
	id, _ := all[name][0]["sub_id"].(map[string]any)
	if id["format"] == "complex" {
		session, _ := id["session"].(map[string]any)
		sid, _ = session["id"].(string)
		id, _ = id["user"].(map[string]any)
	}
	if id["format"] != "iss_sub" || id["iss"] != e.h.Issuer {
		e.t.Errorf("%v", id)
	}
	sub, _ = id["sub"].(string)
	return members, sub, sid
}

// A service hears of what happens to its people, by the names in their ID tokens, and of nobody else; who signs out reads that the
// service collects the news, and then that it did.
func TestSignalsFollowWhatHappens(t *testing.T) {
	c := newClock()
	h := idptest.Start(t, idptest.Options{Now: c.now, Domain: true, Clients: []map[string]any{earsClient()}})
	e := newEars(t, h)
	b, d := h.Browser(t), h.Authenticator()
	r := earsRequest()
	taro := e.enters(b, b.SignIn(b.Get(r.Path()), "taro"), r)
	h.WithPasskey(t, "hanako") // who has never been there
	if got := e.collect(); len(got) != 0 {
		t.Errorf("before anything happened: %v", got)
	}

	b.AddPasskey(d, "試験の端末")
	members, sub, sid := e.event(e.collect(), caep+"credential-change")
	if sub != taro["sub"] || sid != "" || members["change_type"] != "create" || members["credential_type"] != "fido2-roaming" || members["event_timestamp"] != float64(c.now().Unix()) {
		t.Errorf("%v of %s", members, sub)
	}

	other, r := h.Browser(t), earsRequest()
	low := e.enters(other, other.PasskeyLogin(other.Get(r.Path()), d), r)
	if got := e.collect(); len(got) != 0 {
		t.Errorf("a sign-in by itself: %v", got)
	}
	r = earsRequest("acr_values", "phrh")
	high := e.enters(other, other.SignIn(other.Get(r.Path()), "taro"), r)
	members, sub, sid = e.event(e.collect(), caep+"assurance-level-change")
	if sub != taro["sub"] || sid != low["sid"] || low["sid"] != high["sid"] || members["previous_level"] != "phr" || members["current_level"] != "phrh" ||
		members["change_direction"] != "increase" || members["namespace"] != h.Issuer {
		t.Errorf("%v of %s %s", members, sub, sid)
	}

	id := passkeyID(t, b.Get("/account/passkeys"))
	b.Post("/account/passkeys/"+id+"/remove", url.Values{})
	members, _, _ = e.event(e.collect(), caep+"credential-change")
	if members["change_type"] != "delete" || members["initiating_entity"] != "user" {
		t.Errorf("%v", members)
	}

	c.advance(time.Minute)
	page := b.Post("/account/sign-out-everywhere", url.Values{})
	if page.URL.Path != "/signed-out" || !strings.Contains(page.Body, `data-service="ears" data-state="collects"`) {
		t.Errorf("%s: %s", page.URL, page.Body)
	}
	members, sub, sid = e.event(e.collect(), caep+"session-revoked")
	if sub != taro["sub"] || sid != "" || members["initiating_entity"] != "user" {
		t.Errorf("%v of %s %s", members, sub, sid)
	}
	e.collect() // acknowledges
	if page := b.Get(page.URL.String()); !strings.Contains(page.Body, `data-service="ears" data-state="confirmed"`) {
		t.Errorf("%s: %s", page.URL, page.Body)
	}
	e.want404()
}

// want404: what another client's token says of the stream.
func (e *ears) want404() {
	e.t.Helper()
	if a := e.h.Bearer(e.t, http.MethodGet, "/api/ssf/streams?stream_id="+e.stream, "tsa_forged"); a.Status != http.StatusUnauthorized {
		e.t.Errorf("a forged token: %d", a.Status)
	}
	if a := e.h.Bearer(e.t, http.MethodGet, "/api/ssf/streams?stream_id=other", e.token); a.Status != http.StatusNotFound {
		e.t.Errorf("another stream: %d", a.Status)
	}
}

// A card that is revoked ends sessions, and nothing opens the folder any more: the service hears all of it, once.
func TestRevokedCardReachesStreams(t *testing.T) {
	h := idptest.Start(t, idptest.Options{Own: true, Recheck: idp.Recheck{Every: quickly}, Clients: []map[string]any{earsClient()}})
	e := newEars(t, h)
	b, r := h.Browser(t), earsRequest()
	taro := e.enters(b, b.SignIn(b.Get(r.Path()), "taro"), r)
	revoke(t, h, "taro", cardauth.KeyCompromise)
	within(t, 5*quickly, "signed out", func() bool { return !knownToHub(b) })
	all := e.collect()
	if len(all) != 3 {
		t.Errorf("%v", all)
	}
	members, sub, _ := e.event(all, caep+"credential-change")
	if sub != taro["sub"] || members["credential_type"] != "x509" || members["change_type"] != "revoke" || members["initiating_entity"] != "system" {
		t.Errorf("%v of %s", members, sub)
	}
	if _, sub, _ := e.event(all, risc+"account-disabled"); sub != taro["sub"] {
		t.Errorf("%s", sub)
	}
	if _, sub, _ := e.event(all, caep+"session-revoked"); sub != taro["sub"] {
		t.Errorf("%s", sub)
	}
	// Whoever compares the events of one service sees one occurrence.
	if a, b := all[caep+"credential-change"][0], all[risc+"account-disabled"][0]; a["toe"] != b["toe"] {
		t.Errorf("%v and %v", a, b)
	}
}

// The end of a link reaches the service's stream with who ended it and why, unless it did so itself.
func TestEndOfALinkReachesTheStream(t *testing.T) {
	h := idptest.Start(t, idptest.Options{Clients: []map[string]any{earsClient()}})
	e := newEars(t, h)
	b, r := h.Browser(t), earsRequest()
	taro := e.enters(b, b.SignIn(b.Get(r.Path()), "taro"), r)
	var account federation.AccountID
	if err := h.DB.QueryRow(t.Context(), `SELECT account FROM consent WHERE client = 'ears'`).Scan(&account); err != nil {
		t.Fatal(err)
	}
	for _, by := range []federation.Actor{federation.ByService, federation.ByCitizen} {
		if _, err := h.Links.Confirm(t.Context(), account, "ears", "tie of "+string(by)); err != nil {
			t.Fatal(err)
		}
		if _, err := h.Links.End(t.Context(), account, "ears", by, federation.WhyAccessRevoked); err != nil {
			t.Fatal(err)
		}
	}
	members, sub, _ := e.event(e.collect(), "urn:tsunagu:event:link-ended")
	if sub != taro["sub"] || members["by"] != "citizen" || members["why"] != string(federation.WhyAccessRevoked) {
		t.Errorf("%v of %s", members, sub)
	}
}

// The document tells where everything is, and that everything is there.
func TestSSFConfiguration(t *testing.T) {
	h := idptest.Start(t, idptest.Options{Clients: []map[string]any{earsClient()}})
	a := h.Bearer(t, http.MethodGet, "/.well-known/ssf-configuration", "")
	if a.Status != http.StatusOK || a.Header.Get("Content-Type") != "application/json" || a.Text("issuer") != h.Issuer || a.Text("spec_version") != "1_0" || a.Text("default_subjects") != "ALL" {
		t.Errorf("%d %s", a.Status, a.Raw)
	}
	if got := list(a.JSON["delivery_methods_supported"]); !slices.Equal(got, []string{"urn:ietf:rfc:8935", "urn:ietf:rfc:8936"}) {
		t.Errorf("%v", got)
	}
	e := newEars(t, h)
	for name, want := range map[string]int{
		"configuration_endpoint": http.StatusOK, "status_endpoint": http.StatusOK, "jwks_uri": http.StatusOK,
		"add_subject_endpoint": http.StatusMethodNotAllowed, "remove_subject_endpoint": http.StatusMethodNotAllowed, "verification_endpoint": http.StatusMethodNotAllowed,
	} {
		path, ok := strings.CutPrefix(a.Text(name), h.Issuer)
		if got := h.Bearer(t, http.MethodGet, path+"?stream_id="+e.stream, e.token); !ok || got.Status != want {
			t.Errorf("%s: %d %s", name, got.Status, got.Raw)
		}
	}
	// A citizen's token, and a client's that was got for something else, open nothing.
	r := earsRequest("scope", "openid link")
	b := h.Browser(t)
	code := b.Finish(b.SignIn(b.Get(r.Path()), "taro")).URL.Query().Get("code")
	citizen := h.PostForm(t, "/token", "ears", idptest.Secret, idptest.CodeForm(code, r)).Text("access_token")
	read := h.PostForm(t, "/token", "ears", idptest.Secret, serviceForm("scope", "ssf.read")).Text("access_token")
	for _, call := range []struct {
		method, path, token string
		want                int
	}{
		{http.MethodGet, "/api/ssf/streams", citizen, http.StatusForbidden}, {http.MethodGet, "/api/ssf/streams", read, http.StatusOK},
		{http.MethodDelete, "/api/ssf/streams?stream_id=" + e.stream, read, http.StatusForbidden}, {http.MethodGet, "/api/ssf/streams", "", http.StatusUnauthorized},
	} {
		if got := h.Bearer(t, call.method, call.path, call.token); got.Status != call.want {
			t.Errorf("%s %s: %d %s", call.method, call.path, got.Status, got.Raw)
		}
	}
}
