package idp_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/tsunagu-id/tsunagu/federation/exchange"
	"github.com/tsunagu-id/tsunagu/idp/idptest"
)

// TestOfficeProtectsACitizen: an office says by its own name for her that what is asked about her is kept from her page, and later that it
// is not any more; who is no office, asks with another token or writes something else is refused.
func TestOfficeProtectsACitizen(t *testing.T) {
	o := openOffices(t, idptest.Options{})
	say := func(token, body string) idptest.Answer {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, o.Issuer+"/api/exchanges/protection", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Authorization", "Bearer "+token)
		return send(t, req)
	}
	own := o.own(t, o.ward, "exchange.protect")
	last := o.clock.now().AddDate(1, 0, 0).Format("2006-01-02")
	hers := `"sub":"` + o.sub + `"`
	good := `{` + hers + `,"nondisclosure":1,"until":"` + last + `"}`
	for _, tt := range []struct {
		name, token, body string
		status            int
		code              string
	}{
		{"the citizen's token", o.citizen, good, http.StatusForbidden, "insufficient_scope"},
		{"a token for confirmations", o.own(t, o.ward, "exchange.provide"), good, http.StatusForbidden, "insufficient_scope"},
		{"no office", o.own(t, o.stranger, "exchange.protect"), good, http.StatusForbidden, "not_an_agency"},
		{"another office's name for her", o.own(t, o.pension, "exchange.protect"), good, http.StatusNotFound, "unknown_subject"},
		{"nobody", own, strings.Replace(good, o.sub, "nobody", 1), http.StatusNotFound, "unknown_subject"},
		{"no name", own, `{"nondisclosure":0}`, http.StatusBadRequest, "invalid_request"},
		{"no ground", own, `{` + hers + `,"until":"` + last + `"}`, http.StatusBadRequest, "invalid_request"},
		{"no end", own, `{` + hers + `,"nondisclosure":1}`, http.StatusBadRequest, "invalid_request"},
		{"another ground", own, `{` + hers + `,"nondisclosure":3,"until":"` + last + `"}`, http.StatusBadRequest, "invalid_request"},
		{"an end with an end", own, `{` + hers + `,"nondisclosure":0,"until":"` + last + `"}`, http.StatusBadRequest, "invalid_request"},
		{"another member", own, `{` + hers + `,"nondisclosure":1,"until":"` + last + `","x":1}`, http.StatusBadRequest, "invalid_request"},
		{"over", own, `{` + hers + `,"nondisclosure":1,"until":"2020-01-01"}`, http.StatusBadRequest, "period_invalid"},
	} {
		if a := say(tt.token, tt.body); a.Status != tt.status || a.Text("error") != tt.code {
			t.Errorf("%s: %d %s", tt.name, a.Status, a.Raw)
		}
	}
	if n := len(o.audits(t, exchange.EventProtected)); n != 0 {
		t.Fatalf("%d protections", n)
	}
	if a := say(own, good); a.Status != http.StatusNoContent || a.Raw != "" {
		t.Errorf("protected: %d %s", a.Status, a.Raw)
	}
	asked := o.ward.post(t, "/token", o.ask(t))
	if asked.Status != http.StatusOK || strings.Contains(asked.Raw, "nondisclosure") {
		t.Errorf("the office that asks is told: %s", asked.Raw)
	}
	confirmed := o.confirm(t, o.own(t, o.pension, "exchange.provide"), asked.Text("exchange_id"), `{"result":"provided","nondisclosure":0}`)
	if confirmed.Status != http.StatusOK || confirmed.JSON["nondisclosure"] != float64(0) {
		t.Errorf("the office that answers is told: %s", confirmed.Raw)
	}
	if seen := o.records(t, ""); len(seen) != 1 || seen[0]["withheld"] != float64(1) || len(seen[0]) != 3 {
		t.Errorf("she reads %v", seen)
	}
	if a := say(own, `{`+hers+`,"nondisclosure":0}`); a.Status != http.StatusNoContent {
		t.Errorf("ended: %d %s", a.Status, a.Raw)
	}
	if n := len(o.audits(t, exchange.EventUnprotected)); n != 1 {
		t.Errorf("%d ends in the audit log", n)
	}
}
