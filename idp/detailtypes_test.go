package idp_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/tsunagu-id/tsunagu/idp/idptest"
)

const (
	application    = `{"type":"application","locations":["https://api.example/one"],"actions":["read","submit"],"identifier":"kosodate-01","datatypes":["income"]}`
	exchangeDetail = `{"type":"exchange","datatypes":["income.2025","residence"],"purpose":"児童手当の審査"}`
)

func detailHub(t *testing.T) (*signedClient, *idptest.Hub) {
	_, clients, h := signedHub(t, map[string]map[string]any{"shop": {
		"resources": []string{"https://api.example/one"}, "authorization_details_types": []string{"application", "exchange"},
	}})
	return clients["shop"], h
}

// TestAuthorizationDetailsSyntax: RFC 9396 §5: an unknown type or member, a wrong value or place is invalid_authorization_details, and not
// ignored: nobody could show it to the citizen.
func TestAuthorizationDetailsSyntax(t *testing.T) {
	shop, h := detailHub(t)
	b := h.Browser(t)
	nine := "[" + strings.TrimSuffix(strings.Repeat(exchangeDetail+",", 9), ",") + "]"
	seventeen := make([]string, 17)
	for i := range seventeen {
		seventeen[i] = fmt.Sprintf(`"a%d"`, i)
	}
	for _, tt := range []struct {
		name, details string
		ok            bool
	}{
		{"application", "[" + application + "]", true},
		{"both", " [" + application + "," + exchangeDetail + "] ", true},
		{"the least", `[{"type":"application","actions":["read"],"identifier":"a"}]`, true},
		{"at the hub itself", `[{"type":"exchange","locations":["` + h.Issuer + `"],"datatypes":["a"],"purpose":"x"}]`, true},
		{"no JSON", "application", false},
		{"one object, no list", application, false},
		{"empty list", "[]", false},
		{"null", "null", false},
		{"list of null", "[null]", false},
		{"list of text", `["application"]`, false},
		{"two texts", "[]" + "[" + application + "]", false},
		{"no type", `[{"actions":["read"],"identifier":"a"}]`, false},
		{"type is a number", `[{"type":1}]`, false},
		{"unknown type", `[{"type":"payment_initiation","actions":["read"]}]`, false},
		{"unknown member", `[{"type":"application","actions":["read"],"identifier":"a","amount":"1"}]`, false},
		{"member of the other type", `[{"type":"application","actions":["read"],"identifier":"a","purpose":"x"}]`, false},
		{"member twice", `[{"type":"application","actions":["read"],"actions":["submit"],"identifier":"a"}]`, false},
		{"no identifier", `[{"type":"application","actions":["read"]}]`, false},
		{"no actions", `[{"type":"application","identifier":"a"}]`, false},
		{"empty actions", `[{"type":"application","actions":[],"identifier":"a"}]`, false},
		{"unknown action", `[{"type":"application","actions":["pay"],"identifier":"a"}]`, false},
		{"action twice", `[{"type":"application","actions":["read","read"],"identifier":"a"}]`, false},
		{"actions are text", `[{"type":"application","actions":"read","identifier":"a"}]`, false},
		{"identifier with a space", `[{"type":"application","actions":["read"],"identifier":"a b"}]`, false},
		{"empty identifier", `[{"type":"application","actions":["read"],"identifier":""}]`, false},
		{"foreign place", `[{"type":"exchange","locations":["https://api.example/two"],"datatypes":["a"],"purpose":"x"}]`, false},
		{"no purpose", `[{"type":"exchange","datatypes":["a"]}]`, false},
		{"purpose that turns the text round", `[{"type":"exchange","datatypes":["a"],"purpose":"x\u202ey"}]`, false},
		{"purpose that nobody sees", `[{"type":"exchange","datatypes":["a"],"purpose":"\u3164"}]`, false},
		{"purpose of two lines", `[{"type":"exchange","datatypes":["a"],"purpose":"x\ny"}]`, false},
		{"long purpose", `[{"type":"exchange","datatypes":["a"],"purpose":"` + strings.Repeat("あ", 101) + `"}]`, false},
		{"17 items", `[{"type":"exchange","purpose":"x","datatypes":[` + strings.Join(seventeen, ",") + `]}]`, false},
		{"nine objects", nine, false},
		{"deep", strings.Repeat("[", 2000) + strings.Repeat("]", 2000), false},
		{"more than 8 KiB", `[{"type":"` + strings.Repeat("x", 8<<10) + `"}]`, false},
	} {
		r := shop.request("authorization_details", tt.details)
		a := shop.post(t, "/par", r.Params)
		if (a.Status == http.StatusCreated) != tt.ok || !tt.ok && a.Text("error") != "invalid_authorization_details" {
			t.Errorf("%s: %d %s", tt.name, a.Status, a.Raw)
		}
	}
	// A client registered for no type, and an error at the authorization endpoint.
	p := b.Get(idptest.NewRequest("authorization_details", "["+exchangeDetail+"]").Path())
	if p.URL.Query().Get("error") != "invalid_authorization_details" {
		t.Errorf("%s", p.URL)
	}
}

// TestAuthorizationDetailsAreAskedEachTime: what is asked in detail is shown in words, in both languages, and agreed to every time; the
// token answer says what was granted (RFC 9396 §7).
func TestAuthorizationDetailsAreAskedEachTime(t *testing.T) {
	shop, h := detailHub(t)
	b := h.Browser(t)
	b.SignIn(b.Get(shop.request().Path()), "taro")
	details := "[" + application + "," + exchangeDetail + "]"
	for range 2 {
		r := shop.request("authorization_details", details)
		p := b.Get(r.Path())
		if p.URL.Path != "/consent" {
			t.Fatalf("%d %s %s", p.Status, p.URL, p.Error())
		}
		for _, want := range []string{`data-detail="application"`, "kosodate-01", "代わって提出", "income", `data-detail="exchange"`, "income.2025", "residence", "児童手当の審査", "https://api.example/one"} {
			if !strings.Contains(p.Body, want) {
				t.Errorf("consent lacks %s", want)
			}
		}
		if strings.Contains(p.Body, "取り下げる") {
			t.Error("an action nobody asked for")
		}
		if strings.Contains(p.Body, "住所、生年月日") { // an item may be just that
			t.Error("the page promises what it cannot know")
		}
		if en := b.Get(p.URL.String() + "&lang=en"); !strings.Contains(en.Body, "Submit it for you") {
			t.Error(en.Body)
		}
		b.Get(p.URL.String() + "&lang=ja")
		end := b.Post("/consent", url.Values{"tx": {p.Tx()}, "decision": {"allow"}})
		code := end.URL.Query().Get("code")
		form := url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {"https://shop.example/cb"}, "code_verifier": {r.Verifier}}
		tokens := shop.post(t, "/token", form)
		got, err := json.Marshal(tokens.JSON["authorization_details"])
		if err != nil {
			t.Fatal(err)
		}
		var want, have any
		if json.Unmarshal([]byte(details), &want) != nil || json.Unmarshal(got, &have) != nil || fmt.Sprint(want) != fmt.Sprint(have) {
			t.Errorf("%d %s", tokens.Status, tokens.Raw)
		}
	}
	if p := b.Get(shop.request("authorization_details", details, "prompt", "none").Path()); p.URL.Query().Get("error") != "consent_required" {
		t.Errorf("prompt=none: %s", p.URL)
	}
	if p := b.Get(shop.request("prompt", "none").Path()); p.URL.Query().Get("code") == "" {
		t.Errorf("without details: %s", p.URL)
	}
}

// TestDetailsAreNotGrantedBeforeTheyAreRecorded: the hub stops between the citizen's press and the record of it. The scopes are covered by
// an earlier consent; the details are not, and she is asked again.
func TestDetailsAreNotGrantedBeforeTheyAreRecorded(t *testing.T) {
	shop, h := detailHub(t)
	b := h.Browser(t)
	b.SignIn(b.Get(shop.request().Path()), "taro")
	rename := func(from, to string) {
		if _, err := h.DB.Exec(t.Context(), "ALTER TABLE "+from+" RENAME TO "+to); err != nil {
			t.Fatal(err)
		}
	}
	p := b.Get(shop.request("authorization_details", "["+application+"]").Path())
	address, allow := p.URL.String(), url.Values{"tx": {p.Tx()}, "decision": {"allow"}}
	rename("audit_event", "audit_event_away")
	if p = b.Post("/consent", allow); p.Status != http.StatusInternalServerError {
		t.Fatalf("not recorded, and yet %d %s", p.Status, p.URL)
	}
	rename("audit_event_away", "audit_event")
	if p = b.Get(address); p.URL.Path != "/consent" {
		t.Errorf("granted without a record: %d %s", p.Status, p.URL)
	}
	if p = b.Post("/consent", allow); p.URL.Query().Get("code") == "" {
		t.Errorf("asked again and allowed: %d %s %s", p.Status, p.URL, p.Error())
	}
}

// TestResourceIndicatorsOfARequest: RFC 8707 §2: those the client registered and the hub's own, several of them, and nothing else.
func TestResourceIndicatorsOfARequest(t *testing.T) {
	shop, h := detailHub(t)
	b := h.Browser(t)
	b.SignIn(b.Get(shop.request().Path()), "taro")
	for _, tt := range []struct {
		name      string
		resources []string
		error     string
	}{
		{"registered", []string{"https://api.example/one"}, ""},
		{"the hub", []string{h.Issuer}, ""},
		{"both, one of them twice", []string{h.Issuer, "https://api.example/one", h.Issuer}, ""},
		{"another", []string{"https://api.example/two"}, "invalid_target"},
		{"one of two", []string{"https://api.example/one", "https://api.example/two"}, "invalid_target"},
		{"longer path", []string{"https://api.example/one/more"}, "invalid_target"},
		{"with a fragment", []string{"https://api.example/one#x"}, "invalid_target"},
		{"relative", []string{"/one"}, "invalid_target"},
		{"empty ones", []string{"", ""}, ""},
	} {
		r := shop.request()
		r.Params["resource"] = tt.resources
		p := b.Get(r.Path())
		if q := p.URL.Query(); q.Get("error") != tt.error || (tt.error == "") != (q.Get("code") != "") {
			t.Errorf("%s: %s %s", tt.name, p.URL, p.Error())
		}
		if a := shop.post(t, "/par", r.Params); (a.Status == http.StatusCreated) != (tt.error == "") || a.Text("error") != tt.error {
			t.Errorf("%s pushed: %d %s", tt.name, a.Status, a.Raw)
		}
	}
}
