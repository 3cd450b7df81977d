package main

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/clients/agency"
	"github.com/tsunagu-id/tsunagu/federation/exchange"
)

// records are the hub's, of taro.
func (w *world) records() []exchange.Record {
	w.t.Helper()
	rows, err := w.DB.Query(w.t.Context(), `SELECT id FROM exchange_record ORDER BY id`)
	must(w.t, err)
	var ids []string
	for rows.Next() {
		var id string
		must(w.t, rows.Scan(&id))
		ids = append(ids, id)
	}
	must(w.t, rows.Err())
	must(w.t, rows.Close())
	var all []exchange.Record
	for _, id := range ids {
		r, err := w.Exchanges.Record(w.t.Context(), id)
		must(w.t, err)
		all = append(all, r)
	}
	return all
}

// sub is what an office calls the one person who uses it as a citizen.
func (p *place) sub(query string) string {
	p.w.t.Helper()
	var sub string
	must(p.w.t, p.db.QueryRow(p.w.t.Context(), query).Scan(&sub))
	return sub
}

// TestAnOfficeAsksAnother: the whole of it against a real hub: he applies here, his record lies there, a clerk asks, the answer is on the
// case, the record of it at the hub; and neither office has seen what the other calls him.
func TestAnOfficeAsksAnother(t *testing.T) {
	w := newWorld(t)
	w.pension.run()
	taro, hanako := w.person("taro"), w.person("hanako")
	if got := taro.get(w.city, "/desk"); got.status != http.StatusForbidden || got.refusal() != "not_staff" {
		t.Errorf("a citizen at the desk: %d %s", got.status, got.refusal())
	}
	at := w.applies(taro, hanako)
	if got := taro.get(w.city, at); got.refusal() != "not_staff" {
		t.Errorf("a citizen at a case: %d %s", got.status, got.refusal())
	}
	got := hanako.post(w.city, at, at+"/inquiries", "item", item)
	if got.status != http.StatusOK || !got.has(`data-state="answered"`, "第2号被保険者", "2003年4月1日", "2026年11月1日") {
		t.Fatalf("asked: %d at %s %s\n%s", got.status, got.path, got.refusal(), w.city.log.String())
	}
	eventually(t, "the hub has not heard of the provision", func() bool {
		all := w.records()
		return len(all) == 1 && all[0].Outcome == exchange.Provided
	})
	atCity, atPension := w.city.sub(`SELECT sub FROM agency_application`), w.pension.sub(`SELECT sub FROM agency_tie`)
	if atCity == "" || atPension == "" || atCity == atPension {
		t.Fatalf("he is %q here and %q there", atCity, atPension)
	}
	for _, look := range []struct {
		name       string
		at         *place
		own, other string
	}{{"city", w.city, atCity, atPension}, {"pension", w.pension, atPension, atCity}} {
		kept := look.at.everything()
		if !strings.Contains(kept, look.own) {
			t.Errorf("%s: its own name for him is not where it should be: the search finds nothing", look.name)
		}
		if strings.Contains(kept, look.other) {
			t.Errorf("%s has seen what the other office calls him", look.name)
		}
		if strings.Contains(look.at.log.String(), look.own) {
			t.Errorf("%s writes names into its log", look.name)
		}
	}
	desk := w.person("hanako")
	desk.join(w.pension)
	if got := desk.get(w.pension, "/desk"); !got.has("つなぐに報告済み", cityCode, item) {
		t.Errorf("pension's desk: %d\n%s", got.status, got.body)
	}
}

// TestRefusalsAreShownInWordsAndRecorded: under a wrong basis, item, purpose or provider, or an approval that has ended, nothing is answered;
// the case says why, the hub's record too; and once the cause is gone the clerk asks again.
func TestRefusalsAreShownInWordsAndRecorded(t *testing.T) {
	w := newWorld(t)
	taro, hanako := w.person("taro"), w.person("hanako")
	at := w.applies(taro, hanako)
	elsewhere := w.inquiry("KODOMO-01", purpose, item)
	elsewhere.Resource = agency.Resource(w.city.server.URL)
	for _, tt := range []struct {
		why string
		q   agency.Inquiry
	}{
		{"no_basis", w.inquiry("ZEI-01", purpose, item)},
		{"basis_expired", w.inquiry("KODOMO-02", purpose, item)},
		{"wrong_purpose", w.inquiry("KODOMO-01", otherJob, item)},
		{"wrong_item", w.inquiry("KODOMO-01", purpose, otherItem)},
		{"wrong_provider", elsewhere},
	} {
		w.city.config.Inquiries = []agency.Inquiry{tt.q}
		w.city.start()
		got := hanako.post(w.city, at, at+"/inquiries", "item", tt.q.Item)
		if state, why := w.state(hanako, at, tt.q.Item); state != "refused" || why != tt.why {
			t.Errorf("%s: %s, %s (%d)", tt.why, state, why, got.status)
		}
		w.past.Add(1)
		found := false
		for _, r := range w.records() {
			found = found || r.Outcome == exchange.Refused && r.Why == tt.why && r.Account != ""
		}
		if !found {
			t.Errorf("%s: not recorded as refused", tt.why)
		}
	}
	if n := w.pension.calls.Load(); n != 0 {
		t.Errorf("the pension office was asked %d times", n)
	}
	w.city.config.Inquiries = []agency.Inquiry{w.inquiry("KODOMO-01", purpose, item)}
	w.city.start()
	hanako.post(w.city, at, at+"/inquiries", "item", item)
	if state, why := w.state(hanako, at, item); state != "answered" {
		t.Errorf("asked again: %s, %s", state, why)
	}
	// The approval of the whole table ends.
	set, err := w.Exchanges.Propose(t.Context(), strings.NewReader(strings.ReplaceAll(bases, "KODOMO-01", "KODOMO-09")), "sato")
	must(t, err)
	_, err = w.Exchanges.Approve(t.Context(), set.Version, "tanaka", w.now(), w.now().Add(time.Minute))
	must(t, err)
	w.past.Add(120)
	w.city.config.Inquiries = []agency.Inquiry{w.inquiry("KODOMO-09", purpose, otherItem)}
	w.city.start()
	hanako.post(w.city, at, at+"/inquiries", "item", otherItem)
	if state, why := w.state(hanako, at, otherItem); state != "refused" || why != "basis_expired" {
		t.Errorf("expired approval: %s, %s", state, why)
	}
}

// TestSilenceLosesNothing: with the other office down, or the hub, the case says who is silent; the row waits through the end of the process; the
// next try goes on where the last one stopped, with the same exchange while its token is good.
func TestSilenceLosesNothing(t *testing.T) {
	w := newWorld(t)
	w.pension.run()
	taro, hanako := w.person("taro"), w.person("hanako")
	at := w.applies(taro, hanako)
	w.city.hub.deaf.Store("/token")
	hanako.post(w.city, at, at+"/inquiries", "item", item)
	if state, why := w.state(hanako, at, item); state != "waiting" || why != "hub_silent" {
		t.Fatalf("hub down: %s, %s", state, why)
	}
	w.city.hub.deaf.Store("")
	w.pension.down.Store(true)
	hanako.post(w.city, at, at+"/inquiries", "item", item)
	if state, why := w.state(hanako, at, item); state != "waiting" || why != "office_silent" {
		t.Fatalf("office down: %s, %s", state, why)
	}
	w.city.start() // killed in between
	hanako.post(w.city, at, at+"/inquiries", "item", item)
	w.pension.down.Store(false)
	w.city.run()
	w.past.Add(10) // the next try is due, and nobody presses anything
	eventually(t, "the inquiry was not tried again", func() bool { state, _ := w.state(hanako, at, item); return state == "answered" })
	if all := w.records(); len(all) != 1 {
		t.Errorf("%d exchanges, want one: its token was good all the time", len(all))
	}
}

// TestPressedTwiceAsksOnce: forty presses at once make one exchange and one answer.
func TestPressedTwiceAsksOnce(t *testing.T) {
	w := newWorld(t)
	taro, hanako := w.person("taro"), w.person("hanako")
	at := w.applies(taro, hanako)
	m := mark.FindStringSubmatch(hanako.get(w.city, at).body)
	var presses sync.WaitGroup
	for range 40 {
		presses.Go(func() {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.city.server.URL+at+"/inquiries", strings.NewReader("item="+item+"&for="+m[1]))
			if err != nil {
				t.Error(err)
				return
			}
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Set("Sec-Fetch-Site", "same-origin")
			resp, err := hanako.own.Do(r)
			if err != nil {
				t.Error(err)
				return
			}
			_ = resp.Body.Close()
		})
	}
	presses.Wait()
	if state, why := w.state(hanako, at, item); state != "answered" {
		t.Errorf("%s, %s", state, why)
	}
	if all := w.records(); len(all) != 1 || w.pension.calls.Load() != 1 {
		t.Errorf("%d exchanges, %d questions", len(all), w.pension.calls.Load())
	}
}

// TestConfirmationSurvivesTheEndOfTheProcess: the answer is given, the hub is not told, the process is gone; the next one tells it.
func TestConfirmationSurvivesTheEndOfTheProcess(t *testing.T) {
	w := newWorld(t)
	w.pension.hub.deaf.Store("/api/exchanges")
	w.pension.run()
	taro, hanako := w.person("taro"), w.person("hanako")
	at := w.applies(taro, hanako)
	hanako.post(w.city, at, at+"/inquiries", "item", item)
	if state, why := w.state(hanako, at, item); state != "answered" {
		t.Fatalf("%s, %s", state, why)
	}
	if all := w.records(); len(all) != 1 || all[0].Outcome != exchange.Asked {
		t.Fatalf("the hub has heard of it: %+v", all)
	}
	w.pension.start()
	w.pension.hub.deaf.Store("")
	w.past.Add(60)
	w.pension.run()
	eventually(t, "the hub was never told", func() bool { return w.records()[0].Outcome == exchange.Provided })
}

// TestNobodyWorksOnTheirOwnCase: staff apply like anybody, and a colleague asks.
func TestNobodyWorksOnTheirOwnCase(t *testing.T) {
	w := newWorld(t)
	hanako := w.person("hanako")
	if got := hanako.post(w.city, "/apply", "/apply", "children", "1", "youngest", "20240401"); got.path != "/applications" {
		t.Fatalf("%d at %s", got.status, got.path)
	}
	hanako.join(w.city)
	at := w.caseOf(hanako)
	got := hanako.get(w.city, at)
	if !got.has("あなた自身の申請です") || got.has("data-ask=") {
		t.Error("she is invited to work on it")
	}
	if got := hanako.get(w.city, "/desk/cases/nothing"); got.status != http.StatusNotFound || got.refusal() != "case_unknown" {
		t.Errorf("a case of nobody: %d %s", got.status, got.refusal())
	}
	taro := w.person("taro")
	taro.join(w.city)
	theirs := mark.FindStringSubmatch(taro.get(w.city, at).body)
	if got := hanako.do(http.MethodPost, w.city.server.URL+at+"/inquiries", map[string][]string{"item": {item}, "for": {theirs[1]}}); got.refusal() != "person_changed" {
		t.Errorf("with a form that was shown to somebody else: %d %s", got.status, got.refusal())
	}
	w.past.Add(1) // his is the newest on the desk
	taro.post(w.city, "/apply", "/apply", "children", "1", "youngest", "20240401")
	if got := hanako.post(w.city, w.caseOf(hanako), at+"/inquiries", "item", item); got.status != http.StatusForbidden || got.refusal() != "own_case" {
		t.Errorf("her own case: %d %s", got.status, got.refusal())
	}
	if n := len(w.records()); n != 0 {
		t.Errorf("%d exchanges", n)
	}
	// What a colleague was told may be what the law keeps from her.
	if got := taro.post(w.city, at, at+"/inquiries", "item", item); got.status != http.StatusOK || !got.has("data-state=") {
		t.Errorf("a colleague: %d %s", got.status, got.refusal())
	}
	if got := hanako.get(w.city, at); got.status != http.StatusOK || got.has("data-state=") || got.has("data-inquiry=") {
		t.Error("she reads what was answered about her")
	}
}
