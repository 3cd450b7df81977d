package idp

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "rewrite golden files")

var allStates = []State{Received, Authenticating, Proven, Authenticated, Consented, Completed, Refused}

// TestEveryMove: every pair of states is either in the table and allowed or refused; the terminal states have no way out.
func TestEveryMove(t *testing.T) {
	if len(moves) != len(allStates) {
		t.Fatalf("table has %d states, %d exist", len(moves), len(allStates))
	}
	allowed := 0
	for _, from := range allStates {
		for _, to := range allStates {
			tx := &transaction{State: from}
			err := tx.move(to)
			if want := slices.Contains(moves[from], to); (err == nil) != want {
				t.Errorf("%s to %s: %v, table says %v", from, to, err, want)
			}
			if err != nil && tx.State != from {
				t.Errorf("%s to %s refused, but the state became %s", from, to, tx.State)
			}
			if err == nil {
				allowed++
			}
		}
	}
	if allowed != 18 {
		t.Errorf("%d moves allowed; a new one needs a thought and a new number here", allowed)
	}
	for _, end := range []State{Completed, Refused} {
		if len(moves[end]) != 0 {
			t.Errorf("%s is not an end", end)
		}
	}
	if slices.Contains(moves[Received], Completed) || slices.Contains(moves[Authenticating], Completed) || slices.Contains(moves[Proven], Completed) {
		t.Error("a login can complete without anybody having been authenticated")
	}
}

type axis[T any] struct {
	name  string
	value T
}

// TestNextEverySituation walks through every combination of state, session, prompt, max_age, acr, hint and consent, and compares the
// decisions with a golden table that a person has read.
func TestNextEverySituation(t *testing.T) {
	now := time.Date(2026, 3, 16, 9, 0, 0, 0, time.UTC)
	second := time.Second
	zero, hour := 0*second, 3600*second
	sessions := []axis[*sessionFacts]{
		{"none", nil},
		{"fresh", &sessionFacts{AuthTime: now.Add(-time.Second), ACR: ACRCard}},
		{"old", &sessionFacts{AuthTime: now.Add(-2 * time.Hour), ACR: ACRCard}},
		{"weak", &sessionFacts{AuthTime: now.Add(-time.Second), ACR: "phr"}},
		{"remote", &sessionFacts{AuthTime: now.Add(-time.Second), ACR: ACRRemote}},
		{"here", &sessionFacts{AuthTime: now.Add(-time.Minute), ACR: ACRCard, Here: true}},
		{"here-weak", &sessionFacts{AuthTime: now.Add(-time.Minute), ACR: "phr", Here: true}},
		{"here-remote", &sessionFacts{AuthTime: now.Add(-time.Minute), ACR: ACRRemote, Here: true}},
	}
	prompts := []axis[promptSet]{{"-", 0}, {"none", promptNone}, {"login", promptLogin}, {"consent", promptConsent}, {"select", promptSelectAccount}, {"login+consent", promptLogin | promptConsent}}
	ages := []axis[*time.Duration]{{"-", nil}, {"0", &zero}, {"3600", &hour}}
	type level struct {
		wanted    []string
		essential bool
		noRemote  bool
	}
	acrs := []axis[level]{
		{"-", level{}}, {"phrh", level{wanted: []string{ACRCard}}}, {"unknown", level{wanted: []string{"urn:other"}}},
		{"essential-phrh", level{wanted: []string{ACRCard}, essential: true}}, {"essential-unknown", level{essential: true}},
		{"no-remote", level{noRemote: true}},
	}
	hints := []axis[bool]{{"same", true}, {"other", false}}
	consents := []axis[[3]bool]{{"none", [3]bool{}}, {"covered", [3]bool{true}}, {"decided", [3]bool{true, true}}, {"unsigned", [3]bool{true, true, true}}}

	var out strings.Builder
	count := 0
	for _, st := range allStates {
		for _, s := range sessions {
			for _, pr := range prompts {
				for _, age := range ages {
					for _, acr := range acrs {
						for _, h := range hints {
							for _, co := range consents {
								sit := situation{State: st, Prompt: pr.value, MaxAge: age.value, ACR: acr.value.wanted, ACREssential: acr.value.essential, NoRemote: acr.value.noRemote, Session: s.value, HintAgree: h.value, Covered: co.value[0], Decided: co.value[1], Unsigned: co.value[2]}
								step, why := next(sit, now)
								count++
								fmt.Fprintf(&out, "%s session=%s prompt=%s max_age=%s acr=%s hint=%s consent=%s: %d/%d\n", st, s.name, pr.name, age.name, acr.name, h.name, co.name, step, why)
								invariants(t, sit, step, why)
							}
						}
					}
				}
			}
		}
	}
	if count != 7*8*6*3*6*2*4 {
		t.Fatalf("%d situations", count)
	}
	golden(t, "next.txt", compress(out.String()))
}

// TestPasskeyIsOfferedWhereItServes: by what the request asks for, whatever session there is.
func TestPasskeyIsOfferedWhereItServes(t *testing.T) {
	for _, tt := range []struct {
		wanted    []string
		essential bool
		serves    bool
	}{
		{nil, false, true}, {[]string{ACRPasskey}, true, true}, {[]string{ACRRemote}, true, true}, {[]string{ACRCard, ACRPasskey}, true, true},
		{[]string{ACRCard}, false, false}, {[]string{ACRCard}, true, false}, {[]string{ACRCard, "urn:other"}, false, false},
		{[]string{"urn:other"}, false, true}, // no sign-in reaches it, so none is better than another
	} {
		if got := passkeyServes(situation{ACR: tt.wanted, ACREssential: tt.essential}); got != tt.serves {
			t.Errorf("%v, essential %t: %t", tt.wanted, tt.essential, got)
		}
	}
}

// TestOwnPageStepsUpToAFreshCard: a page of the hub's own that wants the card gets a login with it, and no more than one.
func TestOwnPageStepsUpToAFreshCard(t *testing.T) {
	now, age := time.Date(2026, 3, 16, 9, 0, 0, 0, time.UTC), freshCard
	for name, tt := range map[string]struct {
		s    *sessionFacts
		step Step
		why  Why
	}{
		"nobody":  {nil, StepLogin, NoSession},
		"passkey": {&sessionFacts{AuthTime: now, ACR: ACRPasskey}, StepLogin, ACRTooLow},
		"phone":   {&sessionFacts{AuthTime: now, ACR: ACRRemote}, StepLogin, ACRTooLow},
		"old":     {&sessionFacts{AuthTime: now.Add(-freshCard - time.Second), ACR: ACRCard}, StepLogin, MaxAgeExceeded},
		"fresh":   {&sessionFacts{AuthTime: now.Add(-freshCard), ACR: ACRCard}, StepComplete, Satisfied},
	} {
		sit := situation{State: Received, Own: true, HintAgree: true, MaxAge: &age, ACR: []string{ACRCard}, ACREssential: true, Session: tt.s}
		if step, why := next(sit, now); step != tt.step || why != tt.why {
			t.Errorf("%s: %d/%d, want %d/%d", name, step, why, tt.step, tt.why)
		}
	}
}

// invariants that hold in every situation, whatever the golden table says.
func invariants(t *testing.T, s situation, step Step, why Why) {
	t.Helper()
	switch {
	case step == StepComplete && why != Satisfied, step != StepComplete && why == Satisfied:
		t.Errorf("step %d with reason %d", step, why)
	case step == StepComplete && (s.Session == nil || !s.Covered || s.Unsigned || !s.HintAgree || s.State == Proven || s.State == Refused || s.State == Completed):
		t.Errorf("completes in %+v", s)
	case step == StepComplete && s.Prompt.has(promptLogin|promptSelectAccount) && !s.Session.Here:
		t.Errorf("prompt=login satisfied by an old session in %+v", s)
	case step == StepComplete && s.ACREssential && (len(s.ACR) == 0 || acrRank[s.Session.ACR] < acrRank[s.ACR[0]]):
		t.Errorf("an essential level is not met in %+v", s)
	case step == StepComplete && s.NoRemote && s.Session.ACR == ACRRemote:
		t.Errorf("a service that takes no phone is given one in %+v", s)
	case s.Prompt.has(promptNone) && step != StepComplete && step != StepRefuse:
		t.Errorf("prompt=none shows a page in %+v", s)
	}
}

// compress keeps the golden file readable: runs of equal decisions per state and session become counts.
func compress(lines string) string {
	type group struct{ key, verdict string }
	counts := map[group]int{}
	var order []group
	for line := range strings.Lines(lines) {
		line = strings.TrimSpace(line)
		f := strings.Fields(line)
		g := group{strings.Join(f[:3], " "), f[len(f)-1]}
		if counts[g] == 0 {
			order = append(order, g)
		}
		counts[g]++
	}
	var b strings.Builder
	for _, g := range order {
		fmt.Fprintf(&b, "%s → %s ×%d\n", g.key, g.verdict, counts[g])
	}
	return b.String()
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != got {
		t.Errorf("%s differs; run with -update and read the difference", path)
	}
}

func TestParsePrompt(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want promptSet
		ok   bool
	}{
		{"", 0, true},
		{"none", promptNone, true},
		{"login consent", promptLogin | promptConsent, true},
		{"none login", 0, false}, // OIDC Core §3.1.2.1
		{"Login", 0, false},      // case-sensitive
		{"create", 0, false},
	} {
		got, err := parsePrompt(tt.in)
		if (err == nil) != tt.ok || got != tt.want {
			t.Errorf("parsePrompt(%q) = %d, %v", tt.in, got, err)
		}
	}
}
