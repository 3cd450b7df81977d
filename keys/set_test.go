package keys

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/tsunagu-id/tsunagu/internal/sqldb"
	"github.com/tsunagu-id/tsunagu/internal/sqldb/sqldbtest"
)

// clock is a time that tests move.
type clock struct{ unix atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.unix.Store(1_800_000_000)
	return c
}

func (c *clock) now() time.Time       { return time.Unix(c.unix.Load(), 0) }
func (c *clock) pass(d time.Duration) { c.unix.Add(int64(d / time.Second)) }

const (
	announce = time.Hour
	retire   = 24 * time.Hour
)

func openSet(t testing.TB, db *sqldb.DB, c *clock, algs ...Alg) *Set {
	t.Helper()
	s, err := Open(t.Context(), Deps{DB: db, Sealer: sealerFrom(t, 9), Now: c.now, Announce: announce, Retire: retire, Algs: algs})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func sign(t testing.TB, s *Set, alg Alg) string {
	t.Helper()
	token, err := s.Sign(alg, "test+jwt", map[string]string{"sub": "x"})
	must(t, err)
	return token
}

// kids returns the key ids of the published set.
func kids(t testing.TB, s *Set) []string {
	t.Helper()
	body, _ := s.JWKS()
	var set jose.JSONWebKeySet
	must(t, json.Unmarshal(body, &set))
	var out []string
	for _, k := range set.Keys {
		if !k.IsPublic() || k.Use != "sig" || k.Algorithm == "" {
			t.Errorf("published: %s", body)
		}
		out = append(out, k.KeyID)
	}
	return out
}

func TestSignAndVerifyEveryAlgorithm(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		s := openSet(t, db, newClock())
		body, etag := s.JWKS()
		public, err := ParsePublicSet(body) // a stranger's view: our keys pass our own judgement
		must(t, err)
		if len(kids(t, s)) != 4 || len(etag) != 24 {
			t.Errorf("%s %s", etag, body)
		}
		for _, alg := range Algs() {
			token := sign(t, s, alg)
			for _, allowed := range [][]Alg{{alg}, Algs(), nil} {
				if got, err := s.Verify(token, "test+jwt", allowed...); err != nil || string(got) != `{"sub":"x"}` {
					t.Errorf("%s: %q, %v", alg, got, err)
				}
			}
			if got, err := public.Verify(token, VerifyOptions{Algs: []Alg{alg}, Typ: "test+jwt"}); err != nil || got.KeyID == "" {
				t.Errorf("%s by a stranger: %v", alg, err)
			}
			for _, other := range Algs() {
				if other == alg {
					continue
				}
				if _, err := s.Verify(token, "test+jwt", other); reasonOf(err) != AlgRefused {
					t.Errorf("%s passed as %s: %v", alg, other, err)
				}
			}
			if _, err := s.Verify(token, "other+jwt", alg); reasonOf(err) != TypRefused {
				t.Errorf("%s with another typ: %v", alg, err)
			}
		}
	})
}

func TestForeignAndForgedTokensAreRefused(t *testing.T) {
	c := newClock()
	s, stranger := openSet(t, sqldbtest.Open(t), c, RS256, PS256), openSet(t, sqldbtest.Open(t), c, RS256)
	if _, err := s.Verify(sign(t, stranger, RS256), "test+jwt"); reasonOf(err) != KeyUnknown {
		t.Errorf("stranger's key: %v", err)
	}
	// The key of one algorithm used with the other: same type, other padding.
	own := s.current.Load().signers
	crossed, err := newSigner(own[RS256].kid, PS256, own[RS256].private).sign("test+jwt", 1)
	must(t, err)
	if _, err := s.Verify(crossed, "test+jwt"); reasonOf(err) != AlgRefused {
		t.Errorf("RS256 key used for PS256: %v", err)
	}
	// A stranger's signature under our key id.
	renamed, err := newSigner(own[RS256].kid, RS256, stranger.current.Load().signers[RS256].private).sign("test+jwt", 1)
	must(t, err)
	if _, err := s.Verify(renamed, "test+jwt"); reasonOf(err) != SignatureInvalid {
		t.Errorf("borrowed key id: %v", err)
	}
	noKid := pair{RS256, own[RS256].private}.sign(t, map[jose.HeaderKey]any{"typ": "test+jwt"}, "{}")
	if _, err := s.Verify(noKid, "test+jwt"); reasonOf(err) != KeyUnknown {
		t.Errorf("no kid: %v", err)
	}
	body, _ := s.JWKS()
	for _, forged := range []string{forge(`{"alg":"none","typ":"test+jwt"}`, "{}", "x"), forge(`{"alg":"HS256","typ":"test+jwt"}`, "{}", string(body))} {
		if _, err := s.Verify(forged, "test+jwt"); reasonOf(err) != AlgRefused {
			t.Errorf("forged: %v", err)
		}
	}
	if _, err := s.Sign(ES256, "x", 1); reasonOf(err) != AlgRefused {
		t.Errorf("sign without a key: %v", err)
	}
	if _, err := s.Sign(RS256, "x", func() {}); err == nil {
		t.Error("signed what has no JSON")
	}
}

func TestTokenWithoutTyp(t *testing.T) {
	s := openSet(t, sqldbtest.Open(t), newClock(), ES256)
	for typ, ok := range map[string]bool{"": true, "JWT": true, "jwt": true, "at+jwt": false} {
		token, err := s.Sign(ES256, typ, 1)
		must(t, err)
		if _, err := s.Verify(token, ""); (err == nil) != ok {
			t.Errorf("typ %q: %v", typ, err)
		}
	}
}

func TestLifeOfAKey(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		ctx, c := t.Context(), newClock()
		s := openSet(t, db, c, ES256)
		first := kids(t, s)[0]
		old := sign(t, s, ES256)
		_, etag := s.JWKS()

		must(t, s.Rotate(ctx, ES256))
		if err := s.Rotate(ctx, ES256); !errors.Is(err, ErrAnnounced) {
			t.Errorf("second rotation: %v", err)
		}
		if _, now := s.JWKS(); now == etag || len(kids(t, s)) != 2 {
			t.Error("the announced key is not published")
		}
		c.pass(announce - time.Second)
		must(t, s.Advance(ctx))
		if got := s.current.Load().signers[ES256].kid; got != first {
			t.Error("the announced key signs too early")
		}
		c.pass(time.Second)
		must(t, s.Advance(ctx))
		if got := s.current.Load().signers[ES256].kid; got == first {
			t.Error("the announced key does not sign")
		}
		young := sign(t, s, ES256)
		for _, token := range []string{old, young} {
			if _, err := s.Verify(token, "test+jwt"); err != nil {
				t.Errorf("retired or active key: %v", err)
			}
		}
		noPrivateHalf(t, db, s.d.Sealer, first)

		c.pass(retire - time.Second)
		must(t, s.Advance(ctx))
		if _, err := s.Verify(old, "test+jwt"); err != nil {
			t.Errorf("gone too early: %v", err)
		}
		c.pass(time.Second)
		must(t, s.Advance(ctx))
		if _, err := s.Verify(old, "test+jwt"); reasonOf(err) != KeyUnknown || len(kids(t, s)) != 1 {
			t.Errorf("not gone: %v", err)
		}
		again := openSet(t, db, c, ES256) // a restart
		if _, err := again.Verify(young, "test+jwt"); err != nil {
			t.Errorf("after a restart: %v", err)
		}
	})
}

// A retired key cannot sign again: its private half is not there any more.
func noPrivateHalf(t *testing.T, db *sqldb.DB, s *Sealer, kid string) {
	t.Helper()
	var state string
	var sealed []byte
	must(t, db.QueryRow(t.Context(), `SELECT state, sealed FROM signing_key WHERE kid = $1`, kid).Scan(&state, &sealed))
	if state != stateRetired {
		t.Fatalf("state %s", state)
	}
	k, err := openRow(s, keyRow{kid: kid, alg: string(ES256), state: state, sealed: sealed})
	if err != nil || k.private != nil {
		t.Errorf("private half: %v, %v", k.private, err)
	}
}

func TestLifetimeAnnouncesASuccessor(t *testing.T) {
	ctx, c, db := t.Context(), newClock(), sqldbtest.Open(t)
	s, err := Open(ctx, Deps{DB: db, Sealer: sealerFrom(t, 9), Now: c.now, Announce: announce, Lifetime: 90 * 24 * time.Hour, Algs: []Alg{ES256}})
	must(t, err)
	must(t, s.Advance(ctx))
	if n := len(kids(t, s)); n != 1 {
		t.Fatalf("%d keys at once", n)
	}
	c.pass(90 * 24 * time.Hour)
	for range 3 {
		must(t, s.Advance(ctx))
	}
	if n := len(kids(t, s)); n != 2 {
		t.Fatalf("%d keys, not one successor", n)
	}
}

func TestTwoSetsAgree(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		ctx, c := t.Context(), newClock()
		sets := make([]*Set, 4)
		var wg sync.WaitGroup
		for i := range sets { // started together on an empty database
			wg.Go(func() { sets[i] = openSet(t, db, c, ES256, EdDSA) })
		}
		wg.Wait()
		for round := range 3 {
			for i, s := range sets {
				if got, want := kids(t, s), kids(t, sets[0]); !slices.Equal(got, want) {
					t.Fatalf("round %d: set %d publishes %v, set 0 %v", round, i, got, want)
				}
				for _, other := range sets {
					if _, err := other.Verify(sign(t, s, ES256), "test+jwt"); err != nil {
						t.Fatalf("round %d: %v", round, err)
					}
				}
			}
			wins := atomic.Int32{}
			for _, s := range sets {
				wg.Go(func() {
					switch err := s.Rotate(ctx, ES256); {
					case err == nil:
						wins.Add(1)
					case !errors.Is(err, ErrAnnounced):
						t.Error(err)
					}
				})
			}
			wg.Wait()
			if wins.Load() != 1 {
				t.Fatalf("round %d: %d successors", round, wins.Load())
			}
			c.pass(announce)
			for range 2 { // the second pass sees what the others did in the first
				for _, s := range sets {
					wg.Go(func() {
						if err := s.Advance(ctx); err != nil {
							t.Error(err)
						}
					})
				}
				wg.Wait()
			}
			oneActive(t, db)
		}
	})
}

// A process that decided on what it read long ago changes nothing any more.
func TestStaleMoveLoses(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		ctx, c := t.Context(), newClock()
		s := openSet(t, db, c, ES256)
		must(t, s.Rotate(ctx, ES256))
		_, rows, err := selectKeys(ctx, db)
		must(t, err)
		c.pass(announce)
		stale := s.due(rows, c.now())
		must(t, s.Advance(ctx))
		c.pass(time.Minute)
		_, before, err := selectKeys(ctx, db)
		must(t, err)
		for _, move := range stale {
			if err := move(ctx); !errors.Is(err, errLost) {
				t.Errorf("stale move: %v", err)
			}
		}
		_, after, err := selectKeys(ctx, db)
		must(t, err)
		if len(stale) != 1 || !reflect.DeepEqual(before, after) {
			t.Errorf("%d moves turned %v into %v", len(stale), before, after)
		}
		if err := s.d.DB.Tx(ctx, func(ctx context.Context) error { return deleteKey(ctx, db, s.current.Load().signers[ES256].kid) }); !errors.Is(err, errLost) {
			t.Errorf("the active key was deleted: %v", err)
		}
	})
}

func oneActive(t *testing.T, db *sqldb.DB) {
	t.Helper()
	var active, announced int
	must(t, db.QueryRow(t.Context(), `SELECT COUNT(*) FROM signing_key WHERE alg = 'ES256' AND state = 'active'`).Scan(&active))
	must(t, db.QueryRow(t.Context(), `SELECT COUNT(*) FROM signing_key WHERE alg = 'ES256' AND state = 'announced'`).Scan(&announced))
	if active != 1 || announced != 0 {
		t.Fatalf("%d active, %d announced", active, announced)
	}
}

// A key rotation under load: tokens that one process signs verify at once in the
// other, although it looks at the database much more rarely.
func TestRotationUnderLoad(t *testing.T) {
	ctx, c, db := t.Context(), newClock(), sqldbtest.Open(t)
	one, two := openSet(t, db, c, ES256), openSet(t, db, c, ES256)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	var done atomic.Int64
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				token, err := one.Sign(ES256, "test+jwt", 1)
				if err == nil {
					_, err = one.Verify(token, "test+jwt", ES256)
				}
				if err == nil {
					_, err = two.Verify(token, "test+jwt", ES256)
				}
				if err != nil {
					t.Error(err)
					return
				}
				done.Add(1)
			}
		})
	}
	for range 12 {
		must(t, one.Rotate(ctx, ES256))
		must(t, two.Advance(ctx)) // within Announce every process has looked
		c.pass(announce)
		must(t, one.Advance(ctx))
		for before := done.Load(); done.Load() < before+20 && !t.Failed(); {
			time.Sleep(time.Millisecond)
		}
		must(t, two.Advance(ctx))
	}
	close(stop)
	wg.Wait()
	if len(kids(t, one)) != 13 {
		t.Errorf("%d keys", len(kids(t, one)))
	}
}

// Someone with write access to the database but without the seal file.
func TestAlteredRowsAreRefused(t *testing.T) {
	ctx, c := t.Context(), newClock()
	sealer := sealerFrom(t, 9)
	for name, alter := range map[string]func(db *sqldb.DB) error{
		"sealed bytes altered": func(db *sqldb.DB) error {
			_, err := db.Exec(ctx, `UPDATE signing_key SET sealed = $1`, bytes.Repeat([]byte{1}, 200))
			return err
		},
		"private half kept as if it were the public one": func(db *sqldb.DB) error {
			_, err := db.Exec(ctx, `UPDATE signing_key SET state = 'retired' WHERE alg = 'ES256'`)
			return err
		},
		"algorithm changed": func(db *sqldb.DB) error {
			_, err := db.Exec(ctx, `UPDATE signing_key SET alg = 'EdDSA' WHERE alg = 'ES256'`)
			return err
		},
		"algorithm unknown": func(db *sqldb.DB) error {
			_, err := db.Exec(ctx, `UPDATE signing_key SET alg = 'none' WHERE alg = 'ES256'`)
			return err
		},
		"key id changed": func(db *sqldb.DB) error {
			_, err := db.Exec(ctx, `UPDATE signing_key SET kid = 'mine' WHERE alg = 'ES256'`)
			return err
		},
		"key of another, sealed under another file": func(db *sqldb.DB) error {
			k, err := (&Set{d: Deps{Generate: Alg.Generate, Now: c.now}}).newKey(EdDSA, stateActive)
			if err != nil {
				return err
			}
			row, err := k.seal(sealerFrom(t, 8))
			if err != nil {
				return err
			}
			_, err = insertKey(ctx, db, row)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			db := sqldbtest.Open(t)
			s := openSet(t, db, c, ES256)
			token := sign(t, s, ES256)
			must(t, alter(db))
			if _, err := Open(ctx, Deps{DB: db, Sealer: sealer, Now: c.now, Algs: []Alg{ES256}}); err == nil {
				t.Error("opened")
			}
			must(t, touch(ctx, db))
			if err := s.Advance(ctx); err == nil {
				t.Error("a running process loaded it")
			}
			if _, err := s.Verify(token, "test+jwt"); err != nil {
				t.Errorf("the running process lost its keys: %v", err)
			}
		})
	}
}

func TestRunFollowsTheSchedule(t *testing.T) {
	dsn := sqldbtest.SQLite(t)
	synctest.Test(t, func(t *testing.T) {
		db, err := sqldb.Open(t.Context(), dsn)
		must(t, err)
		s, err := Open(t.Context(), Deps{DB: db, Sealer: sealerFrom(t, 9), Now: time.Now, Announce: time.Minute, Retire: time.Hour, Algs: []Alg{ES256}})
		must(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- s.Run(ctx) }()
		must(t, s.Rotate(t.Context(), ES256))
		first := s.current.Load().signers[ES256].kid
		time.Sleep(time.Minute + pollEvery)
		synctest.Wait()
		if s.current.Load().signers[ES256].kid == first {
			t.Error("nothing was promoted")
		}
		time.Sleep(time.Hour + pollEvery)
		synctest.Wait()
		if len(kids(t, s)) != 1 {
			t.Error("nothing is gone")
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		must(t, db.Close())
	})
}

func TestOpenNamesWhatIsMissing(t *testing.T) {
	db, c, sealer := sqldbtest.Open(t), newClock(), sealerFrom(t, 9)
	for i, d := range []Deps{
		{Sealer: sealer, Now: c.now}, {DB: db, Now: c.now}, {DB: db, Sealer: sealer},
		{DB: db, Sealer: sealer, Now: c.now, Announce: -1}, {DB: db, Sealer: sealer, Now: c.now, Algs: []Alg{"HS256"}},
	} {
		if _, err := Open(t.Context(), d); err == nil {
			t.Errorf("%d: opened", i)
		}
	}
	s := openSet(t, db, c, ES256)
	if err := s.Rotate(t.Context(), "HS256"); reasonOf(err) != AlgRefused {
		t.Errorf("rotate HS256: %v", err)
	}
	if text := fmt.Sprintf("%+v %#v", s, s); strings.Contains(text, "PRIVATE") {
		t.Error("prints keys")
	}
}
