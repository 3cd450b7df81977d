package idp_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/federation/exchange"
	"github.com/tsunagu-id/tsunagu/idp/idptest"
	"github.com/tsunagu-id/tsunagu/internal/ephemeral"
	"github.com/tsunagu-id/tsunagu/internal/ephemeral/ephemeraltest"
	"github.com/tsunagu-id/tsunagu/internal/ratelimit"
)

// noGrants is a store at which the hub stops before it keeps a grant.
type noGrants struct {
	ephemeral.Store
	off bool
}

func (s *noGrants) Create(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	if s.off && strings.HasPrefix(key, "grant:") {
		return errUnplugged
	}
	return s.Store.Create(ctx, key, value, ttl)
}

// TestRecordComesBeforeTheOfficesToken: the hub stops at each point between the request and the answer. There may be a record of a token
// that never was, and never a token without its record; and the office asks again.
func TestRecordComesBeforeTheOfficesToken(t *testing.T) {
	s := &noGrants{Store: ephemeraltest.Open(t)}
	o := openOffices(t, idptest.Options{Transient: s})
	for _, table := range []string{"exchange_record", "audit_event", "exchange_basis"} {
		rename := func(from, to string) {
			if _, err := o.DB.Exec(t.Context(), "ALTER TABLE "+from+" RENAME TO "+to); err != nil {
				t.Fatal(err)
			}
		}
		form := o.ask(t)
		rename(table, table+"_away")
		a := o.ward.post(t, "/token", form)
		rename(table+"_away", table)
		if a.Status != http.StatusInternalServerError || a.Text("access_token") != "" {
			t.Errorf("without %s: %d %s", table, a.Status, a.Raw)
		}
		if n := rowsOf(t, o.DB, `SELECT count(*) FROM exchange_record`); n != 0 {
			t.Errorf("without %s: %d records", table, n)
		}
	}
	s.off = true
	form := o.ask(t)
	if a := o.ward.post(t, "/token", form); a.Status != http.StatusInternalServerError {
		t.Errorf("no grant was kept: %d %s", a.Status, a.Raw)
	}
	s.off = false
	if a := o.ward.post(t, "/token", form); a.Text("reason") != "subject_token" {
		t.Errorf("the same again: %d %s", a.Status, a.Raw)
	}
	if a := o.ward.post(t, "/token", o.ask(t)); a.Status != http.StatusOK {
		t.Errorf("a new one: %d %s", a.Status, a.Raw)
	}
	o.clock.advance(11 * time.Minute)
	_, o.citizen = o.signIn(t, o.Browser(t), o.portal, "openid exchanges")
	for _, rec := range o.records(t, "") {
		if rec["outcome"] != "unanswered" {
			t.Errorf("%v", rec)
		}
	}
}

// TestAccountPageShowsExchanges: the citizen reads who asked for what in both languages, and nothing of what the law withholds.
func TestAccountPageShowsExchanges(t *testing.T) {
	o := openOffices(t, idptest.Options{})
	own := o.own(t, o.pension, "exchange.provide")
	id := o.ward.post(t, "/token", o.ask(t)).Text("exchange_id")
	o.confirm(t, own, id, `{"result":"provided","nondisclosure":0}`)
	o.ward.post(t, "/token", o.ask(t, "authorization_details", details("KODOMO-01", childBenefit, taxItem, "")))
	b := o.Browser(t)
	o.signIn(t, b, o.portal, "openid")
	p := b.Get("/account")
	for _, want := range []string{`data-exchange="provided"`, "見本区が「公的年金の加入状況」を問い合わせました", "見本年金事務所", "児童手当の認定", `data-exchange="refused"`, taxItem} {
		if !strings.Contains(p.Body, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	if en := b.Get("/account?lang=en"); !strings.Contains(en.Body, "見本区 (en) asked for “Pension membership”") {
		t.Error("not in English")
	}
	b.Get("/account?lang=ja")
	for range 5 {
		o.clock.advance(time.Second)
		hidden := o.ward.post(t, "/token", o.ask(t, "authorization_details", details("KODOMO-01", childBenefit, pensionItem, `,"nondisclosure":1`))).Text("exchange_id")
		o.confirm(t, own, hidden, `{"result":"provided","nondisclosure":0}`)
	}
	p = b.Get("/account")
	if !strings.Contains(p.Body, `data-exchange="withheld"`) || strings.Contains(p.Body, "見本区") || strings.Contains(p.Body, "公的年金") {
		t.Error("the page tells what is withheld")
	}
	for _, rec := range o.records(t, "limit=5") {
		if rec["withheld"] != float64(1) || len(rec) != 3 {
			t.Errorf("the API tells what is withheld: %v", rec)
		}
	}
}

// TestNoticeOfAnExchangeNamesNobodyWhoMayBeWithheld: a notice goes out before the provider has spoken, and cannot be taken back. It names
// the offices only of what was refused, without a ground.
func TestNoticeOfAnExchangeNamesNobodyWhoMayBeWithheld(t *testing.T) {
	o := openOffices(t, idptest.Options{})
	b := o.Browser(t)
	o.signIn(t, b, o.portal, "openid")
	named := func() int { // her own visits are told of as well
		body := b.Get("/account/notices").Body
		return strings.Count(body, "wardの店") + strings.Count(body, "pensionの店")
	}
	before := named()
	o.ward.post(t, "/token", o.ask(t))
	if named() != before {
		t.Error("a question that waits names the offices")
	}
	o.ward.post(t, "/token", o.ask(t, "authorization_details", details("KODOMO-01", childBenefit, taxItem, `,"nondisclosure":2`)))
	if named() != before {
		t.Error("a refused question with a ground names the offices")
	}
	o.ward.post(t, "/token", o.ask(t, "authorization_details", details("KODOMO-01", childBenefit, taxItem, "")))
	if named() == before {
		t.Error("a refused question without a ground does not say whose it was")
	}
	if n := strings.Count(b.Get("/account/notices").Body, "あなたについて"); n < 3 {
		t.Errorf("she was told %d times", n)
	}
}

// TestExchangesNeedTheirOwnScopes: a citizen's token for the record, a provider's own for a confirmation, and neither does for the other.
func TestExchangesNeedTheirOwnScopes(t *testing.T) {
	o := openOffices(t, idptest.Options{})
	id := o.ward.post(t, "/token", o.ask(t)).Text("exchange_id")
	_, bare := o.signIn(t, o.Browser(t), o.portal, "openid")
	machine, service := o.own(t, o.pension, "exchange.provide"), o.own(t, o.pension, "service")
	for _, token := range []string{bare, machine, service} {
		for _, path := range []string{"/api/account/exchanges", "/api/account/exchanges/" + id} {
			if a := o.Bearer(t, http.MethodGet, path, token); a.Status != http.StatusForbidden {
				t.Errorf("%s: %d %s", path, a.Status, a.Raw)
			}
		}
	}
	for _, token := range []string{bare, o.citizen, service} {
		if a := o.confirm(t, token, id, `{"result":"provided","nondisclosure":0}`); a.Status != http.StatusForbidden {
			t.Errorf("confirmed with a wrong token: %d %s", a.Status, a.Raw)
		}
	}
	if a := o.confirm(t, o.own(t, o.welfare, "exchange.provide"), id, `{"result":"provided","nondisclosure":0}`); a.Status != http.StatusNotFound {
		t.Errorf("another office: %d %s", a.Status, a.Raw)
	}
	for path, want := range map[string]int{
		"/api/account/exchanges?limit=101": 400, "/api/account/exchanges?body=132994": 400, "/api/account/exchanges/x": 404,
		"/api/account/exchanges/" + strings.Repeat("A", 26): 404, "/api/account/exchanges?body=132993&item=" + pensionItem: 200,
	} {
		if a := o.Bearer(t, http.MethodGet, path, o.citizen); a.Status != want {
			t.Errorf("%s: %d %s", path, a.Status, a.Raw)
		}
	}
}

// TestOfficeThatIsRefusedTooOftenIsSlowedDown: a run through made-up names is told nothing new, does not fill the record, and ends for names
// that are somebody's too; who has no basis never learns which they are.
func TestOfficeThatIsRefusedTooOftenIsSlowedDown(t *testing.T) {
	s := ephemeraltest.Open(t)
	o := openOffices(t, idptest.Options{Transient: s})
	var told []string
	for _, sub := range []string{o.sub, "nobody"} {
		a := o.ward.post(t, "/token", o.ask(t, "subject_token", o.subject(t, o.ward, sub, nil), "authorization_details", details("ZEI-01", childBenefit, taxItem, "")))
		told = append(told, fmt.Sprint(a.Status, a.Text("error"), a.Text("reason"), a.Text("error_description")))
	}
	if told[0] != told[1] || !strings.Contains(told[0], exchange.NoBasis.String()) {
		t.Errorf("without a basis: %q", told)
	}
	for range 10 { // what is allowed does not count
		if a := o.ward.post(t, "/token", o.ask(t)); a.Status != http.StatusOK {
			t.Fatalf("%d %s", a.Status, a.Raw)
		}
	}
	for range 280 { // what a run before this one left
		if ok, _, err := ratelimit.New(s, o.clock.now).Allow(t.Context(), ratelimit.Rule{Name: "exchange-refused", Limit: 300, Window: time.Minute}, "ward"); err != nil || !ok {
			t.Fatal(ok, err)
		}
	}
	counts := map[string]int{}
	for i := range 20 {
		a := o.ward.post(t, "/token", o.ask(t, "subject_token", o.subject(t, o.ward, fmt.Sprintf("nobody-%d", i), nil)))
		counts[a.Text("error")]++
	}
	if counts["invalid_request"] != 18 || counts["temporarily_unavailable"] != 2 {
		t.Errorf("%v", counts)
	}
	if n := rowsOf(t, o.DB, `SELECT count(*) FROM exchange_record WHERE account = ''`); n != 19 {
		t.Errorf("%d records", n)
	}
	if a := o.ward.post(t, "/token", o.ask(t)); a.Status != http.StatusTooManyRequests {
		t.Errorf("a name that is somebody's: %d %s", a.Status, a.Raw)
	}
	o.clock.advance(time.Minute)
	if a := o.ward.post(t, "/token", o.ask(t)); a.Status != http.StatusOK {
		t.Errorf("a minute later: %d %s", a.Status, a.Raw)
	}
}
