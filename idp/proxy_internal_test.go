package idp

import (
	"strings"
	"testing"
	"time"
)

// TestCapacityIsAskedAfterTheLogin: never of somebody who is not there, never before the login is good enough, and before anything is agreed to.
func TestCapacityIsAskedAfterTheLogin(t *testing.T) {
	now, zero := time.Date(2026, 3, 16, 9, 0, 0, 0, time.UTC), time.Duration(0)
	card := &sessionFacts{AuthTime: now, ACR: ACRCard}
	for name, tt := range map[string]struct {
		sit  situation
		step Step
		why  Why
	}{
		"nobody signed in":      {situation{HintAgree: true, Undecided: true}, StepLogin, NoSession},
		"weak sign-in":          {situation{HintAgree: true, Undecided: true, ACR: []string{ACRCard}, Session: &sessionFacts{AuthTime: now, ACR: ACRPasskey}}, StepLogin, ACRTooLow},
		"old sign-in":           {situation{HintAgree: true, Undecided: true, MaxAge: &zero, Session: card}, StepLogin, MaxAgeExceeded},
		"signed in":             {situation{HintAgree: true, Undecided: true, Session: card}, StepChoose, CapacityMissing},
		"signed in, covered":    {situation{HintAgree: true, Undecided: true, Covered: true, Session: card}, StepChoose, CapacityMissing},
		"prompt=none":           {situation{HintAgree: true, Undecided: true, Covered: true, Prompt: promptNone, Session: card}, StepRefuse, CapacityMissing},
		"somebody else is hint": {situation{Undecided: true, Covered: true, Session: card}, StepLogin, OtherPerson},
		"own page":              {situation{HintAgree: true, Undecided: true, Own: true, Session: card}, StepComplete, Satisfied},
		"said":                  {situation{HintAgree: true, Covered: true, Decided: true, Session: card}, StepComplete, Satisfied},
		"folder to open":        {situation{State: Proven, HintAgree: true, Undecided: true}, StepOpenFolder, FolderMissing},
	} {
		if tt.sit.State == "" {
			tt.sit.State = Received
		}
		if step, why := next(tt.sit, now); step != tt.step || why != tt.why {
			t.Errorf("%s: %d/%d, want %d/%d", name, step, why, tt.step, tt.why)
		}
	}
	if e := codeOf(CapacityMissing); e.code != "interaction_required" {
		t.Errorf("prompt=none is answered %s", e.code)
	}
}

func TestInviteCodes(t *testing.T) {
	seen := map[inviteCode]bool{}
	for range 1000 {
		code := newInviteCode()
		if back, ok := parseInviteCode(code.String()); !ok || back != code || seen[code] || len(code.String()) != 14 {
			t.Fatalf("%s is read as %s", code, back)
		}
		seen[code] = true
	}
	for typed, want := range map[string]string{
		"bcdf-ghjk-lmnp": "BCDFGHJKLMNP", "ｂｃｄｆ　ｇｈｊｋ　ｌｍｎｐ": "BCDFGHJKLMNP", "BCDFGHJKLMN": "", "BCDFGHJKLMNPQ": "", "BCDF-GHJK": "",
		"BCDF-GHJK-LMNA": "", "": "", strings.Repeat(" ", 200): "",
	} {
		if code, ok := parseInviteCode(typed); ok != (want != "") || ok && string(code) != want {
			t.Errorf("%q is read as %q, %t", typed, code, ok)
		}
	}
}

func TestMatchNumbers(t *testing.T) {
	for range 100 {
		n, err := newMatchNumber()
		if back, ok := parseMatchNumber(n); err != nil || !ok || back != n {
			t.Fatalf("%s is read as %s, %v", n, back, err)
		}
	}
	for typed, want := range map[string]string{"4711": "4711", "４７-１１ ": "4711", "471": "", "47111": "", "47a1": "", "": "", "٤٧١١": ""} {
		if n, ok := parseMatchNumber(typed); ok != (want != "") || ok && n != want {
			t.Errorf("%q is read as %q, %t", typed, n, ok)
		}
	}
}

func FuzzInviteCode(f *testing.F) {
	f.Add("BCDF-GHJK-LMNP")
	f.Add("０４７１１")
	f.Fuzz(func(t *testing.T, typed string) {
		if code, ok := parseInviteCode(typed); ok {
			if back, again := parseInviteCode(code.String()); !again || back != code {
				t.Errorf("%q is read as %q and then as %q", typed, code, back)
			}
		}
		if n, ok := parseMatchNumber(typed); ok {
			if back, again := parseMatchNumber(n); !again || back != n || len(n) != 4 {
				t.Errorf("%q is read as %q", typed, n)
			}
		}
	})
}

// TestPeriodEndsInJapan: on the day of the same number in Japan, whatever the zone of the clock, and never in the month after.
func TestPeriodEndsInJapan(t *testing.T) {
	for _, tt := range []struct {
		from   string
		months int
		want   string
	}{
		{"2026-11-23T05:00:00Z", 1, "2026-12-23T23:59:59+09:00"},
		{"2026-11-30T14:59:59Z", 3, "2027-02-28T23:59:59+09:00"},
		{"2026-11-30T15:00:00Z", 3, "2027-03-01T23:59:59+09:00"}, // the first of December there
		{"2027-01-30T20:00:00Z", 1, "2027-02-28T23:59:59+09:00"},
		{"2028-02-29T00:00:00Z", 12, "2029-02-28T23:59:59+09:00"},
		{"2026-12-31T12:00:00-10:00", 36, "2030-01-01T23:59:59+09:00"},
	} {
		from, err := time.Parse(time.RFC3339, tt.from)
		if err != nil {
			t.Fatal(err)
		}
		if got := periodEnd(from, tt.months).Format(time.RFC3339); got != tt.want {
			t.Errorf("%d months from %s end %s, want %s", tt.months, tt.from, got, tt.want)
		}
	}
}
