package idp_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/idp"
	"github.com/tsunagu-id/tsunagu/idp/hub"
	"github.com/tsunagu-id/tsunagu/idp/idptest"
	"github.com/tsunagu-id/tsunagu/internal/audit"
	"github.com/tsunagu-id/tsunagu/internal/ephemeral"
	"github.com/tsunagu-id/tsunagu/internal/ephemeral/ephemeraltest"
	"github.com/tsunagu-id/tsunagu/internal/mail"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
	"github.com/tsunagu-id/tsunagu/internal/sqldb/sqldbtest"
)

// linkIn returns the link of the newest letter that has one.
func linkIn(t *testing.T, o *postOffice, c *clock) (link string) {
	t.Helper()
	eventually(t, func() bool {
		c.advance(time.Second)
		for _, m := range o.mail() {
			if found := notMeLink.FindString(m.Text); found != "" {
				link = found
			}
		}
		return link != ""
	})
	return link
}

// A stranger who was told of signs out and in again: the browser is known by then, and that is told to nobody. The link of the first sign-in
// ends the second, with what was allowed in it.
func TestNoticeReachesLaterSignInsOfTheSameBrowser(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		o := &postOffice{}
		h, c := startNotices(t, db, o)
		own := withAddress(t, h, o, c)
		await(t, o, c, 2)
		stranger, r := h.Browser(t), idptest.NewRequest()
		stranger.SignIn(stranger.Get("/account"), "taro")
		stranger.Post("/account/sign-out-everywhere", nil)
		c.advance(time.Second)
		own.SignIn(own.Get("/account"), "taro")
		tokens := h.Redeem(t, h.Code(t, stranger, r, "taro"), r)
		if n := len(auditRows(t, h, "login.new_browser")); n != 2 {
			t.Fatalf("%d sign-ins told, want 2", n)
		}
		var first string
		eventually(t, func() bool {
			c.advance(time.Second)
			for _, m := range o.mail() {
				if found := notMeLink.FindString(m.Text); found != "" && first == "" {
					first = found
				}
			}
			return first != ""
		})
		if p := h.Browser(t).Post(first, nil); !strings.Contains(p.Body, `data-disowned="over"`) {
			t.Fatalf("%d %s", p.Status, p.Body)
		}
		if p := stranger.Get("/account"); strings.Contains(p.Body, "data-signed-in") {
			t.Error("the stranger is still signed in")
		}
		if a := h.PostForm(t, "/token", idptest.ClientID, idptest.Secret, idptest.RefreshForm(tokens.Text("refresh_token"))); a.Status == http.StatusOK {
			t.Error("what the stranger allowed later goes on")
		}
		if p := own.Get("/account"); !strings.Contains(p.Body, "data-signed-in") {
			t.Error("the citizen is out too")
		}
		before := len(auditRows(t, h, "login.new_browser"))
		stranger.SignIn(stranger.Get("/account"), "taro")
		if n := len(auditRows(t, h, "login.new_browser")); n != before+1 {
			t.Error("the stranger's browser is known again")
		}
	})
}

// Whoever changes what is told changes nothing in silence.
func TestChangeOfWhatIsToldIsTold(t *testing.T) {
	o := &postOffice{}
	h, c := startNotices(t, nil, o)
	b := withAddress(t, h, o, c)
	n := len(await(t, o, c, 2))
	for range 2 { // the second time nothing changes
		b.Post("/account/notices/mail", url.Values{"address": {homeAddress}, "lang": {"en"}})
	}
	letter := await(t, o, c, n+1)[n]
	if !strings.Contains(letter.Text, "What notices are sent of was changed") || letter.To.String() != homeAddress {
		t.Errorf("%+v", letter)
	}
	if n := len(auditRows(t, h, "notice.kinds_changed")); n != 1 {
		t.Errorf("%d changes in the audit log", n)
	}
}

// A stranger signs in and drops the address before the letter has gone: it goes all the same, and so does the farewell.
func TestDroppedAddressStillHearsWhatWasUnderWay(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		o := &postOffice{}
		h, c := startNotices(t, db, o)
		withAddress(t, h, o, c)
		n := len(await(t, o, c, 2))
		stranger := h.Browser(t)
		stranger.SignIn(stranger.Get("/account"), "taro")
		if p := stranger.Post("/account/notices/mail/stop", nil); strings.Contains(p.Body, "data-live") {
			t.Fatal("not stopped")
		}
		var told, bye bool
		for _, m := range await(t, o, c, n+2)[n:] {
			told = told || notMeLink.MatchString(m.Text)
			bye = bye || strings.Contains(m.Text, "これが最後です")
		}
		if !told || !bye {
			t.Errorf("told of the sign-in: %v, of the end: %v", told, bye)
		}
	})
}

// However often a stranger signs in, the link to the first time stays good.
func TestFloodDoesNotSpoilALink(t *testing.T) {
	o := &postOffice{}
	h, c := startNotices(t, nil, o)
	withAddress(t, h, o, c)
	b := h.Browser(t)
	b.SignIn(b.Get("/account"), "taro")
	link := linkIn(t, o, c)
	taro := auditRows(t, h, "login.new_browser")[0].Account
	for range 250 {
		if err := h.Audit.Append(t.Context(), audit.Event{Kind: "login.new_browser", Account: taro, Session: "another", Facts: map[string]string{"acr": "phrh"}}); err != nil {
			t.Fatal(err)
		}
		c.advance(time.Millisecond)
	}
	if p := h.Browser(t).Get(link); p.Status != http.StatusOK {
		t.Errorf("%d %s", p.Status, p.Error())
	}
	c.advance(25 * time.Hour)
	if err := h.Audit.Append(t.Context(), audit.Event{Kind: "login.new_browser", Account: taro, Session: "another"}); err != nil {
		t.Fatal(err)
	}
	var kept int
	if err := h.DB.QueryRow(t.Context(), `SELECT count(*) FROM notice`).Scan(&kept); err != nil || kept != 200 {
		t.Errorf("%d notices kept, %v", kept, err)
	}
}

// forgetful is a sender whose process is killed when the server has taken a letter and before that is recorded.
type forgetful struct {
	postOffice
	kill atomic.Bool
}

func (f *forgetful) Send(ctx context.Context, m mail.Message) error {
	err := f.postOffice.Send(ctx, m)
	if err == nil && f.kill.CompareAndSwap(true, false) {
		runtime.Goexit()
	}
	return err
}

// A letter that was sent and not recorded comes once more after the lease, the same, and then never again.
func TestLetterOfAKilledProcessComesTwice(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		o := &forgetful{}
		c := newClock()
		h := idptest.Start(t, idptest.Options{DB: db, Now: c.now, Mail: o, Own: true})
		withAddress(t, h, &o.postOffice, c)
		n := len(await(t, &o.postOffice, c, 2))
		c.advance(time.Minute)
		o.kill.Store(true)
		b := h.Browser(t)
		b.SignIn(b.Get("/account"), "taro")
		await(t, &o.postOffice, c, n+1)
		c.advance(3 * time.Minute)
		got := await(t, &o.postOffice, c, n+2)[n:]
		if got[0].ID != got[1].ID || got[0].Text != got[1].Text || got[0].Subject != got[1].Subject {
			t.Errorf("%+v\n%+v", got[0], got[1])
		}
		eventually(t, func() bool {
			c.advance(time.Minute)
			var open int
			err := h.DB.QueryRow(t.Context(), `SELECT count(*) FROM notice_letter WHERE state IN ('open', 'pending')`).Scan(&open)
			return err == nil && open == 0
		})
		if got := len(o.mail()); got != n+2 {
			t.Errorf("%d letters, want %d", got, n+2)
		}
	})
}

// stuckStore cannot take what it has: whoever ends a session does not come to the end.
type stuckStore struct {
	ephemeral.Store
	stuck atomic.Bool
}

func (s *stuckStore) Take(ctx context.Context, key string) ([]byte, error) {
	if s.stuck.Load() && strings.HasPrefix(key, "session:") {
		return nil, errUnplugged
	}
	return s.Store.Take(ctx, key)
}

// What was promised when somebody said "this was not me" is done by whoever comes next: the grants end at once, the session when it can be.
func TestDisownedSessionEndsAfterACrash(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		o := &postOffice{}
		c := newClock()
		store := &stuckStore{Store: ephemeraltest.Open(t)}
		h := idptest.Start(t, idptest.Options{DB: db, Now: c.now, Mail: o, Own: true, Transient: store})
		own := withAddress(t, h, o, c)
		stranger, r := h.Browser(t), idptest.NewRequest()
		tokens := h.Redeem(t, h.Code(t, stranger, r, "taro"), r)
		link := linkIn(t, o, c)
		store.stuck.Store(true)
		if p := h.Browser(t).Post(link, nil); p.Status != http.StatusInternalServerError {
			t.Fatalf("%d %s", p.Status, p.Error())
		}
		if a := h.PostForm(t, "/token", idptest.ClientID, idptest.Secret, idptest.RefreshForm(tokens.Text("refresh_token"))); a.Status == http.StatusOK {
			t.Error("the grant goes on")
		}
		store.stuck.Store(false)
		eventually(t, func() bool { return !strings.Contains(stranger.Get("/account").Body, "data-signed-in") })
		if p := own.Get("/account"); !strings.Contains(p.Body, "data-signed-in") {
			t.Error("the citizen is out too")
		}
		if n := len(auditRows(t, h, "notice.disowned")); n != 1 {
			t.Errorf("%d in the audit log", n)
		}
		wantEvidence(t, h, c)
	})
}

// wantEvidence reads what is kept of the one session that was disowned, as an operator would, until it is forgotten.
func wantEvidence(t *testing.T, h *idptest.Hub, c *clock) {
	t.Helper()
	row := auditRows(t, h, "notice.disowned")[0]
	read := func(id, as string) ([]byte, error) {
		return hub.Evidence(t.Context(), h.DB, h.Sealer(), c.now, id, as)
	}
	if _, err := read(row.Facts["notice"], ""); err == nil {
		t.Error("read by nobody")
	}
	if _, err := read("none", "sato"); !errors.Is(err, idp.ErrNoEvidence) {
		t.Errorf("of no notice: %v", err)
	}
	b, err := read(row.Facts["notice"], "sato")
	var e struct {
		Session  string            `json:"session"`
		Open     bool              `json:"open_then"`
		ACR      string            `json:"acr"`
		Services map[string]string `json:"services"`
	}
	if err == nil {
		err = json.Unmarshal(b, &e)
	}
	if err != nil || e.Session != row.Session || !e.Open || e.ACR == "" || e.Services[idptest.ClientID] == "" || strings.Contains(string(b), homeAddress) {
		t.Errorf("%v: %s", err, b)
	}
	if rows := auditRows(t, h, "notice.evidence_read"); len(rows) != 1 || rows[0].Actor != "sato" {
		t.Errorf("%+v", rows)
	}
	c.advance(181 * 24 * time.Hour)
	if _, err := read(row.Facts["notice"], "sato"); !errors.Is(err, idp.ErrNoEvidence) {
		t.Errorf("half a year later: %v", err)
	}
}

// Robots that follow a link again and again are slowed down, whoever they are, and what is slowed is that link alone.
func TestVisitsToOneNoticeAreCounted(t *testing.T) {
	o := &postOffice{}
	h, c := startNotices(t, nil, o)
	withAddress(t, h, o, c)
	b := h.Browser(t)
	b.SignIn(b.Get("/account"), "taro")
	link := linkIn(t, o, c)
	refused := 0
	for range 31 {
		if p := h.Browser(t).Get(link); p.Error() == "too_many" {
			refused++
		}
	}
	if refused != 1 {
		t.Errorf("%d of 31 visits refused, want 1", refused)
	}
}
