package idp

import (
	"context"
	"net/url"
	"path"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
	"github.com/tsunagu-id/tsunagu/internal/sqldb/sqldbtest"
)

// TestNextOfRules: what a service's rules of sessions, or the citizen's own, make of a session.
func TestNextOfRules(t *testing.T) {
	now := time.Date(2026, 3, 16, 9, 0, 0, 0, time.UTC)
	s := func(age, unused time.Duration, acr string, here bool) *sessionFacts {
		return &sessionFacts{AuthTime: now.Add(-age), Last: now.Add(-unused), ACR: acr, Here: here}
	}
	for name, c := range map[string]struct {
		rules   situation
		session *sessionFacts
		want    Why
	}{
		"no rule":                            {situation{}, s(time.Hour, time.Hour, ACRPasskey, false), Satisfied},
		"always, nobody there":               {situation{AlwaysCard: true}, nil, NoSession},
		"always, card a second ago":          {situation{AlwaysCard: true}, s(time.Second, 0, ACRCard, false), CardAlways},
		"always, card here":                  {situation{AlwaysCard: true}, s(time.Minute, 0, ACRCard, true), Satisfied},
		"always, passkey here":               {situation{AlwaysCard: true}, s(time.Second, 0, ACRPasskey, true), CardAlways},
		"always, phone here":                 {situation{AlwaysCard: true}, s(time.Second, 0, ACRRemote, true), CardAlways},
		"idle, just short":                   {situation{Idle: time.Minute}, s(time.Hour, 59*time.Second, ACRCard, false), Satisfied},
		"idle, reached":                      {situation{Idle: time.Minute}, s(time.Hour, time.Minute, ACRCard, false), LimitReached},
		"idle, reached by a login made here": {situation{Idle: time.Minute}, s(time.Hour, time.Hour, ACRCard, true), Satisfied},
		"absolute, just short":               {situation{Absolute: time.Hour}, s(time.Hour-time.Second, 0, ACRCard, false), Satisfied},
		"absolute, reached":                  {situation{Absolute: time.Hour}, s(time.Hour, 0, ACRCard, false), LimitReached},
	} {
		for _, silent := range []bool{false, true} {
			sit := c.rules
			sit.State, sit.Session, sit.HintAgree, sit.Covered = Received, c.session, true, true
			want := StepLogin
			if silent {
				sit.Prompt, want = promptNone, StepRefuse
			}
			if c.want == Satisfied {
				want = StepComplete
			}
			step, why := next(sit, now)
			if step != want || why != c.want {
				t.Errorf("%s, silent %v: %v %v, want %v %v", name, silent, step, why, want, c.want)
			}
			if silent && want == StepRefuse && codeOf(why).code != "login_required" {
				t.Errorf("%s: the client is told %s", name, codeOf(why).code)
			}
			if c.rules.AlwaysCard && passkeyServes(sit) {
				t.Errorf("%s: a passkey is offered", name)
			}
		}
	}
}

// TestSessionRulesAreJudged: what an operator may write.
func TestSessionRulesAreJudged(t *testing.T) {
	government, private := clients.ClassGovernment, clients.ClassPrivate
	for name, c := range map[string]struct {
		rules SessionRules
		good  bool
	}{
		"nothing":             {SessionRules{}, true},
		"all":                 {SessionRules{Idle: time.Hour, Absolute: 24 * time.Hour, SharedIdle: time.Minute, Warn: minWarn, Tell: time.Second, Separate: [][2]clients.SessionClass{{private, government}}}, true},
		"too short to press":  {SessionRules{Idle: 39 * time.Second}, false},
		"negative":            {SessionRules{SharedIdle: -time.Second}, false},
		"months":              {SessionRules{Absolute: 31 * 24 * time.Hour}, false},
		"a hasty warning":     {SessionRules{Warn: time.Second}, false},
		"hours until told":    {SessionRules{Tell: 2 * time.Hour}, false},
		"from itself":         {SessionRules{Separate: [][2]clients.SessionClass{{private, private}}}, false},
		"from nobody knows":   {SessionRules{Separate: [][2]clients.SessionClass{{private, "x"}}}, false},
		"a negative look":     {SessionRules{Tell: -1}, false},
		"a negative lifetime": {SessionRules{Absolute: -time.Hour}, false},
	} {
		if err := c.rules.Check(); (err == nil) != c.good {
			t.Errorf("%s: %v", name, err)
		}
	}
	r := SessionRules{Idle: time.Hour, Absolute: time.Minute}
	if r.fill(); r.Idle != time.Minute || r.SharedIdle != time.Minute {
		t.Errorf("idle beyond absolute: %+v", r)
	}
}

// TestEndOfASessionIsToldByOne: of a hundred who find at once that a session has ended, one gets its services.
func TestEndOfASessionIsToldByOne(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		ctx := t.Context()
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		must(Migrate(ctx, db))
		_, err := db.Exec(ctx, `INSERT INTO account (id, opened_at, terms, ended_before) VALUES ('a', 1, 't', 0)`)
		must(err)
		e, now := entries{db: db}, time.UnixMilli(1_000_000)
		s := &session{ID: "s", Account: "a"}
		for _, id := range []clients.ID{"one", "two", "three", "three"} {
			must(e.enter(ctx, s, id, now))
		}
		must(e.enter(ctx, &session{ID: "other", Account: "a"}, "one", now.Add(time.Hour)))
		claims, told := make([]int, 100), make([]int, 100)
		var g errgroup.Group
		for i := range claims {
			g.Go(func() error {
				got, err := e.claim(ctx, now, now.Add(time.Minute), 10)
				claims[i] = len(got)
				return err
			})
			g.Go(func() error {
				return db.Tx(ctx, func(ctx context.Context) error {
					left, err := e.ended(ctx, "s")
					told[i] = len(left)
					return err
				})
			})
		}
		must(g.Wait())
		sum := func(of []int) (n int) {
			for _, i := range of {
				n += i
			}
			return n
		}
		if sum(claims) > 1 || sum(told) != 3 {
			t.Errorf("claimed %d times, %d services told of 3", sum(claims), sum(told))
		}
		if due, err := e.anyDue(ctx, now.Add(30*time.Minute)); due || err != nil {
			t.Error("another session is due", err)
		}
	})
}

// FuzzOwnPath: whatever an address or a form names, nobody is led off the citizen's own pages.
func FuzzOwnPath(f *testing.F) {
	for _, s := range []string{"/account", "/account/devices", "//evil.example", "/account/../x", "https://evil.example/account/", "/account/%2e%2e/x", "/account/\t"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := ownPath(s)
		u, err := url.Parse(got)
		if err != nil || u.Host != "" || u.Scheme != "" || u.Path != got || path.Clean(got) != got || got != "/account" && !strings.HasPrefix(got, "/account/") {
			t.Errorf("%q leads to %q", s, got)
		}
	})
}
