package idp_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/federation/exchange"
	"github.com/tsunagu-id/tsunagu/idp/idptest"
	"github.com/tsunagu-id/tsunagu/internal/ephemeral"
	"github.com/tsunagu-id/tsunagu/internal/ephemeral/ephemeraltest"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
	"github.com/tsunagu-id/tsunagu/internal/sqldb/sqldbtest"
)

// TestOfficeAsksAnotherForOneItem: on both databases, the whole of an exchange: the token says one item for one office, by that office's
// own name of the citizen; the provider confirms; she reads it, and not before the provider has answered.
func TestOfficeAsksAnotherForOneItem(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		o := openOffices(t, idptest.Options{DB: db})
		a := o.ward.post(t, "/token", o.ask(t))
		if a.Status != http.StatusOK || a.JSON["expires_in"] != float64(60) || a.Text("issued_token_type") != accessType || a.Text("refresh_token") != "" || a.Text("scope") != "" {
			t.Fatalf("%d %s", a.Status, a.Raw)
		}
		token, id := a.Text("access_token"), a.Text("exchange_id")
		if strings.Contains(token, ".") {
			t.Error("the requester could read the provider's name of the citizen")
		}
		told := o.pension.post(t, "/introspect", url.Values{"token": {token}})
		act, _ := told.JSON["act"].(map[string]any)
		granted, _ := told.JSON["authorization_details"].([]any)
		if told.JSON["active"] != true || told.Text("txn") != id || act["sub"] != "ward" || told.Text("client_id") != "ward" || len(granted) != 1 {
			t.Fatalf("introspection: %s", told.Raw)
		}
		one, _ := granted[0].(map[string]any)
		if one["requester"] != wardCode || one["basis"] != "KODOMO-01" || one["law"] != "番号法第19条第8号" || strings.Join(list(one["items"]), " ") != pensionItem {
			t.Errorf("granted: %v", one)
		}
		theirs, _ := o.signIn(t, o.Browser(t), o.pension, "openid")
		if told.Text("sub") != theirs || theirs == o.sub {
			t.Errorf("the provider knows her as %q and was told %q", theirs, told.Text("sub"))
		}
		if asker := o.ward.post(t, "/introspect", url.Values{"token": {token}}); asker.Text("sub") != o.sub {
			t.Errorf("the requester is told another name: %s", asker.Raw)
		}

		waiting := o.records(t, "")
		if len(waiting) != 1 || waiting[0]["outcome"] != "requested" || waiting[0]["requester"] != nil || waiting[0]["items"] != nil {
			t.Errorf("before the answer: %v", waiting)
		}
		own := o.own(t, o.pension, "exchange.provide")
		done := o.confirm(t, own, id, `{"result":"provided","nondisclosure":0}`)
		if done.Status != http.StatusOK || done.Text("result") != "provided" || done.Text("provided_at") == "" || done.JSON["late"] != false {
			t.Fatalf("confirmation: %d %s", done.Status, done.Raw)
		}
		if again := o.confirm(t, own, id, `{"nondisclosure":0,"result":"provided"}`); again.Raw != done.Raw {
			t.Errorf("the same again: %d %s", again.Status, again.Raw)
		}
		if other := o.confirm(t, own, id, `{"result":"none","nondisclosure":0}`); other.Status != http.StatusConflict || other.Text("error") != "exchange_settled" {
			t.Errorf("another word: %d %s", other.Status, other.Raw)
		}
		seen := o.records(t, "")
		if len(seen) != 1 {
			t.Fatalf("%d records", len(seen))
		}
		rec := seen[0]
		asker, _ := rec["requester"].(map[string]any)
		giver, _ := rec["provider"].(map[string]any)
		purpose, _ := rec["purpose"].(map[string]any)
		if rec["id"] != id || rec["outcome"] != "provided" || rec["provided_at"] == nil || asker["name"] != "見本区" || giver["body_code"] != pensionCode ||
			purpose["name"] != "児童手当の認定" || rec["law"] != "番号法第19条第8号" {
			t.Errorf("record: %v", rec)
		}
		if one := o.Bearer(t, http.MethodGet, "/api/account/exchanges/"+id, o.citizen); one.Status != http.StatusOK || one.Text("id") != id {
			t.Errorf("one: %d %s", one.Status, one.Raw)
		}
		if n := len(o.audits(t, exchange.EventProvided)); n != 1 {
			t.Errorf("%d provisions in the audit log", n)
		}
		if err := o.Audit.Verify(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// TestOfficeIsRefusedForAReason: each refusal has its word, is recorded as refused where it is about the citizen, and makes no token.
func TestOfficeIsRefusedForAReason(t *testing.T) {
	o := openOffices(t, idptest.Options{})
	draft, err := o.Exchanges.Propose(t.Context(), strings.NewReader(strings.ReplaceAll(goodBases, "KODOMO", "DRAFT")), "sato")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, reason, code string
		form               url.Values
	}{
		{"no basis of that name", "no_basis", "invalid_authorization_details", o.ask(t, "authorization_details", details("ZEI-01", childBenefit, pensionItem, ""))},
		{"a draft's basis", "basis_not_in_force", "invalid_authorization_details", o.ask(t, "authorization_details", details("DRAFT-01", childBenefit, pensionItem, ""))},
		{"a basis of later", "basis_not_in_force", "invalid_authorization_details", o.ask(t, "authorization_details", details("KODOMO-03", childBenefit, pensionItem, ""))},
		{"a basis of before", "basis_expired", "invalid_authorization_details", o.ask(t, "authorization_details", details("KODOMO-02", childBenefit, pensionItem, ""))},
		{"another procedure", "wrong_purpose", "invalid_authorization_details", o.ask(t, "authorization_details", details("KODOMO-01", "JT01010000000999", pensionItem, ""))},
		{"another office", "wrong_provider", "invalid_target", o.ask(t, "resource", welfareAPI)},
		{"a service that is no office", "wrong_provider", "invalid_target", o.ask(t, "resource", "https://stranger.example/api")},
		{"a resource nobody serves", "wrong_provider", "invalid_target", o.ask(t, "resource", "https://nobody.example/api")},
		{"an office that knows her by the same name", "wrong_provider", "invalid_target", o.ask(t, "resource", annexAPI)},
		{"another item", "wrong_item", "invalid_authorization_details", o.ask(t, "authorization_details", details("KODOMO-01", childBenefit, taxItem, ""))},
		{"nobody", "unknown_subject", "invalid_request", o.ask(t, "subject_token", o.subject(t, o.ward, "nobody", nil))},
	} {
		a := o.ward.post(t, "/token", tt.form)
		if a.Status != http.StatusBadRequest || a.Text("error") != tt.code || a.Text("reason") != tt.reason || a.Text("exchange_id") == "" {
			t.Errorf("%s: %d %s, want %s", tt.name, a.Status, a.Raw, tt.reason)
		}
		rec, err := o.Exchanges.Record(t.Context(), a.Text("exchange_id"))
		if err != nil || rec.Outcome != exchange.Refused || rec.Why != tt.reason || (rec.Account == "") != (tt.reason == "unknown_subject") {
			t.Errorf("%s: record %+v, %v", tt.name, rec, err)
		}
		audited(t, o.Hub, exchange.EventRefused, tt.reason)
		o.clock.advance(time.Second)
	}
	seen := o.records(t, "limit=100")
	if len(seen) != 10 {
		t.Errorf("she reads %d refusals, want all but the one about nobody", len(seen))
	}
	for _, rec := range seen {
		if rec["outcome"] != "refused" || rec["reason"] == nil || rec["requester"] == nil {
			t.Errorf("refused: %v", rec)
		}
	}
	if n := len(o.audits(t, exchange.EventRequested)); n != 0 {
		t.Errorf("%d requests were allowed", n)
	}
	// The approval itself ends.
	if _, err := o.Exchanges.Approve(t.Context(), draft.Version, "tanaka", o.clock.now(), o.clock.now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	o.clock.advance(time.Second)
	good := func() url.Values {
		return o.ask(t, "authorization_details", details("DRAFT-01", childBenefit, pensionItem, ""))
	}
	if a := o.ward.post(t, "/token", good()); a.Status != http.StatusOK {
		t.Errorf("in force: %d %s", a.Status, a.Raw)
	}
	if a := o.ward.post(t, "/token", o.ask(t)); a.Text("reason") != "basis_expired" {
		t.Errorf("a basis that the new set is without: %d %s", a.Status, a.Raw)
	}
	o.clock.advance(time.Hour)
	if a := o.ward.post(t, "/token", good()); a.Text("reason") != "basis_expired" {
		t.Errorf("after the approval: %d %s", a.Status, a.Raw)
	}
}

// TestOfficesRequestMustBeReadable: what is no request of an office is refused before anything is judged or recorded.
func TestOfficesRequestMustBeReadable(t *testing.T) {
	o := openOffices(t, idptest.Options{})
	own, foreign := o.own(t, o.ward, "service"), o.own(t, o.pension, "service")
	subject := func(changes map[string]any) url.Values {
		return o.ask(t, "subject_token", o.subject(t, o.ward, o.sub, changes))
	}
	now := o.clock.now()
	for _, tt := range []struct {
		name, code, reason string
		form               url.Values
	}{
		{"no details", "invalid_authorization_details", "", o.ask(t, "authorization_details", "")},
		{"two items", "invalid_authorization_details", "", o.ask(t, "authorization_details", details("KODOMO-01", childBenefit, pensionItem+`","`+taxItem, ""))},
		{"a member nobody knows", "invalid_authorization_details", "", o.ask(t, "authorization_details", details("KODOMO-01", childBenefit, pensionItem, `,"all":true`))},
		{"a ground there is not", "invalid_authorization_details", "", o.ask(t, "authorization_details", details("KODOMO-01", childBenefit, pensionItem, `,"nondisclosure":3`))},
		{"a scope", "invalid_scope", "", o.ask(t, "scope", "openid")},
		{"no target", "invalid_request", "", o.ask(t, "resource", "")},
		{"two targets", "invalid_request", "", o.ask(t, "audience", welfareAPI)},
		{"another type of token wanted", "invalid_request", "", o.ask(t, "requested_token_type", subjectJWT)},
		{"somebody else as actor", "invalid_request", "", o.ask(t, "actor_token", foreign, "actor_token_type", accessType)},
		{"signed by another office", "invalid_request", "subject_token", o.ask(t, "subject_token", o.subject(t, o.pension, o.sub, map[string]any{"iss": "ward"}))},
		{"typ of another token", "invalid_request", "subject_token", subject(map[string]any{"typ": "JWT"})},
		{"iss of another", "invalid_request", "subject_token", subject(map[string]any{"iss": "pension"})},
		{"for another hub", "invalid_request", "subject_token", subject(map[string]any{"aud": "https://other.example"})},
		{"two audiences", "invalid_request", "subject_token", subject(map[string]any{"aud": []string{o.Issuer, "https://other.example"}})},
		{"about nobody in particular", "invalid_request", "subject_token", subject(map[string]any{"sub": nil})},
		{"no jti", "invalid_request", "subject_token", subject(map[string]any{"jti": nil})},
		{"no iat", "invalid_request", "subject_token", subject(map[string]any{"iat": nil})},
		{"over", "invalid_request", "subject_token", subject(map[string]any{"iat": now.Add(-2 * time.Minute).Unix(), "exp": now.Add(-time.Minute).Unix()})},
		{"of later", "invalid_request", "subject_token", subject(map[string]any{"iat": now.Add(time.Minute).Unix(), "exp": now.Add(90 * time.Second).Unix()})},
		{"too long", "invalid_request", "subject_token", subject(map[string]any{"exp": now.Add(61 * time.Second).Unix()})},
		{"nonsense", "invalid_request", "subject_token", o.ask(t, "subject_token", "nonsense")},
	} {
		a := o.ward.post(t, "/token", tt.form)
		if a.Status != http.StatusBadRequest || a.Text("error") != tt.code || a.Text("reason") != tt.reason {
			t.Errorf("%s: %d %s, want %s", tt.name, a.Status, a.Raw, tt.code)
		}
	}
	if a := o.welfare.post(t, "/token", o.ask(t)); a.Text("reason") != "subject_token" {
		t.Errorf("another office with the ward's token: %d %s", a.Status, a.Raw)
	}
	if n := rowsOf(t, o.DB, `SELECT count(*) FROM exchange_record`); n != 0 {
		t.Errorf("%d records", n)
	}
	if a := o.ward.post(t, "/token", o.ask(t, "actor_token", own, "actor_token_type", accessType)); a.Status != http.StatusOK {
		t.Errorf("with its own actor token: %d %s", a.Status, a.Raw)
	}
}

// TestOnlyOfficesAskAboutCitizens: any other client with the grant is refused by name.
func TestOnlyOfficesAskAboutCitizens(t *testing.T) {
	_, made, h := signedHub(t, map[string]map[string]any{"shop": {"grant_types": []string{"authorization_code", exchangeGrant}, "scope": "openid"}})
	o := &offices{Hub: h, clock: &clock{t: made["shop"].now()}, ward: made["shop"], sub: "x"}
	if a := made["shop"].post(t, "/token", o.ask(t)); a.Text("error") != "unauthorized_client" || a.Text("reason") != "not_an_agency" {
		t.Errorf("%d %s", a.Status, a.Raw)
	}
}

// TestOfficesTokenGoesNowhereElse: not to the hub's own endpoints, and not on to another resource by a further exchange; it dies in a
// minute and with the office.
func TestOfficesTokenGoesNowhereElse(t *testing.T) {
	o := openOffices(t, idptest.Options{})
	token := o.ward.post(t, "/token", o.ask(t)).Text("access_token")
	for _, path := range []string{"/userinfo", "/api/account/exchanges", "/api/link"} {
		if a := o.Bearer(t, http.MethodGet, path, token); a.Status != http.StatusUnauthorized {
			t.Errorf("%s: %d %s", path, a.Status, a.Raw)
		}
	}
	for _, by := range []*signedClient{o.ward, o.pension} {
		if a := by.post(t, "/token", exchangeForm(token, welfareAPI)); a.Text("error") != "invalid_request" {
			t.Errorf("passed on by %s: %d %s", by.id, a.Status, a.Raw)
		}
	}
	look := func() idptest.Answer { return o.pension.post(t, "/introspect", url.Values{"token": {token}}) }
	if a := o.welfare.post(t, "/introspect", url.Values{"token": {token}}); a.JSON["active"] != false {
		t.Errorf("another office reads it: %s", a.Raw)
	}
	if err := o.Clients.Suspend(t.Context(), "ward", idptest.Because); err != nil {
		t.Fatal(err)
	}
	inactive(t, "suspended", look())
	if err := o.Clients.Resume(t.Context(), "ward", idptest.Because); err != nil {
		t.Fatal(err)
	}
	if a := look(); a.JSON["active"] != true {
		t.Errorf("back: %s", a.Raw)
	}
	o.clock.advance(time.Minute)
	inactive(t, "after a minute", look())
}

// TestOfficesTokenIsBoundToItsKey: the token of an office that proves a key is for that key.
func TestOfficesTokenIsBoundToItsKey(t *testing.T) {
	o := openOffices(t, idptest.Options{})
	a := o.ward.post(t, "/token", o.ask(t), o.ward.proof(t, http.MethodPost, o.Issuer+"/token", nil))
	if a.Status != http.StatusOK || a.Text("token_type") != "DPoP" {
		t.Fatalf("%d %s", a.Status, a.Raw)
	}
	told := o.pension.post(t, "/introspect", url.Values{"token": {a.Text("access_token")}})
	if cnf, _ := told.JSON["cnf"].(map[string]any); cnf["jkt"] != o.ward.thumbprint(t) {
		t.Errorf("introspection: %s", told.Raw)
	}
}

// TestOneRequestOfASubjectToken: the same subject token from a hundred requests at once asks once, on every store, and is recorded once.
func TestOneRequestOfASubjectToken(t *testing.T) {
	ephemeraltest.Each(t, func(t *testing.T, s ephemeral.Store) {
		o := openOffices(t, idptest.Options{Transient: s})
		form := o.ask(t)
		assertion := func() url.Values { return o.asserted(t, o.ward, form) }
		got := volley(t, func(int) *http.Request { return o.FormRequest(t, "/token", "", "", assertion()) })
		if got[http.StatusOK] != 1 || got[http.StatusBadRequest] != crowd-1 {
			t.Errorf("%v", got)
		}
		if n := rowsOf(t, o.DB, `SELECT count(*) FROM exchange_record`); n != 1 {
			t.Errorf("%d records", n)
		}
	})
}

// TestOneConfirmationCounts: a hundred confirmations of two kinds at once, on both databases: one kind is recorded, and only that one is
// answered with success.
func TestOneConfirmationCounts(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		o := openOffices(t, idptest.Options{DB: db})
		id := o.ward.post(t, "/token", o.ask(t)).Text("exchange_id")
		own := o.own(t, o.pension, "exchange.provide")
		got := volley(t, func(i int) *http.Request {
			body := []string{`{"result":"provided","nondisclosure":0}`, `{"result":"none","nondisclosure":1}`}[i%2]
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, o.Issuer+"/api/exchanges/"+id+"/provision", strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", "application/json")
			req.Header.Set("Authorization", "Bearer "+own)
			return req
		})
		if got[http.StatusOK] != crowd/2 || got[http.StatusConflict] != crowd/2 {
			t.Errorf("%v", got)
		}
		if n := len(o.audits(t, exchange.EventProvided)); n != 1 {
			t.Errorf("%d provisions in the audit log", n)
		}
	})
}
