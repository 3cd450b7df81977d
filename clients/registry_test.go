package clients

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/internal/sqldb"
	"github.com/tsunagu-id/tsunagu/internal/sqldb/sqldbtest"
	"github.com/tsunagu-id/tsunagu/keys"
)

func TestPutAndGet(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		ctx, r := t.Context(), openRegistry(t, db, newClock(), nil)
		if _, err := r.Get(ctx, "etax"); !errors.Is(err, ErrUnknown) {
			t.Fatalf("before: %v", err)
		}
		secret := keys.RandomSecret()
		put, err := r.put(ctx, metadata(t, "etax", nil), &secret)
		must(t, err)
		got, err := r.Get(ctx, "etax")
		must(t, err)
		if put.Version() != 1 || got.Version() != 1 || got.Name("ja") != "イータックス" || got.Name("en") != "e-Tax" || got.Name("fr") != "イータックス" {
			t.Errorf("%+v", got)
		}
		if again, err := r.put(ctx, metadata(t, "etax", nil), &secret); err != nil || again.Version() != 1 {
			t.Errorf("unchanged: version %d, %v", again.Version(), err)
		}
		changed, err := r.put(ctx, metadata(t, "etax", map[string]any{"client_name": "e-Tax"}), nil)
		must(t, err)
		if got, err := r.Get(ctx, "etax"); err != nil || changed.Version() != 2 || got.Version() != 2 || got.Name("ja") != "e-Tax" {
			t.Errorf("changed: %+v, %v", got, err)
		}
		if _, ok := changed.holds(secret, r.d.Now()); !ok {
			t.Error("the secret was lost")
		}
		var versions int
		must(t, db.QueryRow(ctx, `SELECT COUNT(*) FROM client_version WHERE client = 'etax'`).Scan(&versions))
		if versions != 2 {
			t.Errorf("%d versions kept", versions)
		}
	})
}

func TestClientAnswers(t *testing.T) {
	r := openRegistry(t, sqldbtest.Open(t), newClock(), nil)
	c, err := r.put(t.Context(), metadata(t, "portal", map[string]any{
		"profile": "fapi2", "token_endpoint_auth_method": "private_key_jwt", "jwks": jwks(t, newECKey(t, "a")), "development": true,
		"redirect_uris": []string{"http://localhost:8401/callback"}, "post_logout_redirect_uris": []string{"http://localhost:8401/"},
		"grant_types": []string{"authorization_code", "refresh_token"}, "scope": "openid links", "purposes": map[string]string{"links": "一覧のため", "links#en": "To list"},
		"description": "窓口", "client_uri": "http://localhost:8401/", "initiate_login_uri": "http://localhost:8401/start", "category": "government",
		"listed": true, "verified": true, "first_party": true, "default_max_age": 60, "default_acr_values": []string{"phrh"},
		"policy_uri": "http://localhost:8401/privacy", "tos_uri": "http://localhost:8401/terms", "id_token_signed_response_alg": "PS256",
		"backchannel_logout_uri": "http://localhost:8401/logout/backchannel", "backchannel_logout_session_required": true,
	}), nil)
	must(t, err)
	age, ok := c.DefaultMaxAge()
	got := fmt.Sprintln(c.ID(), c.Operator(), c.Domain(), c.Sector(), c.Profile(), c.AuthMethod(), c.Public(), c.RequirePAR(), c.RequirePKCE(),
		c.GrantTypes(), c.Scopes(), c.IDTokenAlg(), c.Purpose("links", "en"), c.Purpose("links", "ja"), c.Purpose("openid", "ja"), c.Description("en"),
		c.Home(), c.InitiateLoginURI(), c.Category(), c.Listed(), c.Verified(), c.FirstParty(), age, ok, c.ACRValues(), c.PolicyURI(), c.TOSURI(),
		c.PostLogoutAllows("http://localhost:8401/"), c.PostLogoutAllows("http://localhost:8401"), c.PostLogoutAllows(""), c.RedirectURIs()[0].Host(), c.RedirectURIs()[0].Loopback(),
		c.BackchannelLogoutURI(), c.BackchannelLogoutSessionRequired())
	want := fmt.Sprintln("portal", "国税庁", "localhost:8401", "localhost:8401", "fapi2", "private_key_jwt", false, true, true,
		"[authorization_code refresh_token]", "[openid links]", "PS256", "To list", "一覧のため", "", "窓口",
		"http://localhost:8401/", "http://localhost:8401/start", "government", true, true, true, time.Minute, true, "[phrh]", "http://localhost:8401/privacy", "http://localhost:8401/terms",
		true, false, false, "localhost:8401", true, "http://localhost:8401/logout/backchannel", true)
	if got != want {
		t.Errorf("got  %swant %s", got, want)
	}
	for _, s := range [][]string{c.GrantTypes(), c.Scopes(), c.ACRValues()} {
		s[0] = "changed"
	}
	if c.GrantTypes()[0] == "changed" || c.Scopes()[0] == "changed" || c.ACRValues()[0] == "changed" {
		t.Error("a client was changed from outside")
	}
}

// RFC 9700 §2.1.1: who may do without PKCE, and who must push.
func TestRequirements(t *testing.T) {
	key := jwks(t, newECKey(t, "a"))
	for _, c := range []struct {
		name      string
		more      map[string]any
		pkce, par bool
	}{
		{"default", nil, true, false},
		{"confidential without PKCE, in as many words", map[string]any{"require_pkce": false}, false, false},
		{"confidential with PKCE, in as many words", map[string]any{"require_pkce": true}, true, false},
		{"public", map[string]any{"token_endpoint_auth_method": "none"}, true, false},
		{"PAR by choice", map[string]any{"require_pushed_authorization_requests": true}, true, true},
		{"fapi2", map[string]any{"profile": "fapi2", "token_endpoint_auth_method": "private_key_jwt", "jwks": key}, true, true},
	} {
		m := metadata(t, "rp", c.more)
		got, err := newClient(m, 1, false, nil)
		must(t, err)
		if got.RequirePKCE() != c.pkce || got.RequirePAR() != c.par {
			t.Errorf("%s: PKCE %v, PAR %v", c.name, got.RequirePKCE(), got.RequirePAR())
		}
	}
}

func TestPutRefuses(t *testing.T) {
	ctx, db := t.Context(), sqldbtest.Open(t)
	r := openRegistry(t, db, newClock(), nil)
	secret, weak, odd := keys.RandomSecret(), keys.NewSecret([]byte("letmein")), keys.NewSecret([]byte("0123456789 0123456789 0123456789 0123456789"))
	_, err := r.put(ctx, metadata(t, "old", nil), &secret)
	must(t, err)
	for _, c := range []struct {
		name   string
		m      Metadata
		secret *keys.Secret
		want   string
	}{
		{"unchecked metadata", Metadata{ClientID: "x"}, &secret, "client_name, operator, redirect_uris"},
		{"no secret", metadata(t, "a", nil), nil, "client_secret"},
		{"weak secret", metadata(t, "a", nil), &weak, "client_secret"},
		{"secret with spaces", metadata(t, "a", nil), &odd, "client_secret"},
		{"secret of a public client", metadata(t, "a", map[string]any{"token_endpoint_auth_method": "none"}), &secret, "token_endpoint_auth_method"},
		{"changed sector", metadata(t, "old", map[string]any{"redirect_uris": []string{"https://new.example/cb"}}), nil, "redirect_uris"},
		{"jwks_uri without a fetcher", metadata(t, "a", map[string]any{"token_endpoint_auth_method": "private_key_jwt", "jwks_uri": "https://a.example/jwks"}), nil, "jwks_uri"},
		{"sector_identifier_uri without a fetcher", metadata(t, "a", map[string]any{"sector_identifier_uri": "https://a.example/s"}), &secret, "sector_identifier_uri"},
	} {
		if _, err := r.put(ctx, c.m, c.secret); faultsOf(err) != c.want {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if _, err := r.Get(ctx, "a"); !errors.Is(err, ErrUnknown) {
		t.Errorf("something was stored: %v", err)
	}
	if c, err := r.Get(ctx, "old"); err != nil || c.Version() != 1 {
		t.Errorf("the old client changed: %v", err)
	}
}

// A client that gives up its secret does not keep it for later.
func TestSecretGoesWithTheMethod(t *testing.T) {
	ctx, r := t.Context(), openRegistry(t, sqldbtest.Open(t), newClock(), nil)
	secret := keys.RandomSecret()
	_, err := r.put(ctx, metadata(t, "a", nil), &secret)
	must(t, err)
	c, err := r.put(ctx, metadata(t, "a", map[string]any{"token_endpoint_auth_method": "none"}), nil)
	must(t, err)
	if _, ok := c.holds(secret, r.d.Now()); ok {
		t.Error("the secret is still there")
	}
	if _, err := r.put(ctx, metadata(t, "a", nil), nil); faultsOf(err) != "client_secret" {
		t.Errorf("the old secret came back: %v", err)
	}
}

func TestSuspend(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		ctx, c := t.Context(), newClock()
		one, two := openRegistry(t, db, c, nil), openRegistry(t, db, c, nil)
		_, err := one.put(ctx, metadata(t, "a", map[string]any{"token_endpoint_auth_method": "none"}), nil)
		must(t, err)
		_, err = two.Get(ctx, "a")
		must(t, err)
		must(t, one.Suspend(ctx, "a", forTest))
		if got, err := one.Get(ctx, "a"); !errors.Is(err, ErrSuspended) || got.Name("en") != "e-Tax" {
			t.Errorf("here: %v", err)
		}
		if _, err := two.Get(ctx, "a"); err != nil {
			t.Errorf("the other process asks more often than it says: %v", err)
		}
		c.pass(time.Second)
		if _, err := two.Get(ctx, "a"); !errors.Is(err, ErrSuspended) {
			t.Errorf("in the other process: %v", err)
		}
		if _, err := two.Authenticate(ctx, Credentials{id: "a", method: None}, AssertionRules{}); reasonOf(err) != SuspendedClient {
			t.Errorf("authenticated: %v", err)
		}
		if list, err := two.List(ctx); err != nil || len(list) != 0 {
			t.Errorf("listed: %v, %v", idsOf(list), err)
		}
		put, err := one.put(ctx, metadata(t, "a", map[string]any{"token_endpoint_auth_method": "none", "client_name": "B"}), nil)
		if err != nil || !put.suspended {
			t.Errorf("a new version: %+v, %v", put, err)
		}
		if _, err := one.Get(ctx, "a"); !errors.Is(err, ErrSuspended) {
			t.Errorf("a new version ended the suspension: %v", err)
		}
		must(t, one.Resume(ctx, "a", forTest))
		if _, err := one.Get(ctx, "a"); err != nil {
			t.Error(err)
		}
		if err := one.Suspend(ctx, "nobody", forTest); refusalOf(err) != NotFound {
			t.Errorf("nobody: %v", err)
		}
	})
}

func TestListIsCurrentAndSorted(t *testing.T) {
	ctx, c, db := t.Context(), newClock(), sqldbtest.Open(t)
	one, two := openRegistry(t, db, c, nil), openRegistry(t, db, c, nil)
	for i, id := range []ID{"b", "a", "c"} {
		_, err := one.put(ctx, metadata(t, id, map[string]any{"token_endpoint_auth_method": "none"}), nil)
		must(t, err)
		if list, err := one.List(ctx); err != nil || len(list) != i+1 {
			t.Fatalf("%v, %v", idsOf(list), err)
		}
	}
	if list, err := two.List(ctx); err != nil || !sameIDs(list, "a", "b", "c") {
		t.Errorf("%v, %v", idsOf(list), err)
	}
}

// When the database cannot be asked the answer is an error, not an old client.
func TestNoAnswerFromMemoryWithoutTheDatabase(t *testing.T) {
	ctx, c, db := t.Context(), newClock(), sqldbtest.Open(t)
	r := openRegistry(t, db, c, nil)
	_, err := r.put(ctx, metadata(t, "a", map[string]any{"token_endpoint_auth_method": "none"}), nil)
	must(t, err)
	_, err = r.Get(ctx, "a")
	must(t, err)
	must(t, db.Close())
	if _, err := r.Get(ctx, "a"); err != nil {
		t.Errorf("within the second: %v", err)
	}
	c.pass(lookEvery)
	if got, err := r.Get(ctx, "a"); err == nil || got != nil || errors.Is(err, ErrUnknown) {
		t.Errorf("after it: %v, %v", got, err)
	}
}

func TestConcurrentPutsAndGets(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		ctx, c := t.Context(), newClock()
		sets := []*Registry{openRegistry(t, db, c, nil), openRegistry(t, db, c, nil)}
		var wg sync.WaitGroup
		const each = 10
		for n := range each {
			for i, r := range sets {
				wg.Go(func() {
					m := metadata(t, "a", map[string]any{"token_endpoint_auth_method": "none", "client_name": fmt.Sprint("version ", i, " ", n)})
					if _, err := r.put(ctx, m, nil); err != nil {
						t.Error(err)
					}
					if _, err := r.Get(ctx, "a"); err != nil {
						t.Error(err)
					}
				})
			}
		}
		wg.Wait()
		c.pass(lookEvery)
		for _, r := range sets {
			if got, err := r.Get(ctx, "a"); err != nil || got.Version() != each*int64(len(sets)) {
				t.Errorf("version %d, %v", got.Version(), err)
			}
		}
	})
}

// A look that began before a change, and ends after it, is not remembered.
func TestSlowLookIsNotRemembered(t *testing.T) {
	ctx, r := t.Context(), openRegistry(t, sqldbtest.Open(t), newClock(), nil)
	before := r.current.Load()
	stamp, err := selectStamp(ctx, r.d.DB) // the slow look has read this far
	must(t, err)
	_, err = r.put(ctx, metadata(t, "a", map[string]any{"token_endpoint_auth_method": "none"}), nil)
	must(t, err)
	slow := &cache{stamp: stamp}
	slow.looked.Store(r.d.Now().UnixNano())
	if r.current.CompareAndSwap(before, slow) {
		t.Fatal("the slow look took the place of what the change left")
	}
	if _, err := r.Get(ctx, "a"); err != nil {
		t.Error(err)
	}
}

// Callers that hold every connection, in transactions, must not wait for one that
// holds none.
func TestGetInsideTransactions(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		c := newClock()
		r := openRegistry(t, db, c, nil)
		_, err := r.put(ctx, metadata(t, "a", map[string]any{"token_endpoint_auth_method": "none"}), nil)
		must(t, err)
		var wg sync.WaitGroup
		for i := range 200 {
			wg.Go(func() {
				c.pass(lookEvery)
				get := func(ctx context.Context) error {
					_, err := r.Get(ctx, "a")
					return err
				}
				err := get(ctx)
				if i%2 == 0 {
					err = db.Tx(ctx, get)
				}
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	})
}

// Ids that cannot be registered do not reach the database, whatever they contain.
func TestGetOddIDs(t *testing.T) {
	r := openRegistry(t, sqldbtest.Open(t), newClock(), nil)
	for _, id := range []ID{"", "a b", "\x00", "\xff", "' OR 1=1 --", ID(make([]byte, 1<<20))} {
		if _, err := r.Get(t.Context(), id); !errors.Is(err, ErrUnknown) {
			t.Errorf("%.20q: %v", id, err)
		}
	}
}

func TestOpenNamesWhatIsMissing(t *testing.T) {
	for i, d := range []Deps{{Now: newClock().now}, {DB: sqldbtest.Open(t)}} {
		if _, err := Open(t.Context(), d); err == nil {
			t.Errorf("%d: opened", i)
		}
	}
}

func BenchmarkGet(b *testing.B) {
	r, ctx := openRegistry(b, sqldbtest.Open(b), newClock(), nil), b.Context()
	_, err := r.put(ctx, metadata(b, "a", map[string]any{"token_endpoint_auth_method": "none"}), nil)
	must(b, err)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Get(ctx, "a"); err != nil {
			b.Fatal(err)
		}
	}
}
