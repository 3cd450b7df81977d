package idp_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/idp/idptest"
	"github.com/tsunagu-id/tsunagu/internal/audit"
	"github.com/tsunagu-id/tsunagu/internal/mail"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
	"github.com/tsunagu-id/tsunagu/internal/sqldb/sqldbtest"
)

// postOffice takes mail, or refuses it.
type postOffice struct {
	mu   sync.Mutex
	fail error
	got  []mail.Message
	all  int
}

func (o *postOffice) Send(_ context.Context, m mail.Message) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.all++
	if o.fail != nil {
		return o.fail
	}
	o.got = append(o.got, m)
	return nil
}

func (o *postOffice) refuse(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.fail = err
}

func (o *postOffice) mail() []mail.Message {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]mail.Message(nil), o.got...)
}

func (o *postOffice) tries() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.all
}

var (
	confirmLink = regexp.MustCompile(`/account/notices/confirm\?proof=[A-Za-z0-9_-]{43}`)
	notMeLink   = regexp.MustCompile(`/not-me/[A-Za-z0-9_-]{43}`)
)

// await waits until there are n letters, while the clock moves.
func await(t *testing.T, o *postOffice, c *clock, n int) []mail.Message {
	t.Helper()
	for range 400 {
		if got := o.mail(); len(got) >= n {
			return got
		}
		c.advance(50 * time.Millisecond)
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("%d letters, want %d", len(o.mail()), n)
	return nil
}

const homeAddress = "taro@home.example"

func setAddress(b *idptest.Browser, to string) idptest.Page {
	return b.Post("/account/notices/mail", url.Values{"address": {to}, "kind-sign-in": {"yes"}, "kind-service": {"yes"}, "kind-link": {"yes"}, "kind-means": {"yes"}, "lang": {"ja"}})
}

func confirmAddress(b *idptest.Browser, link string) idptest.Page {
	u, _ := url.Parse(link)
	return b.Post("/account/notices/confirm", url.Values{"proof": {u.Query().Get("proof")}})
}

// withAddress signs taro in and has his address confirmed.
func withAddress(t *testing.T, h *idptest.Hub, o *postOffice, c *clock) *idptest.Browser {
	t.Helper()
	b := h.Browser(t)
	b.SignIn(b.Get("/account/notices"), "taro")
	before := len(o.mail())
	if p := setAddress(b, homeAddress); p.Status != http.StatusOK || !strings.Contains(p.Body, "data-waiting") {
		t.Fatalf("%d %s", p.Status, p.Body)
	}
	letters := await(t, o, c, before+1)
	link := confirmLink.FindString(letters[before].Text)
	if link == "" || letters[before].To.String() != homeAddress {
		t.Fatalf("%+v", letters[before])
	}
	if p := b.Get(link); p.Status != http.StatusOK || !strings.Contains(p.Body, `id="notices-confirm"`) {
		t.Fatalf("%d %s", p.Status, p.Body)
	}
	if p := confirmAddress(b, link); p.Status != http.StatusOK || !strings.Contains(p.Body, "data-live>"+homeAddress) {
		t.Fatalf("%d %s", p.Status, p.Body)
	}
	return b
}

func startNotices(t *testing.T, db *sqldb.DB, o *postOffice) (*idptest.Hub, *clock) {
	t.Helper()
	c := newClock()
	return idptest.Start(t, idptest.Options{DB: db, Now: c.now, Mail: o, Own: true}), c
}

// A stranger signs in with the citizen's card. She is told, ends that session from the letter without signing in, and stays signed in herself.
func TestStrangersSignInIsToldAndEnded(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		o := &postOffice{}
		h, c := startNotices(t, db, o)
		own := withAddress(t, h, o, c)
		await(t, o, c, 2) // that the address is in use
		c.advance(11 * time.Minute)

		stranger, r := h.Browser(t), idptest.NewRequest()
		tokens := h.Redeem(t, h.Code(t, stranger, r, "taro"), r)
		letter := await(t, o, c, 3)[2]
		if !strings.Contains(letter.Subject, "2件") || !strings.Contains(letter.Text, "試験サービス") || !strings.Contains(letter.Text, "新しいブラウザーでログインがありました") {
			t.Errorf("%+v", letter)
		}
		link := notMeLink.FindString(letter.Text)
		anybody := h.Browser(t)
		page := anybody.Get(link)
		if page.Status != http.StatusOK || !strings.Contains(page.Body, `id="not-me"`) || strings.Contains(page.Body, homeAddress) {
			t.Fatalf("%d %s", page.Status, page.Body)
		}
		if p := stranger.Get("/account"); !strings.Contains(p.Body, "data-signed-in") {
			t.Fatal("looking at the page ended the session")
		}
		if p := anybody.Post(link, nil); p.Status != http.StatusOK || !strings.Contains(p.Body, `data-disowned="ended"`) {
			t.Fatalf("%d %s", p.Status, p.Body)
		}
		if p := stranger.Get("/account"); strings.Contains(p.Body, "data-signed-in") {
			t.Error("the stranger is still signed in")
		}
		if p := own.Get("/account"); !strings.Contains(p.Body, "data-signed-in") {
			t.Error("the citizen is not")
		}
		if a := h.PostForm(t, "/token", idptest.ClientID, idptest.Secret, idptest.RefreshForm(tokens.Text("refresh_token"))); a.Status == http.StatusOK {
			t.Error("offline access that was given in the session goes on")
		}
		for range 3 { // again, and from elsewhere
			if p := h.Browser(t).Post(link, nil); p.Status != http.StatusOK || !strings.Contains(p.Body, `data-disowned="ended"`) {
				t.Errorf("%d %s", p.Status, p.Error())
			}
		}
		rows := auditRows(t, h, "notice.disowned")
		if len(rows) != 1 || rows[0].Session == "" || rows[0].Facts["means"] != "card" || rows[0].Facts["session"] != "live" {
			t.Errorf("%+v", rows)
		}
		if err := h.Audit.Verify(t.Context()); err != nil {
			t.Error(err)
		}
		if p := own.Get("/account/notices"); !strings.Contains(p.Body, `data-notice="disowned"`) {
			t.Error("the list says nothing of it")
		}
	})
}

// Signing in again where one signed in before is no news; a browser whose visitor called it shared is new every time, and so is every browser
// after somebody said "this was not me".
func TestOnlyNewBrowsersAreTold(t *testing.T) {
	c := newClock()
	h := idptest.Start(t, idptest.Options{Now: c.now})
	b := h.Browser(t)
	told := func() int { return len(auditRows(t, h, "login.new_browser")) }
	again := func(b *idptest.Browser) {
		t.Helper()
		c.advance(13 * time.Hour)
		if p := b.SignIn(b.Get("/account"), "taro"); !strings.Contains(p.Body, "data-signed-in") {
			t.Fatalf("%d %s", p.Status, p.Error())
		}
	}
	again(b)
	again(b)
	if n := told(); n != 1 {
		t.Errorf("%d told after two sign-ins in one browser", n)
	}
}

func TestKnownBrowsersAreToldApart(t *testing.T) {
	c := newClock()
	h := idptest.Start(t, idptest.Options{Now: c.now})
	told := func() int { return len(auditRows(t, h, "login.new_browser")) }
	shared := h.Browser(t)
	shared.CardWatch = true
	for i := range 3 {
		c.advance(13 * time.Hour)
		shared.SignIn(shared.Get("/account"), "taro")
		if n := told(); n != i+1 {
			t.Errorf("%d told after %d sign-ins at a shared computer", n, i+1)
		}
	}
	two := h.Browser(t)
	for _, card := range []string{"taro", "hanako", "taro", "hanako"} {
		c.advance(13 * time.Hour)
		two.SignIn(two.Get("/account"), card)
	}
	if n := told(); n != 5 {
		t.Errorf("%d told after two people took turns at one browser, want 5", n)
	}
}

// A flood of sign-ins is told in a bounded number of letters, and none is left out.
func TestFloodOfSignInsIsFewLetters(t *testing.T) {
	o := &postOffice{}
	h, c := startNotices(t, nil, o)
	withAddress(t, h, o, c)
	before := len(await(t, o, c, 2))
	for range 20 { // in an hour
		b := h.Browser(t)
		b.SignIn(b.Get("/account"), "taro")
		c.advance(3 * time.Minute)
	}
	for range 40 {
		c.advance(time.Minute)
		time.Sleep(20 * time.Millisecond)
	}
	letters, told := o.mail()[before:], 0
	for _, l := range letters {
		told += strings.Count(l.Text, "新しいブラウザーでログインがありました")
	}
	if len(letters) > 9 || told != 20 {
		t.Errorf("%d letters tell of %d sign-ins", len(letters), told)
	}
}

// A hundred presses of the confirmation at once put one address to use.
func TestAddressIsConfirmedOnce(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		o := &postOffice{}
		h, c := startNotices(t, db, o)
		b := h.Browser(t)
		b.SignIn(b.Get("/account/notices"), "taro")
		setAddress(b, homeAddress)
		link := confirmLink.FindString(await(t, o, c, 1)[0].Text)
		u, _ := url.Parse(link)
		client := h.Client()
		var wg sync.WaitGroup
		var mu sync.Mutex
		statuses := map[int]int{}
		for range 100 {
			wg.Go(func() {
				resp, err := client.Do(b.Request(http.MethodPost, h.Issuer+"/account/notices/confirm", url.Values{"proof": {u.Query().Get("proof")}}))
				if err != nil {
					t.Error(err)
					return
				}
				_ = resp.Body.Close()
				mu.Lock()
				defer mu.Unlock()
				statuses[resp.StatusCode]++
			})
		}
		wg.Wait()
		if statuses[http.StatusSeeOther] != 1 || statuses[http.StatusGone] != 99 {
			t.Errorf("%v", statuses)
		}
		if n := len(auditRows(t, h, "notice.address_confirmed")); n != 1 {
			t.Errorf("%d confirmations", n)
		}
	})
}

// The link in a letter is of use only to whoever entered the address, and for a day.
func TestConfirmationIsOfNoUseToOthers(t *testing.T) {
	o := &postOffice{}
	h, c := startNotices(t, nil, o)
	b := h.Browser(t)
	b.SignIn(b.Get("/account/notices"), "taro")
	setAddress(b, homeAddress)
	link := confirmLink.FindString(await(t, o, c, 1)[0].Text)
	other := h.Browser(t)
	other.SignIn(other.Get("/account/notices"), "hanako")
	if p := confirmAddress(other, link); p.Status != http.StatusGone || p.Error() != "address_not_waiting" {
		t.Errorf("another person: %d %s", p.Status, p.Error())
	}
	if p := h.Browser(t).Get(link); strings.Contains(p.Body, homeAddress) {
		t.Errorf("nobody signed in: %d %s", p.Status, p.Body)
	}
	if p := b.Get("/account/notices"); strings.Contains(p.Body, "data-live") {
		t.Error("opening the link confirmed it")
	}
	c.advance(24*time.Hour + time.Second)
	b.SignIn(b.Get("/account/notices"), "taro")
	if p := confirmAddress(b, link); p.Status != http.StatusGone {
		t.Errorf("a day later: %d", p.Status)
	}
}

// The old address hears of the new one, once, and nothing more; what is stopped is deleted.
func TestChangedAddressIsToldAndForgotten(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		o := &postOffice{}
		h, c := startNotices(t, db, o)
		b := withAddress(t, h, o, c)
		n := len(await(t, o, c, 2))
		setAddress(b, "new@home.example")
		letters := await(t, o, c, n+1)
		confirmAddress(b, confirmLink.FindString(letters[n].Text))
		var old *mail.Message
		eventually(t, func() bool {
			c.advance(time.Second)
			for _, m := range o.mail()[n:] {
				if m.To.String() == homeAddress {
					old = &m
				}
			}
			return old != nil
		})
		if old == nil || !strings.Contains(old.Text, "これが最後です") || strings.Contains(old.Text, "new@home.example") {
			t.Fatalf("%+v", old)
		}
		b.Post("/account/notices/mail/stop", nil)
		var rows int
		eventually(t, func() bool {
			c.advance(time.Second)
			err := h.DB.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM notice_channel) + (SELECT count(*) FROM notice_letter WHERE state IN ('open', 'pending'))`).Scan(&rows)
			return err == nil && rows == 0
		})
		if err := h.DB.QueryRow(t.Context(), `SELECT count(*) FROM notice_letter WHERE length(address) > 0`).Scan(&rows); err != nil || rows != 0 {
			t.Errorf("%d addresses left, %v", rows, err)
		}
	})
}

// A mail server that is away delays, and loses nothing; a mailbox that does not exist ends it; after a day the hub gives up, and says so.
func TestMailServerThatRefuses(t *testing.T) {
	o := &postOffice{}
	h, c := startNotices(t, nil, o)
	b := withAddress(t, h, o, c)
	n := len(await(t, o, c, 2))
	stranger := func() {
		s := h.Browser(t)
		s.SignIn(s.Get("/account"), "taro")
		c.advance(11 * time.Minute)
	}
	o.refuse(&mail.Error{Stage: mail.StageContent, Code: 451})
	before := o.tries()
	stranger()
	eventually(t, func() bool { c.advance(time.Minute); return o.tries() >= before+3 })
	o.refuse(nil)
	eventually(t, func() bool { c.advance(10 * time.Minute); return len(o.mail()) == n+1 })

	o.refuse(&mail.Error{Stage: mail.StageRecipient, Code: 550, Permanent: true})
	stranger()
	eventually(t, func() bool { return len(auditRows(t, h, "notice.given_up")) == 1 })

	o.refuse(&mail.Error{Stage: mail.StageConnect})
	stranger()
	before = o.tries()
	eventually(t, func() bool { c.advance(time.Minute); return o.tries() > before })
	// The next try is the last, whenever that day's tidying comes.
	c.advance(25 * time.Hour)
	eventually(t, func() bool { return len(auditRows(t, h, "notice.given_up")) == 2 })
	b.SignIn(b.Get("/account/notices"), "taro")
	if p := b.Get("/account/notices"); !strings.Contains(p.Body, "前のお知らせが届きませんでした") {
		t.Errorf("%d %s", p.Status, p.Body)
	}
}

func eventually(t *testing.T, f func() bool) {
	t.Helper()
	for range 1500 {
		if f() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("never came")
}

// Three processes of the hub send each letter once, while none is killed.
func TestLettersOfSeveralProcesses(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		o := &postOffice{}
		h, c := startNotices(t, db, o)
		h.Process(t)
		h.Process(t)
		withAddress(t, h, o, c)
		n := len(await(t, o, c, 2))
		for range 3 {
			b := h.Browser(t)
			b.SignIn(b.Get("/account"), "taro")
			c.advance(11 * time.Minute)
			n++
			await(t, o, c, n)
		}
		for range 20 {
			c.advance(time.Minute)
			time.Sleep(10 * time.Millisecond)
		}
		if got := len(o.mail()); got != n {
			t.Errorf("%d letters, want %d", got, n)
		}
		ids := map[string]bool{}
		for _, m := range o.mail() {
			if ids[m.ID] {
				t.Errorf("%s twice", m.ID)
			}
			ids[m.ID] = true
		}
	})
}

func TestBadAddressesAreRefused(t *testing.T) {
	o := &postOffice{}
	h, _ := startNotices(t, nil, o)
	b := h.Browser(t)
	b.SignIn(b.Get("/account/notices"), "taro")
	for _, bad := range []string{"", "taro", "a@b.example\r\nBcc: eve@evil.example", "<a@b.example>", "a@b.example, c@d.example"} {
		if p := setAddress(b, bad); p.Status != http.StatusUnprocessableEntity || p.Error() != "address_invalid" {
			t.Errorf("%q: %d %s", bad, p.Status, p.Error())
		}
	}
	for _, bad := range []string{"http://hook.example/", "https://user:pw@hook.example/", "javascript:alert(1)", "https://hook.example/#x"} {
		p := b.Post("/account/notices/webhook", url.Values{"address": {bad}, "kind-sign-in": {"yes"}})
		if p.Status != http.StatusUnprocessableEntity || p.Error() != "address_invalid" {
			t.Errorf("%q: %d %s", bad, p.Status, p.Error())
		}
	}
	many := 0
	for i := range 7 {
		if p := setAddress(b, fmt.Sprintf("a%d@home.example", i)); p.Error() == "too_many" {
			many++
		}
	}
	if many != 2 {
		t.Errorf("%d of 7 letters to strangers were refused, want 2", many)
	}
}

func TestNamesThatAreNoNotices(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	for _, name := range []string{"x", strings.Repeat("a", 43), strings.Repeat("a", 44), "..", strings.Repeat("é", 43)} {
		for _, p := range []idptest.Page{h.Browser(t).Get("/not-me/" + url.PathEscape(name)), h.Browser(t).Post("/not-me/"+url.PathEscape(name), nil)} {
			if p.Status != http.StatusNotFound {
				t.Errorf("%q: %d %s", name, p.Status, p.Error())
			}
		}
	}
}

func auditRows(t *testing.T, h *idptest.Hub, kind audit.Kind) []audit.Row {
	t.Helper()
	rows, err := h.Audit.List(t.Context(), audit.Query{Kind: kind, Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	return rows
}
