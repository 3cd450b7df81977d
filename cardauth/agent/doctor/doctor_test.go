package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/cardauth/agent"
	"github.com/tsunagu-id/tsunagu/cardauth/jpki"
)

var noon = time.Date(2026, 11, 23, 3, 0, 0, 0, time.UTC)

// computer is what there is to look at.
type computer struct {
	cards      []agent.Facts
	fault      error // of every card
	readers    error
	hub        agent.HubState
	running    string
	link, auto bool
	unknown    bool
}

func (c computer) Cards(context.Context) ([]agent.CardChoice, error) {
	if c.readers != nil {
		return nil, c.readers
	}
	var out []agent.CardChoice
	for i := range c.cards {
		out = append(out, agent.CardChoice{Name: string(rune('0' + i)), LabelJA: "リーダー のカード", LabelEN: "Card in Reader"})
	}
	return out, nil
}

func (c computer) Inspect(_ context.Context, name string) (agent.Facts, error) {
	return c.cards[name[0]-'0'], c.fault
}

func (c computer) Hubs(context.Context) []agent.HubState { return []agent.HubState{c.hub} }

func (c computer) examine() Report {
	return Examine(context.Background(), Deps{
		Patient: c, Version: "1.0", Now: func() time.Time { return noon },
		Running: func(context.Context) (string, bool) {
			return strings.TrimPrefix(c.running, "nameless"), c.running != ""
		},
		Installed: func() (bool, bool, bool) { return c.link, c.auto, !c.unknown },
		Troubles:  []agent.Trouble{{At: noon, Code: "T-204", Word: "card_missing"}},
	})
}

func healthy() computer {
	return computer{
		cards: []agent.Facts{{Token: jpki.PlasticCard, Auth: true, AuthNotAfter: noon.AddDate(2, 0, 0), Signing: true, PINTries: 3, PasswordTries: 5}},
		hub:   agent.HubState{Origin: "https://hub.example", Dated: true}, running: "1.0", link: true, auto: true,
	}
}

func TestHealthyComputer(t *testing.T) {
	r := healthy().examine()
	for _, c := range r.Checks {
		if c.State != Good || c.Code != "" || c.Help("ja") != "" {
			t.Errorf("%+v", c)
		}
	}
	if !r.Works() {
		t.Error("a login would not work")
	}
	inside := healthy()
	inside.running = "nameless" // built into another program
	if c := inside.examine().Checks[0]; c.State != Good {
		t.Errorf("a card app that tells no version: %+v", c)
	}
}

// Each thing that can be wrong is said, with its code, and only what stops a login says that it does.
func TestEachAilment(t *testing.T) {
	card := func(change func(*agent.Facts)) func(*computer) {
		return func(c *computer) { change(&c.cards[0]) }
	}
	for _, tt := range []struct {
		name  string
		spoil func(*computer)
		id    string
		state State
		code  string
	}{
		{"no service", func(c *computer) { c.readers = &agent.Error{Reason: agent.ServiceMissing} }, "reader", Failing, "T-202"},
		{"no reader", func(c *computer) { c.readers = &agent.Error{Reason: agent.ReaderMissing} }, "reader", Failing, "T-201"},
		{"a fault", func(c *computer) { c.readers = errors.New("x") }, "reader", Failing, "T-901"},
		{"no card", func(c *computer) { c.cards = nil }, "card", Failing, "T-204"},
		{"another card", func(c *computer) { c.fault = &jpki.Error{Reason: jpki.NotJPKI} }, "card", Failing, "T-207"},
		{"pulled out", func(c *computer) { c.fault = &jpki.Error{Reason: jpki.CardRemoved} }, "card", Failing, "T-205"},
		{"broken", func(c *computer) { c.fault = &jpki.Error{Reason: jpki.CardFault} }, "card", Failing, "T-206"},
		{"in use", func(c *computer) { c.fault = &agent.Error{Reason: agent.ReaderBusy} }, "card", Failing, "T-203"},
		{"no certificate", card(func(f *agent.Facts) { f.Auth = false }), "certificate", Failing, "T-208"},
		{"ended", card(func(f *agent.Facts) { f.AuthNotAfter = noon }), "certificate", Failing, "T-507"},
		{"ends soon", card(func(f *agent.Facts) { f.AuthNotAfter = noon.AddDate(0, 0, 89) }), "certificate", Notice, ""},
		{"hidden", card(func(f *agent.Facts) { f.AuthNotAfter = time.Time{} }), "certificate", Skipped, ""},
		{"last try", card(func(f *agent.Facts) { f.PINTries = 1 }), "pin", Notice, "T-303"},
		{"locked", card(func(f *agent.Facts) { f.PINTries = 0 }), "pin", Failing, "T-302"},
		{"no signature", card(func(f *agent.Facts) { f.Signing = false }), "password", Notice, ""},
		{"last password", card(func(f *agent.Facts) { f.PasswordTries = 1 }), "password", Notice, "T-308"},
		{"password locked", card(func(f *agent.Facts) { f.PasswordTries = 0 }), "password", Notice, "T-307"},
		{"hub away", func(c *computer) { c.hub.Err = &agent.Error{Reason: agent.HubUnreachable} }, "hub", Failing, "T-401"},
		{"clock slow", func(c *computer) { c.hub.Skew = 61 * time.Second }, "clock", Failing, "T-106"},
		{"clock fast", func(c *computer) { c.hub.Skew = -61 * time.Second }, "clock", Failing, "T-106"},
		{"clock nearly right", func(c *computer) { c.hub.Skew = -60 * time.Second }, "clock", Good, ""},
		{"no clock", func(c *computer) { c.hub.Dated = false }, "clock", Skipped, ""},
		{"stopped", func(c *computer) { c.running = "" }, "app", Failing, "T-902"},
		{"older one", func(c *computer) { c.running = "0.9" }, "app", Notice, ""},
		{"no link", func(c *computer) { c.link = false }, "link", Notice, ""},
		{"no start", func(c *computer) { c.auto = false }, "start", Notice, ""},
		{"cannot be told", func(c *computer) { c.unknown = true }, "link", Skipped, ""},
	} {
		c := healthy()
		tt.spoil(&c)
		r := c.examine()
		i := slices.IndexFunc(r.Checks, func(c Check) bool { return c.ID == tt.id })
		if i < 0 {
			t.Errorf("%s: %+v", tt.name, r.Checks)
			continue
		}
		got := r.Checks[i]
		if got.State != tt.state || got.Code != tt.code || r.Works() != (tt.state != Failing) {
			t.Errorf("%s: %+v, works: %v", tt.name, got, r.Works())
		}
		for _, lang := range []string{"ja", "en"} {
			if text := got.Text(lang); text == "" || strings.ContainsAny(text+got.Help(lang), "{}") || tt.state == Failing && got.Help(lang) == "" {
				t.Errorf("%s: %q %q", tt.name, text, got.Help(lang))
			}
		}
	}
}

func TestOneGoodCardIsEnough(t *testing.T) {
	c := healthy()
	bad := c.cards[0]
	bad.PINTries = 0
	c.cards = append(c.cards, bad)
	if !c.examine().Works() {
		t.Error("the good card does not count")
	}
	c.cards[0].AuthNotAfter = noon.Add(-time.Hour)
	if c.examine().Works() {
		t.Error("two bad cards are as good as one")
	}
}

func TestReportForPeopleAndForPrograms(t *testing.T) {
	c := healthy()
	c.cards = nil
	r := c.examine()
	for lang, words := range map[string][]string{
		"ja": {"[だめ]", "カードがありません。 [T-204]", "→ カードの表を", "このままではログインできません", "2026-11-23 12:00:00 JST  T-204 card_missing"},
		"en": {"[FAIL]", "There is no card in a reader. [T-204]", "You cannot sign in yet", "https://hub.example"},
	} {
		text := r.Text(lang)
		for _, w := range words {
			if !strings.Contains(text, w) {
				t.Errorf("%s lacks %q:\n%s", lang, w, text)
			}
		}
	}
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Works  bool `json:"login_works"`
		Checks []struct {
			ID, State, Code string
			Text            struct{ JA, EN string }
		}
		Troubles []agent.Trouble
	}
	if err := json.Unmarshal(b, &got); err != nil || got.Works || len(got.Checks) != len(r.Checks) || got.Checks[3].Code != "T-204" ||
		got.Checks[3].Text.EN == "" || len(got.Troubles) != 1 {
		t.Errorf("%+v, %v", got, err)
	}
}

// Both languages have the same messages with the same placeholders.
func TestMessages(t *testing.T) {
	holes := regexp.MustCompile(`\{[a-z]+\}`)
	of := func(text string) []string {
		found := holes.FindAllString(text, -1)
		slices.Sort(found)
		return slices.Compact(found)
	}
	ja, en := messages()["ja"], messages()["en"]
	if len(ja) != len(en) || len(ja) < 50 {
		t.Fatalf("%d and %d messages", len(ja), len(en))
	}
	for key, text := range ja {
		if text == "" || en[key] == "" || !slices.Equal(of(text), of(en[key])) {
			t.Errorf("%s: %q, %q", key, text, en[key])
		}
	}
}
