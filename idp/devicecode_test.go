package idp

import (
	"strings"
	"testing"
	"time"
)

// TestUserCodeIsForgiving: what a person types for the code is the code (RFC 8628 §6.1).
func TestUserCodeIsForgiving(t *testing.T) {
	for _, typed := range []string{
		"WDJBMJHT", "WDJB-MJHT", "wdjb-mjht", " wdjb mjht ", "ＷＤＪＢ－ＭＪＨＴ", "ｗｄｊｂーｍｊｈｔ", "WDJB　MJHT", "WDJB–MJHT", "WDJB−MJHT", "wDjB--mJhT",
		"W D J B M J H T", "WDJB\u200bMJHT", "WDJB.MJHT", "WDJBｰMJHT",
	} {
		if code, ok := parseUserCode(typed); !ok || code.String() != "WDJB-MJHT" {
			t.Errorf("%q: %q, %v", typed, code, ok)
		}
	}
	if half, ok := parseUserCode("ｍjht"); !ok || half != "MJHT" {
		t.Errorf("half: %q, %v", half, ok)
	}
	for _, typed := range []string{
		"", "WDJ", "WDJBM", "WDJBMJH", "WDJBMJHTT", "WDJBMJHA", "WDJB/MJHT", "WDJBMJH1", "WDJBMJHŦ", "ДДЈБМЈХТ", "\x00WDJBMJHT", "WDJB\xffMJHT",
		strings.Repeat("-", 200) + "WDJBMJHT",
	} {
		if code, ok := parseUserCode(typed); ok {
			t.Errorf("%q passes as %q", typed, code)
		}
	}
}

// TestUserCodesAreDrawnEvenly: every letter of the alphabet, at every place, and no other.
func TestUserCodesAreDrawnEvenly(t *testing.T) {
	const draws = 20000
	var seen [userCodeLength]map[byte]int
	for i := range seen {
		seen[i] = map[byte]int{}
	}
	for range draws {
		code := newUserCode()
		if len(code) != userCodeLength {
			t.Fatalf("%q", code)
		}
		for i := range seen {
			seen[i][code[i]]++
		}
	}
	for i, letters := range seen {
		for _, c := range []byte(userCodeAlphabet) {
			if n := letters[c]; n < draws/len(userCodeAlphabet)*8/10 || n > draws/len(userCodeAlphabet)*12/10 {
				t.Errorf("%c stands %d times at %d", c, n, i)
			}
		}
		if len(letters) != len(userCodeAlphabet) {
			t.Errorf("%d letters at %d", len(letters), i)
		}
	}
}

// FuzzUserCode: what passes is a code or half of one, and says the same when it is typed as it is shown.
func FuzzUserCode(f *testing.F) {
	for _, s := range []string{"WDJB-MJHT", "ｗｄｊｂーｍｊｈｔ", "MJHT", "\xff", "　", strings.Repeat("B", 500), "ẞß", "ſſſſ", "KKKK"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		code, ok := parseUserCode(typed)
		if !ok {
			if code != "" {
				t.Errorf("%q is refused with %q", typed, code)
			}
			return
		}
		if len(code) != userCodeLength && len(code) != userCodeHalf || strings.Trim(string(code), userCodeAlphabet) != "" {
			t.Fatalf("%q passes as %q", typed, code)
		}
		if again, ok := parseUserCode(strings.ToLower(string(code))); !ok || again != code {
			t.Errorf("%q becomes %q", code, again)
		}
		if len(code) == userCodeLength {
			if again, ok := parseUserCode(code.String()); !ok || again != code {
				t.Errorf("%q becomes %q", code.String(), again)
			}
		}
	})
}

// TestEveryDeviceMove: pending, shown, decided, spent, and no way back from an end.
func TestEveryDeviceMove(t *testing.T) {
	states := []deviceState{devicePending, deviceShown, deviceApproved, deviceDenied, deviceSpent}
	allowed := 0
	for _, from := range states {
		if _, ok := deviceMoves[from]; !ok {
			t.Errorf("%s is not in the table", from)
		}
		for _, to := range states {
			d := &deviceRecord{State: from}
			if d.move(to) == nil {
				allowed++
			} else if d.State != from {
				t.Errorf("%s to %s refused, but the state became %s", from, to, d.State)
			}
		}
	}
	if allowed != 6 || len(deviceMoves) != len(states) {
		t.Errorf("%d moves of %d states; a new one needs a thought and a new number here", allowed, len(deviceMoves))
	}
}

// TestNextAsksWhetherTheDeviceIsOnesOwn: before anything else, in every state that is not an end.
func TestNextAsksWhetherTheDeviceIsOnesOwn(t *testing.T) {
	for _, st := range allStates {
		step, why := next(situation{State: st, Prompt: promptLogin | promptConsent, Stranger: true, HintAgree: true, Covered: true, Decided: true}, time.Unix(0, 0))
		if ended := st == Completed || st == Refused; ended != (step == StepRefuse) || !ended && (step != StepConfirmDevice || why != DeviceUnconfirmed) {
			t.Errorf("%s: %d/%d", st, step, why)
		}
	}
}
