package preflight

import (
	"errors"
	"net/url"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/clients/adminapi"
)

func shown(body string) look {
	return lookOf(page{trail: []string{"200 /"}, status: 200, end: &url.URL{Path: "/"}, body: []byte(body)})
}

// TestLooksTellWhoIsSignedIn: what differs between people is not taken for what differs between somebody and nobody.
func TestLooksTellWhoIsSignedIn(t *testing.T) {
	const frame = `<header>つなぐ 見本 サービス</header><style>.x{}</style><script>var token = "abc"</script>`
	in := func(name string) look { return shown(frame + "<main>Welcome back " + name + " <a>Sign out</a></main>") }
	out := func() look { return shown(frame + "<main>Please <a>Sign in</a> with the card</main>") }
	gone := lookOf(page{trail: []string{"303 /box"}, hub: "http://hub/authorize"})
	for name, tt := range map[string]struct {
		r        reference
		tells    bool
		is, isNo look
	}{
		"words":                  {reference{in: []look{in("Hanako"), in("Taro")}, out: []look{out(), out()}}, true, in("Jiro"), out()},
		"a redirect":             {reference{in: []look{in("Hanako"), in("Taro")}, out: []look{gone, gone}}, true, in("Jiro"), gone},
		"a time of day":          {reference{in: []look{shown("in 12:30"), shown("in 12:31")}, out: []look{shown("12:30"), shown("12:31")}}, true, shown("in 13:00"), shown("13:00")},
		"the same page for all":  {reference{in: []look{out(), out()}, out: []look{out(), out()}}, false, look{}, look{}},
		"people differ the same": {reference{in: []look{shown("aa bb"), shown("cc dd")}, out: []look{shown("ee ff"), shown("gg hh")}}, false, look{}, look{}},
		"one look":               {reference{in: []look{in("Hanako")}, out: []look{gone}}, false, look{}, look{}},
	} {
		if got := tt.r.tells(); got != tt.tells {
			t.Errorf("%s: tells %v", name, got)
		}
		if tt.tells && (!tt.r.signedIn(tt.is) || tt.r.signedIn(tt.isNo)) {
			t.Errorf("%s: taken for the other", name)
		}
	}
	var none *reference
	if none.tells() {
		t.Error("no reference tells something")
	}
	failed := lookOf(page{err: errors.New("no answer")})
	r := reference{in: []look{in("Hanako"), in("Taro")}, out: []look{out(), out()}}
	if r.signedIn(failed) {
		t.Error("a service that does not answer has somebody signed in")
	}
}

// FuzzLook: no page of a service stops the reader of it, and a page is like itself.
func FuzzLook(f *testing.F) {
	for _, s := range []string{"", "<p>a b</p>", "<script>", "<!-- ", "\xff<svg></svg >", "<style></style><"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		l := lookOf(page{trail: []string{"200 /"}, body: body})
		if got := l.likeness(l); got != 2 {
			t.Errorf("like itself by %v", got)
		}
	})
}

// TestClocksAreReadGenerously: a Date has whole seconds, and an answer takes time; neither makes a clock wrong.
func TestClocksAreReadGenerously(t *testing.T) {
	at := time.Date(2026, 4, 1, 9, 0, 0, 600_000_000, time.UTC)
	second := at.Truncate(time.Second)
	for name, tt := range map[string]struct {
		said []time.Time
		off  time.Duration
	}{
		"right":            {[]time.Time{second}, 0},
		"a second later":   {[]time.Time{second.Add(time.Second)}, 0},
		"ahead":            {[]time.Time{second.Add(2 * time.Minute)}, 2*time.Minute - 1600*time.Millisecond},
		"behind":           {[]time.Time{second.Add(-2 * time.Minute)}, -2*time.Minute + 400*time.Millisecond},
		"once slow to say": {[]time.Time{second.Add(-2 * time.Minute), second}, 0},
	} {
		c := &try{}
		for _, said := range tt.said {
			c.clock(said, at, at.Add(time.Second))
		}
		if !c.timed || c.off != tt.off {
			t.Errorf("%s: off by %v, want %v", name, c.off, tt.off)
		}
	}
}

// TestAReportIsAsItsWorstFinding: what was skipped counts for nothing.
func TestAReportIsAsItsWorstFinding(t *testing.T) {
	for want, all := range map[adminapi.Verdict][]adminapi.Verdict{
		adminapi.Green:  {adminapi.Green, adminapi.Skipped},
		adminapi.Yellow: {adminapi.Green, adminapi.Yellow, adminapi.Skipped},
		adminapi.Red:    {adminapi.Yellow, adminapi.Red, adminapi.Green},
	} {
		var list []adminapi.Finding
		for _, v := range all {
			list = append(list, adminapi.Finding{Verdict: v})
		}
		if got := worst(list); got != want {
			t.Errorf("%v: %s", all, got)
		}
	}
}
