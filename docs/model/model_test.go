package model

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// Properties, as the text of the assertion that says them. What is written there is expanded: parameters have their values.
const (
	owner     = `cdPerson\[\w+\]==\w+`
	nonce     = `cdNonce\[\w+\]==cdCh\[\w+\]`
	service   = `cdShown\[\w+\]==txService`
	oneCode   = `chCodes\[\w+\]<=1`
	takenOnce = `cdTaken\[\w+\]<=1`
	secret    = `sessionOf\[held\[2\]\]==2`
	reached   = `me!=[012]|2!=2`

	phoneOwner    = `proof\[\w+\]==me`
	phoneComputer = `computer\[\w+\]==me`
	phoneNumber   = `typedBy\[\w+\]==me`
	phoneOnce     = `logins\[\w+\]<=1`
)

// run is one search of a model. broken is the property that has a counterexample; "" means that every property holds in every state.
type run struct{ name, model, flags, broken string }

var runs = []run{
	// The protocol as it is.
	{"a citizen and the attacker", "samedevice", "C=3", ""},
	{"two tabs of one citizen", "samedevice", "TWO_TABS", ""},
	{"two citizens", "samedevice", "TWO_CITIZENS", ""},
	{"an attacker who races himself", "samedevice", "TWO_ATTACKERS", ""},
	{"through a phone", "phone", "", ""},

	// A model in which nobody can log in would prove everything.
	{"a citizen can log in", "samedevice", "REACH=V", reached},
	{"another citizen can log in", "samedevice", "TWO_CITIZENS REACH=W", reached},
	{"the attacker can log in as himself", "samedevice", "REACH=A", reached},
	{"a citizen can log in through a phone", "phone", "REACH=V", reached},
	{"the attacker can log in through a phone as himself", "phone", "REACH=A", `me!=1`},

	// One defence off: an attack.
	{"no transaction cookie", "samedevice", "NO_COOKIE", owner},
	{"a challenge is not spent", "samedevice", "NO_TAKE_ONCE", oneCode},
	{"two answers at once both take the challenge", "samedevice", "NO_SWAP TWO_ATTACKERS", oneCode},
	{"a return code is not spent", "samedevice", "NO_CODE_ONCE", takenOnce},
	{"a session's secret that was planted stays", "samedevice", "PLANT_SESSION NO_NEW_SECRET", secret},
	{"the number is not compared", "phone", "NO_NUMBER", phoneNumber},
	{"a second phone takes the pairing over", "phone", "NO_SCAN_ONCE", phoneOwner},
	{"the phone's cookie is not looked at", "phone", "NO_PHONE_COOKIE", phoneOwner},
	{"the computer's cookie is not looked at", "phone", "NO_COMPUTER_COOKIE", phoneComputer},
	{"the computer is not asked whose card it was", "phone", "NO_QUESTION", phoneOwner},
	{"a pairing is not spent", "phone", "NO_SPEND", phoneOnce},

	// Defences that stand one behind the other: one alone may go, all of them may not.
	{"no nonce", "samedevice", "NO_NONCE", ""},
	{"no digest", "samedevice", "NO_DIGEST", ""},
	{"no client", "samedevice", "NO_CLIENT", ""},
	{"no audience", "samedevice", "NO_AUDIENCE", ""},
	{"the card app does not check who signed the challenge", "samedevice", "NO_CHALLENGE_SIGNATURE", ""},
	{"neither nonce nor digest: an old response to a new challenge", "samedevice", "NO_NONCE NO_DIGEST", nonce},
	{"neither audience nor digest: another hub's response", "samedevice", "NO_AUDIENCE NO_DIGEST", owner},
	{"no client binding: another service than was shown", "samedevice", "NO_CHALLENGE_SIGNATURE NO_CLIENT NO_DIGEST", service},
	{"a planted session cookie", "samedevice", "PLANT_SESSION", ""},
	{"pictures do not get old", "phone", "NO_ROTATION", ""},
	{"a citizen who types what she is told, a picture by mail", "phone", "SLOW TYPES_ANY", ""},
	{"the same, and pictures do not get old", "phone", "SLOW TYPES_ANY NO_ROTATION", phoneOwner},
	{"the same, and pictures can be drawn by anybody", "phone", "SLOW TYPES_ANY NO_MAC", phoneOwner},

	// What is assumed of citizens and channels, and is needed: without it there is an attack, and README.md says so.
	{"somebody else sees an open challenge's address", "samedevice", "LEAK_CHALLENGE", owner},
	{"somebody else has a response before the hub", "samedevice", "LEAK_RESPONSE", owner},
	{"somebody else has a return address before the hub", "samedevice", "LEAK_RETURN", owner},
	{"a browser's cookie is planted", "samedevice", "PLANT_COOKIE", owner},
	{"somebody else sees a phone's challenge", "phone", "LEAK_CHALLENGE", ""}, // not needed: the computer's question stands behind it
	{"somebody else has a phone's return address", "phone", "LEAK_RETURN", phoneOwner},
	{"a citizen types a number that is not on her screen", "phone", "TYPES_ANY", phoneOwner},
	{"a citizen says that a stranger's card is hers", "phone", "SAYS_YES", phoneOwner},
}

var (
	violated = regexp.MustCompile(`assertion violated (.*) \(at depth`)
	stored   = regexp.MustCompile(`(\d{3,}) states, stored`)
)

// TestNobodyIsLoggedInToABrowserWhoseOwnerDidNotSign has Spin search the whole state space of each run.
func TestNobodyIsLoggedInToABrowserWhoseOwnerDidNotSign(t *testing.T) {
	for program, debian := range map[string]string{"spin": "spin", "gcc": "gcc"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("not installed: %s", debian)
		}
	}
	for _, r := range runs {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			r.check(t)
		})
	}
}

func (r run) check(t *testing.T) {
	t.Helper()
	out, explain := r.search(t)
	m := violated.FindStringSubmatch(out)
	switch {
	case strings.Contains(out, "too small") || strings.Contains(out, "memory limit") || !strings.Contains(out, "errors: "):
		t.Fatalf("the search did not end: %s", out)
	case r.broken == "" && m != nil:
		t.Errorf("a counterexample to %s\n%s", m[1], explain())
	case r.broken == "" && (!strings.Contains(out, "errors: 0") || stored.FindString(out) == ""):
		t.Errorf("not the whole state space, or hardly any: %s", out)
	case r.broken != "" && m == nil:
		t.Errorf("no counterexample: either the defence is not needed, or the model does not see the attack\n%s", out)
	case r.broken != "" && !regexp.MustCompile(r.broken).MatchString(m[1]):
		t.Errorf("another counterexample, to %s, than to %s\n%s", m[1], r.broken, explain())
	}
}

// search returns what the verifier says, and a function that tells the way to the counterexample it found.
func (r run) search(t *testing.T) (out string, explain func() string) {
	t.Helper()
	dir := t.TempDir()
	source, err := filepath.Abs(r.model + ".pml")
	if err != nil {
		t.Fatal(err)
	}
	var flags []string
	for _, f := range strings.Fields(r.flags) {
		flags = append(flags, "-D"+f)
	}
	in := func(program string, args ...string) string {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, program, args...) // #nosec G204 -- constants
		cmd.Dir = dir
		said, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v: %s", program, err, said)
		}
		return string(said)
	}
	in("spin", append(append([]string{"-a"}, flags...), source)...)
	optimize := "-O2"
	if r.broken != "" { // found long before a better program would be compiled
		optimize = "-O0"
	}
	in("gcc", "-w", optimize, "-DSAFETY", "-DNOFAIR", "-DCOLLAPSE", "-DMEMLIM=2048", "-o", "pan", "pan.c")
	out = in(filepath.Join(dir, "pan"), "-E", "-n", "-m10000", "-w22") // -E: who waits for ever is no error
	return out, func() string {
		trail := filepath.Base(source) + ".trail"
		return in("spin", append(append([]string{"-t", "-p", "-k", trail}, flags...), source)...)
	}
}

var (
	tested = regexp.MustCompile(`(?m)^#if(?:n?def (\w+)| (.*))$`)
	inside = regexp.MustCompile(`defined\((\w+)\)`)
)

// TestEveryFlagOfTheModelsIsTried: a defence that can be switched off is switched off by some run, and no run has a flag that does nothing.
func TestEveryFlagOfTheModelsIsTried(t *testing.T) {
	used := map[string]bool{}
	for _, r := range runs {
		for _, f := range strings.Fields(r.flags) {
			name, _, _ := strings.Cut(f, "=")
			used[r.model+" "+name] = true
		}
	}
	for _, model := range []string{"samedevice", "phone"} {
		text, err := os.ReadFile(model + ".pml")
		if err != nil {
			t.Fatal(err)
		}
		known := map[string]bool{}
		for _, m := range tested.FindAllStringSubmatch(string(text), -1) {
			if m[1] != "" {
				known[m[1]] = true
			}
			for _, d := range inside.FindAllStringSubmatch(m[2], -1) {
				known[d[1]] = true
			}
		}
		if len(known) < 10 {
			t.Errorf("%s.pml: found %d flags; the test does not see them", model, len(known))
		}
		for f := range known {
			if size := len(f) == 1; !size && !used[model+" "+f] {
				t.Errorf("%s.pml: no run has the flag %s", model, f)
			}
		}
		for u := range used {
			if f, ok := strings.CutPrefix(u, model+" "); ok && !known[f] {
				t.Errorf("%s.pml knows no flag %s", model, f)
			}
		}
	}
}
