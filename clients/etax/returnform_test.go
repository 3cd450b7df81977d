package etax

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/clients/rp/rptest"
)

func TestFiguresAreJudgedFieldByField(t *testing.T) {
	w := newWorld(t)
	taro := w.browser()
	taro.bind(demoNumber, demoPassword)
	taro.get("/returns/new")
	page := taro.post("/returns/new", "salary", "五百万", "withheld", "", "social", "1", "medical", "12a")
	wantAt(t, page, "/returns/new", "input_missing")
	if page.Status != http.StatusUnprocessableEntity || !page.Has(`value="五百万"`, `value="12a"`, `value="1"`) {
		t.Error("what was typed is lost")
	}
	for _, id := range []string{"salary", "withheld", "medical"} {
		if !page.Has(`href="#`+id+`"`, `id="`+id+`-error"`) {
			t.Errorf("%s is not named", id)
		}
	}
	if page.Has(`id="social-error"`) {
		t.Error("social is named")
	}
	page = taro.post("/returns/new", "salary", "100", "withheld", "101", "social", "100")
	if !page.Has(`id="withheld-error"`) || page.Has(`id="social-error"`) {
		t.Error("more withheld than paid")
	}
}

// A session that ends in the middle of the form loses nothing, and shows nothing to anybody else.
func TestFormSurvivesTheEndOfTheSession(t *testing.T) {
	w := newWorld(t)
	taro := w.browser()
	taro.bind(demoNumber, demoPassword)
	form := taro.get("/returns/new")
	w.advance(31 * time.Minute)
	w.hub.Set(func(s *rptest.Settings) { s.Person = "" }) // the hub's session is over, too
	answers := []string{"salary", "4,321,000", "withheld", "98,700", "social", "abc", "medical", "", "for", form.Hidden("/returns/new").Get("for")}
	page := taro.post("/returns/new", answers...)
	if !page.Has("the hub would ask for the card here") {
		t.Fatalf("at %s: %s", page.URL, page.Body)
	}
	w.hub.Set(func(s *rptest.Settings) { s.Person = "taro" })
	back := taro.post("/returns/new", answers...)
	if back.URL.Path != "/returns/new" || !back.Has(`id="kept"`, `value="4,321,000"`, `value="98,700"`, `value="abc"`) {
		t.Fatalf("at %s: %s", back.URL, back.Body)
	}
	if done := taro.post("/returns/new", "salary", "4,321,000", "withheld", "98,700", "social", "0"); !strings.HasPrefix(done.URL.Path, "/returns/") || !done.Has("4,321,000円") {
		t.Errorf("at %s", done.URL)
	}
	// Somebody else who signs in at this browser sees none of it.
	w.advance(31 * time.Minute)
	w.hub.Set(func(s *rptest.Settings) { s.Person = "hanako" })
	hanako := w.browser()
	hanako.bind(otherNumber, "other-password")
	if page := hanako.get(back.URL.RequestURI()); page.URL.Path != "/returns/new" || page.Has("4,321,000") {
		t.Errorf("hanako at %s sees it", page.URL)
	}
	// Nor does a form that was shown to one do anything for another.
	if page := hanako.post("/returns/new", answers...); page.Error() != "person_changed" || page.Has("4,321,000") {
		t.Errorf("%q at %s", page.Error(), page.URL)
	}
}

var fingerprint = regexp.MustCompile(`<code id="fingerprint">[^<]+</code>`)

func TestDraftIsKeptAndEdited(t *testing.T) {
	w := newWorld(t)
	taro, draft := drafted(t, w)
	form := taro.get("/returns/new")
	if !form.Has(`value="5,000,000"`, `value="700,000"`) {
		t.Fatal("the draft is not in the form")
	}
	if again := taro.post("/returns/new", "salary", "5000000", "withheld", "120000", "social", "700000"); again.URL.Path != draft.URL.Path || !again.Has(fingerprint.FindString(draft.Body)) {
		t.Error("the same figures made another document")
	}
	if home := taro.get("/home"); !home.Has(`id="open-draft"`) || home.Has(`id="new-return"`) {
		t.Error("the list has no draft")
	}
	// By number one reads it only.
	owner := w.browser()
	owner.post("/number", "number", demoNumber, "password", demoPassword)
	if page := owner.get(draft.URL.Path); page.Status != http.StatusOK || page.Has(`id="return-send"`) {
		t.Errorf("%d", page.Status)
	}
	w.config.SignatureAuthorities = nil
	w.restart()
	if page := taro.get("/returns/new"); page.Status != http.StatusNotFound {
		t.Errorf("a site without authorities: %d", page.Status)
	}
}

func TestYen(t *testing.T) {
	for s, want := range map[string]Yen{
		"0": 0, "1": 1, "1,234": 1234, "１，２３４円": 1234, " 12 000 ": 12000, "9999999999": 9999999999, "0000000000007": 7,
	} {
		if got, ok := ParseYen(s); !ok || got != want {
			t.Errorf("%q: %d %v", s, got, ok)
		}
	}
	for _, s := range []string{"", "円", "-1", "+1", "1.5", "10000000000", "99999999999999999999", "1e3", "abc", strings.Repeat("0", 300), "0x10", "１a"} {
		if got, ok := ParseYen(s); ok {
			t.Errorf("%q is %d", s, got)
		}
	}
	for y, want := range map[Yen]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1000: "-1,000", -100: "-100"} {
		if got := y.String(); got != want {
			t.Errorf("%d is %q", int64(y), got)
		}
	}
}

// The amounts were worked out by hand with the tables for 2025.
func TestTax(t *testing.T) {
	for _, tt := range []struct {
		figures Figures
		want    Tax
	}{
		{Figures{Salary: 5_000_000, Withheld: 120_000, Social: 700_000}, Tax{
			Income: 3_560_000, Social: 700_000, Basic: 680_000, Relief: 1_380_000, Taxable: 2_180_000,
			IncomeTax: 120_500, Reconstruction: 2_530, Total: 123_030, Pay: 3_000,
		}},
		{Figures{Salary: 5_000_000, Withheld: 130_000, Social: 700_000, Medical: 150_000}, Tax{
			Income: 3_560_000, Social: 700_000, Medical: 50_000, Basic: 680_000, Relief: 1_430_000, Taxable: 2_130_000,
			IncomeTax: 115_500, Reconstruction: 2_425, Total: 117_925, Refund: 12_075,
		}},
		{Figures{Salary: 600_000, Withheld: 1}, Tax{Basic: 950_000, Relief: 950_000, Refund: 1}},
		{Figures{Salary: 30_000_000}, Tax{
			Income: 28_050_000, Taxable: 28_050_000, IncomeTax: 8_424_000, Reconstruction: 176_904, Total: 8_600_904, Pay: 8_600_900,
		}},
	} {
		if got := tt.figures.Compute(); got != tt.want {
			t.Errorf("%+v: %+v", tt.figures, got)
		}
	}
}
