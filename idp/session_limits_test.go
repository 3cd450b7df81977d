package idp_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/idp"
	"github.com/tsunagu-id/tsunagu/idp/idptest"
	"github.com/tsunagu-id/tsunagu/internal/ephemeral/ephemeraltest"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
	"github.com/tsunagu-id/tsunagu/internal/sqldb/sqldbtest"
)

const (
	ruledID  = "ruled"
	ruledURI = "https://ruled.example/callback"
)

// ruledClient is a public client with rules of its own.
func ruledClient(rules map[string]any) map[string]any {
	c := map[string]any{
		"client_id": ruledID, "client_name": "決まりのあるサービス", "operator": "決まりの運営者", "redirect_uris": []string{ruledURI},
		"scope": "openid offline_access", "token_endpoint_auth_method": "none", "grant_types": []string{"authorization_code", "refresh_token"},
	}
	for k, v := range rules {
		c[k] = v
	}
	return c
}

func ruledRequest(more ...string) idptest.Request {
	return idptest.NewRequest(append([]string{"client_id", ruledID, "redirect_uri", ruledURI}, more...)...)
}

// silently answers what prompt=none does: "" for a code, else the error.
func silently(b *idptest.Browser, r idptest.Request) string {
	r.Params.Set("prompt", "none")
	q := b.Get(r.Path()).URL.Query()
	if q.Get("code") != "" {
		return ""
	}
	return q.Get("error")
}

// TestSessionEndsByConfiguration: unused for as long as the configuration says, or as old, a session is over, and the login page says so.
func TestSessionEndsByConfiguration(t *testing.T) {
	c := newClock()
	h := idptest.Start(t, idptest.Options{Now: c.now, Session: idp.SessionRules{Idle: 5 * time.Minute, Absolute: time.Hour}})
	b := atHome(t, h, "taro")
	for range 14 {
		c.advance(4 * time.Minute)
		if !knownToHub(b) {
			t.Fatal("over although it is used")
		}
	}
	c.advance(4 * time.Minute)
	if knownToHub(b) {
		t.Error("older than a session gets")
	}
	b = atHome(t, h, "taro")
	c.advance(5*time.Minute + 2*time.Second)
	p := b.Get("/account")
	if p.URL.Path != "/login" || !strings.Contains(p.Body, `data-notice="over"`) {
		t.Errorf("unused for too long: %s", p.URL)
	}
}

// TestServiceTakesOnlyYoungSessions: a service that registered shorter limits is not entered with an older session, which goes on being good
// for others; and what it got lives no longer.
func TestServiceTakesOnlyYoungSessions(t *testing.T) {
	c := newClock()
	h := idptest.Start(t, idptest.Options{Now: c.now, Clients: []map[string]any{ruledClient(map[string]any{"session_idle": 120, "session_absolute": 600})}})
	b := h.Browser(t)
	h.Code(t, b, idptest.NewRequest(), "taro")
	r := ruledRequest("prompt", "consent")
	a := h.PostForm(t, "/token", ruledID, "", idptest.CodeForm(h.Code(t, b, r, "taro"), r))
	if a.Status != http.StatusOK || a.JSON["expires_in"].(float64) > 120 {
		t.Fatalf("%d %s", a.Status, a.Raw)
	}
	if e := silently(b, ruledRequest()); e != "" {
		t.Errorf("just used: %s", e)
	}
	idle := a.Text("refresh_token")
	c.advance(121 * time.Second)
	if e := silently(b, ruledRequest()); e != "login_required" {
		t.Errorf("unused for two minutes: %q", e)
	}
	if again := h.PostForm(t, "/token", ruledID, "", idptest.RefreshForm(idle)); again.Text("error") != "invalid_grant" {
		t.Errorf("a refresh token that was unused for two minutes: %d %s", again.Status, again.Raw)
	}
	if e := silently(b, idptest.NewRequest()); e != "" {
		t.Errorf("another service: %s", e)
	}
	r = ruledRequest()
	if p := b.Get(r.Path()); p.URL.Path != "/login" || strings.Contains(p.Body, `data-notice="limit"`) {
		// the other service's visit just now was a use, so that this one is no longer idle
		if p.URL.Query().Get("code") == "" {
			t.Errorf("after another use: %s", p.URL)
		}
	}
	r = ruledRequest("prompt", "login")
	a = h.PostForm(t, "/token", ruledID, "", idptest.CodeForm(h.Code(t, b, r, "taro"), r))
	for range 5 {
		c.advance(100 * time.Second)
		a = h.PostForm(t, "/token", ruledID, "", idptest.RefreshForm(a.Text("refresh_token")))
		if a.Status != http.StatusOK {
			t.Fatalf("refreshed in time: %d %s", a.Status, a.Raw)
		}
		knownToHub(b) // goes on being used
	}
	c.advance(101 * time.Second)
	if a = h.PostForm(t, "/token", ruledID, "", idptest.RefreshForm(a.Text("refresh_token"))); a.Text("error") != "invalid_grant" {
		t.Errorf("older than the service lets it get: %d %s", a.Status, a.Raw)
	}
	knownToHub(b)
	if p := b.Get(ruledRequest().Path()); p.URL.Path != "/login" || !strings.Contains(p.Body, `data-notice="limit"`) {
		t.Errorf("a login that is too old: %s", p.URL)
	}
}

// TestExpiredSessionsAreTold: services hear of a session that ended by itself, once however many processes look, and not of one that was
// used, or was signed out and told before.
func TestExpiredSessionsAreTold(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		c := newClock()
		h := idptest.Start(t, idptest.Options{DB: db, Now: c.now, Session: idp.SessionRules{Tell: 20 * time.Millisecond}})
		unused, used, out := h.Browser(t), h.Browser(t), h.Browser(t)
		for _, b := range []*idptest.Browser{unused, used, out} {
			h.Code(t, b, idptest.NewRequest(), "taro")
			h.Code(t, b, idptest.NewRequest("client_id", idptest.OtherID, "redirect_uri", idptest.OtherURI), "taro")
		}
		signOut(t, out, "/end-session")
		c.advance(20 * time.Minute)
		if !knownToHub(used) {
			t.Fatal("over too early")
		}
		c.advance(11 * time.Minute)
		for range 3 {
			h.Process(t)
		}
		told := func() int { return counted(t, db, `SELECT COUNT(*) FROM logout_delivery WHERE reason = 'expired'`) }
		within(t, soon, "told", func() bool { return told() > 0 })
		time.Sleep(200 * time.Millisecond) // ten looks of each process
		if n := told(); n != 2 {
			t.Errorf("%d notices for one session with two services", n)
		}
		audited(t, h, "session.ended", "expired")
		if n := counted(t, db, `SELECT COUNT(*) FROM audit_event WHERE kind = 'session.ended' AND reason = 'expired'`); n != 1 {
			t.Errorf("%d audit rows", n)
		}
		if !knownToHub(used) || knownToHub(unused) {
			t.Error("the wrong session is over")
		}
		if n := counted(t, db, `SELECT COUNT(*) FROM session_service`); n != 2 {
			t.Errorf("%d services wait to be told; the session that goes on has two", n)
		}
	})
}

// TestToldSessionDoesNotComeBackWithTheClock: a session whose services heard that it is over stays over when the clock is set right again. The
// store has a clock of its own, as Redis has.
func TestToldSessionDoesNotComeBackWithTheClock(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		c := newClock()
		h := idptest.Start(t, idptest.Options{DB: db, Transient: ephemeraltest.Open(t), Now: c.now, Session: idp.SessionRules{Tell: 20 * time.Millisecond}})
		b := h.Browser(t)
		h.Code(t, b, idptest.NewRequest(), "taro")
		c.advance(31 * time.Minute)
		h.Process(t)
		within(t, soon, "told", func() bool {
			return counted(t, db, `SELECT COUNT(*) FROM logout_delivery WHERE reason = 'expired'`) == 1
		})
		c.advance(-31 * time.Minute)
		if knownToHub(b) {
			t.Error("the hub goes on with a session that services were told is over")
		}
	})
}

// TestOldestSessionIsEndedAndTold: more sessions than there may be end the oldest, whose services are told and whose browser hears why.
func TestOldestSessionIsEndedAndTold(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	first := h.Browser(t)
	h.Code(t, first, idptest.NewRequest(), "taro")
	var last *idptest.Browser
	for range 30 {
		last = atHome(t, h, "taro")
	}
	if p := first.Get("/account"); p.URL.Path != "/login" || !strings.Contains(p.Body, `data-notice="too-many"`) {
		t.Errorf("the oldest: %s", p.URL)
	}
	if n := counted(t, h.DB, `SELECT COUNT(*) FROM logout_delivery WHERE reason = 'too-many'`); n != 1 {
		t.Errorf("%d notices", n)
	}
	audited(t, h, "session.ended", "too-many")
	if p := last.Get("/account/devices"); strings.Count(p.Body, "data-session=") != 10 || !strings.Contains(p.Body, `id="devices-after"`) {
		t.Errorf("%d sessions on the first page", strings.Count(p.Body, "data-session="))
	}
	seen := 0
	for _, page := range []string{"1", "2", "3"} {
		seen += strings.Count(last.Get("/account/devices?page="+page).Body, "data-session=")
	}
	if seen != 30 {
		t.Errorf("%d sessions in all", seen)
	}
	for _, odd := range []string{"4", "-1", "x", "99999999999999999999"} {
		if p := last.Get("/account/devices?page=" + odd); p.Status != http.StatusOK || !strings.Contains(p.Body, "data-session=") {
			t.Errorf("page %s: %d", odd, p.Status)
		}
	}
}

// TestServiceThatMakesRoomIsTold: a session names a hundred services at most; the one that goes for the next is told, and dead in it.
func TestServiceThatMakesRoomIsTold(t *testing.T) {
	o := idptest.Options{}
	at := func(i int) (id, uri string) {
		id = fmt.Sprintf("many-%d", i)
		return id, "https://" + id + ".example/callback"
	}
	for i := range 101 {
		id, uri := at(i)
		o.Clients = append(o.Clients, map[string]any{
			"client_id": id, "client_name": id, "operator": "多くの運営者", "redirect_uris": []string{uri}, "scope": "openid", "token_endpoint_auth_method": "none",
		})
	}
	h := idptest.Start(t, o)
	b := atHome(t, h, "taro")
	enter := func(i int) {
		id, uri := at(i)
		if p := b.Finish(b.Get(idptest.NewRequest("client_id", id, "redirect_uri", uri, "scope", "openid").Path())); p.URL.Query().Get("code") == "" {
			t.Fatalf("%s: %d %s", id, p.Status, p.URL)
		}
	}
	for i := range 100 {
		enter(i)
	}
	enter(3) // again
	if n := counted(t, h.DB, `SELECT COUNT(*) FROM logout_delivery`); n != 0 {
		t.Errorf("%d told while there was room", n)
	}
	enter(100)
	if n := counted(t, h.DB, `SELECT COUNT(*) FROM logout_delivery WHERE client = 'many-0' AND reason = 'too-many'`); n != 1 {
		t.Errorf("told %d times", n)
	}
	if n := counted(t, h.DB, `SELECT COUNT(*) FROM session_service`); n != 100 {
		t.Errorf("%d services in the session", n)
	}
}
