package etax

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/clients/rp"
	"github.com/tsunagu-id/tsunagu/clients/rp/rptest"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
	"github.com/tsunagu-id/tsunagu/internal/sqldb/sqldbtest"
)

func TestAskedOnceAndNeverAgain(t *testing.T) {
	w := newWorld(t)
	taro := w.browser()
	page := taro.launch()
	wantAt(t, page, "/bind", "")
	if page.Has(signedIn) || !page.Has(`name="number"`, `name="password"`, `id="bind"`) {
		t.Error("the question is not the one promised")
	}
	page = taro.post("/bind", "number", " １２３４－５６７８ 9012ー3456", "password", demoPassword)
	wantAt(t, page, "/home", "")
	if !page.Has(signedIn, "e-Taxとつながりました", "下4桁 3456") || page.Has("taro", demoNumber) {
		t.Errorf("home: %s", page.Body)
	}
	if got := w.hub.Link("taro-at-etax").State; got != "linked" {
		t.Errorf("the hub says %q", got)
	}
	wantAt(t, taro.post("/bind", "number", demoNumber, "password", demoPassword), "/home", "") // a second press
	for range 3 {
		another := w.browser() // the same person on another computer
		page := another.launch()
		wantAt(t, page, "/home", "")
		if page.Has("type=\"password\"") || !page.Has("前回のログイン") {
			t.Error("asked again")
		}
	}
	wantAt(t, taro.get("/"), "/home", "")
	if page := taro.get("/home"); page.Has("e-Taxとつながりました") {
		t.Error("says again that it is connected")
	}
}

func TestWrongPassword(t *testing.T) {
	w := newWorld(t)
	for name, tt := range map[string]struct{ number, password, reason, says string }{
		"wrong password":       {demoNumber, "Xq9-guess", "wrong_password", "番号か暗証番号が違います"},
		"unknown number":       {"1111222233334444", demoPassword, "wrong_password", "番号か暗証番号が違います"},
		"too long password":    {demoNumber, strings.Repeat("x", maxPassword+1), "wrong_password", "番号か暗証番号が違います"},
		"15 digits":            {demoNumber[1:], demoPassword, "input_missing", "数字16桁で"},
		"letters":              {"123456789012345X", demoPassword, "input_missing", "数字16桁で"},
		"no number":            {"  ", demoPassword, "input_missing", "利用者識別番号を入力してください"},
		"no password":          {demoNumber, "", "input_missing", "暗証番号を入力してください"},
		"markup in the number": {`"><script>`, demoPassword, "input_missing", "数字16桁で"},
	} {
		t.Run(name, func(t *testing.T) {
			taro := w.browser()
			page := taro.bind(tt.number, tt.password)
			wantAt(t, page, "/bind", tt.reason)
			if page.Status != http.StatusUnprocessableEntity || !page.Has("data-error-summary", tt.says, "<title>エラー：", `href="#`) {
				t.Errorf("%d: %s", page.Status, page.Body)
			}
			if tt.number != `"><script>` && strings.TrimSpace(tt.number) != "" && !page.Has(`value="`+tt.number+`"`) {
				t.Error("the number is not kept")
			}
			if page.Has(signedIn, "<script>") || (tt.password != "" && tt.password != demoPassword && page.Has(tt.password)) {
				t.Error("signed in, or the password is on the page")
			}
			if b, err := findBinding(t.Context(), w.db, "taro-at-etax"); b != nil || err != nil {
				t.Errorf("bound: %v, %v", b, err)
			}
		})
	}
}

func TestNumberOfSomebodyElse(t *testing.T) {
	w := newWorld(t)
	w.browser().bind(demoNumber, demoPassword)
	w.hub.Set(func(s *rptest.Settings) { s.Person = "hanako" })
	hanako := w.browser()
	wantAt(t, hanako.bind(demoNumber, demoPassword), "/bind", "number_taken")
	wantAt(t, hanako.post("/bind", "number", otherNumber, "password", "other-password"), "/home", "")
	if got := w.hub.Link("hanako-at-etax").State; got != "linked" {
		t.Errorf("the hub says %q", got)
	}
}

// A page that was shown to one person, sent when another has signed in in another tab, does nothing to either of them.
func TestBindOfOnePersonDoesNotBindAnother(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	shown := b.launch() // tab 1, to taro
	w.hub.Set(func(s *rptest.Settings) { s.Person = "hanako" })
	wantAt(t, b.launch(), "/bind", "") // tab 2
	for _, mark := range []string{shown.Hidden("/bind").Get("for"), "", "x"} {
		page := b.post("/bind", "number", demoNumber, "password", demoPassword, "for", mark)
		wantAt(t, page, "/bind", "person_changed")
		if !page.Has("ログインしている人が変わりました", `value="`+demoNumber+`"`) || page.Has(`value="`+demoPassword) || page.Has(signedIn) {
			t.Errorf("%s", page.Body)
		}
		for _, sub := range []string{"taro-at-etax", "hanako-at-etax"} {
			if b, err := findBinding(t.Context(), w.db, sub); b != nil || err != nil {
				t.Errorf("%s is bound: %v", sub, err)
			}
		}
	}
	// The form that was shown again is hanako's.
	wantAt(t, b.post("/bind", "number", otherNumber, "password", "other-password"), "/home", "")
	if b, err := findBinding(t.Context(), w.db, "hanako-at-etax"); b == nil || b.number != otherNumber || err != nil {
		t.Errorf("%v, %v", b, err)
	}
}

// One account, a hundred people at once: one of them has it.
func TestHundredBindsOfOneAccount(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		w := newWorldOn(t, db)
		var won, taken atomic.Int32
		var wg sync.WaitGroup
		for i := range 100 {
			wg.Go(func() {
				b, err := w.site.bind(t.Context(), fmt.Sprintf("person-%d", i), demoNumber)
				if e, ok := errors.AsType[*Error](err); ok && e.Reason == NumberTaken {
					taken.Add(1)
				} else if err != nil || b.number != demoNumber {
					t.Error(b, err)
				} else {
					won.Add(1)
				}
			})
		}
		wg.Wait()
		if won.Load() != 1 || taken.Load() != 99 {
			t.Errorf("%d won, %d were told that it is taken", won.Load(), taken.Load())
		}
	})
}

// One person, two accounts, many presses: one account, and the presses for it agree.
func TestHundredBindsOfOnePerson(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		w := newWorldOn(t, db)
		var got [2]atomic.Int32
		var wg sync.WaitGroup
		for i := range 100 {
			wg.Go(func() {
				n := []Number{demoNumber, otherNumber}[i%2]
				_, err := w.site.bind(t.Context(), "person", n)
				if e, ok := errors.AsType[*Error](err); ok && e.Reason == AlreadyBound {
					return
				} else if err != nil {
					t.Error(err)
					return
				}
				got[i%2].Add(1)
			})
		}
		wg.Wait()
		if a, b := got[0].Load(), got[1].Load(); a+b != 50 || a*b != 0 {
			t.Errorf("%d presses got the one number and %d the other", a, b)
		}
	})
}

func TestTooManyTries(t *testing.T) {
	w := newWorld(t)
	taro := w.browser()
	taro.launch()
	for range 10 {
		wantAt(t, taro.post("/bind", "number", "1111222233334444", "password", "guess"), "/bind", "wrong_password")
	}
	page := taro.post("/bind", "number", demoNumber, "password", demoPassword)
	wantAt(t, page, "/bind", "too_many")
	if page.Status != http.StatusTooManyRequests || page.Header.Get("Retry-After") == "" || !page.Has("15分待ってから", "ロックされていません") {
		t.Errorf("%d: %s", page.Status, page.Body)
	}
	// Another person is not kept out by that, unless it is by the number.
	w.hub.Set(func(s *rptest.Settings) { s.Person = "hanako" })
	wantAt(t, w.browser().bind("1111222233334444", "guess"), "/bind", "too_many")
	wantAt(t, w.browser().bind(otherNumber, "other-password"), "/home", "")
	w.hub.Set(func(s *rptest.Settings) { s.Person = "taro" })
	w.advance(16 * time.Minute)
	wantAt(t, taro.bind(demoNumber, demoPassword), "/home", "")
}

// Whoever has an IPv6 address has 2^64 of them, and no tries for each.
func TestTriesFromManyAddressesOfOneNetwork(t *testing.T) {
	w := newWorld(t)
	try := func(address string, i int) int {
		form := url.Values{"number": {fmt.Sprintf("%016d", i)}, "password": {strings.Repeat("x", maxPassword+1)}}
		r := httptest.NewRequest(http.MethodPost, "/number", strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		r.RemoteAddr = address
		rec := httptest.NewRecorder()
		w.site.Handler().ServeHTTP(rec, r)
		return rec.Code
	}
	for i := range 100 {
		if got := try(fmt.Sprintf("[2001:db8:0:1::%x]:1", i+1), i); got != http.StatusUnprocessableEntity {
			t.Fatalf("try %d: %d", i, got)
		}
	}
	if got := try("[2001:db8:0:1:ffff::1]:1", 100); got != http.StatusTooManyRequests {
		t.Errorf("from another address of the network: %d", got)
	}
	if got := try("[2001:db8:0:2::1]:1", 101); got != http.StatusUnprocessableEntity {
		t.Errorf("from another network: %d", got)
	}
}

func TestNetwork(t *testing.T) {
	for address, want := range map[string]string{
		"192.0.2.1": "192.0.2.1", "::ffff:192.0.2.1": "192.0.2.1", "2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64",
		"fe80::1%eth0": "fe80::/64", "": "", "x": "x",
	} {
		if got := network(address); got != want {
			t.Errorf("network(%q) = %q, want %q", address, got, want)
		}
	}
}

func TestNumberAndPasswordWithoutTheHub(t *testing.T) {
	w := newWorld(t)
	w.hub.Set(func(s *rptest.Settings) { s.Down = true })
	taro := w.browser()
	wantAt(t, taro.post("/number", "number", demoNumber, "password", "wrong"), "/number", "wrong_password")
	page := taro.post("/number", "number", demoNumber, "password", demoPassword)
	wantAt(t, page, "/home", "")
	if !page.Has(signedIn, "番号の入力をなくせます") {
		t.Errorf("%s", page.Body)
	}
	wantAt(t, taro.post(rp.PathLogout), rp.PathSignedOut, "")
	wantAt(t, taro.get("/"), "/", "")
}

func TestParseNumber(t *testing.T) {
	for text, want := range map[string]Number{
		demoNumber:            demoNumber,
		"1234 5678 9012 3456": demoNumber,
		"１２３４－５６７８－９０１２－３４５６": demoNumber,
		"1234-5678‐9012−3456": demoNumber,
		"1234ー5678ｰ9012　3456": demoNumber,
		" 1234567890123456\t": demoNumber,
		"123456789012345":     "",
		"12345678901234567":   "",
		"":                    "",
		"一二三四五六七八九〇一二三四五六":       "",
		"١٢٣٤٥٦٧٨٩٠١٢٣٤٥٦":       "",
		"1234567890123456\x00":   "",
		"+1234567890123456":      "",
		strings.Repeat("1", 300): "",
	} {
		if got, ok := ParseNumber(text); got != want || ok != (want != "") {
			t.Errorf("ParseNumber(%q) = %q, %v; want %q", text, got, ok, want)
		}
	}
}

// FuzzParseNumber: what is accepted is 16 ASCII digits, and reads as itself.
func FuzzParseNumber(f *testing.F) {
	for _, s := range []string{demoNumber, "１２３４－５６７８－９０１２－３４５６", "x", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, ok := ParseNumber(s)
		if !ok {
			if n != "" {
				t.Errorf("refused, but %q", n)
			}
			return
		}
		again, ok := ParseNumber(string(n))
		if !ok || again != n || len(n) != numberDigits || strings.Trim(string(n), "0123456789") != "" {
			t.Errorf("%q from %q", n, s)
		}
	})
}

func TestPasswords(t *testing.T) {
	p := newPasswords()
	hash := p.hash("correct horse")
	if !strings.HasPrefix(hash, "$argon2id$v=19$m=19456,t=2,p=1$") || hash == p.hash("correct horse") {
		t.Errorf("hash %s", hash)
	}
	for password, want := range map[string]bool{"correct horse": true, "correct horse ": false, "": false} {
		if got, err := p.check(t.Context(), hash, password); got != want || err != nil {
			t.Errorf("%q: %v, %v", password, got, err)
		}
	}
	if got, err := p.check(t.Context(), "", "anything"); got || err != nil {
		t.Errorf("no hash: %v, %v", got, err)
	}
	for _, broken := range []string{"x", "$argon2id$v=1$m=1,t=1,p=1$AA$AA", "$argon2id$v=19$m=99999999,t=1,p=1$AA$AA", "$2b$12$abc", "$argon2id$v=19$m=1,t=1,p=1$!$AA"} {
		if got, err := p.check(t.Context(), broken, "x"); got || err == nil {
			t.Errorf("%s: %v, %v", broken, got, err)
		}
	}
	// Both turns taken: whoever gives up waiting is told that it is busy, not that the password is wrong.
	p.turn <- struct{}{}
	p.turn <- struct{}{}
	ctx, cancel := contextWithTimeout(t)
	defer cancel()
	_, err := p.check(ctx, hash, "correct horse")
	if e, ok := errors.AsType[*Error](err); !ok || e.Reason != Busy {
		t.Errorf("got %v, want Busy", err)
	}
}
