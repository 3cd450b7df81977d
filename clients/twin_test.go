package clients

import (
	"context"
	"encoding/json"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/tsunagu-id/tsunagu/internal/sqldb"
	"github.com/tsunagu-id/tsunagu/internal/sqldb/sqldbtest"
)

const twinReturn = "https://console.example/trial/callback"

// twin makes one of what is live, or of a document.
func (r *Registry) twinOf(ctx context.Context, id ID, document, jwks json.RawMessage) (Twin, error) {
	if document == nil {
		d, err := r.Detail(ctx, id)
		if err != nil {
			return Twin{}, err
		}
		document = d.Live.Metadata
	}
	return r.Twin(ctx, TwinOrder{Of: id, Document: document, Redirect: twinReturn, JWKS: jwks})
}

// TestOfAHundredTwinsAtOnceTenAreMade: the bound holds whoever asks at once, also from two processes, and another service has its own.
func TestOfAHundredTwinsAtOnceTenAreMade(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		c, ctx := newClock(), t.Context()
		processes := []*Registry{openRegistry(t, db, c, nil), openRegistry(t, db, c, nil)}
		live(t, processes[0], "a", nil)
		live(t, processes[0], "b", nil)
		set := jwks(t, newECKey(t, "k"))
		var made atomic.Int64
		atOnce(100, func(i int) {
			_, err := processes[i%2].twinOf(ctx, "a", nil, set)
			if err == nil {
				made.Add(1)
			} else if refusalOf(err) != WrongState {
				t.Error(err)
			}
		})
		var kept int64
		must(t, db.QueryRow(ctx, `SELECT count(*) FROM client_twin`).Scan(&kept))
		if made.Load() != maxTwins || kept != maxTwins {
			t.Errorf("%d made, %d there", made.Load(), kept)
		}
		must(t, second(processes[0].twinOf(ctx, "b", nil, set)))
		c.pass(twinLife)
		must(t, second(processes[0].twinOf(ctx, "a", nil, set)))
	})
}

// TestATwinEndsWithItsService: a service that was stopped signs nobody in, and its twins neither; nor are more made.
func TestATwinEndsWithItsService(t *testing.T) {
	r, ctx := openRegistry(t, sqldbtest.Open(t), newClock(), nil), t.Context()
	set := jwks(t, newECKey(t, "k"))
	live(t, r, "a", nil)
	twin, err := r.twinOf(ctx, "a", nil, set)
	must(t, err)
	why := Because{By: hanako, Reason: "it was broken into"}
	must(t, r.Suspend(ctx, "a", why))
	if _, err := r.Get(ctx, twin.Client.ID()); !errors.Is(err, ErrUnknown) {
		t.Errorf("the twin of a suspended service signs in: %v", err)
	}
	if _, err := r.twinOf(ctx, "a", nil, set); refusalOf(err) != WrongState {
		t.Errorf("a twin of a suspended service: %v", err)
	}
	must(t, r.Resume(ctx, "a", why))
	must(t, second(r.Get(ctx, twin.Client.ID())))
	must(t, r.Retire(ctx, "a", why))
	if _, err := r.Get(ctx, twin.Client.ID()); !errors.Is(err, ErrUnknown) {
		t.Errorf("the twin of a retired service signs in: %v", err)
	}
	drafted(t, r, "b", nil)
	d, err := r.Detail(ctx, "b")
	must(t, err)
	twin, err = r.twinOf(ctx, "b", d.Draft.Metadata, set)
	must(t, err)
	must(t, r.Discard(ctx, "b", d.Draft.Revision, hanako))
	if _, err := r.Get(ctx, twin.Client.ID()); !errors.Is(err, ErrUnknown) {
		t.Errorf("the twin of a discarded draft signs in: %v", err)
	}
}

// TestATwinHasNoRightsAndNoSeal: whoever writes a draft that nobody approved gets no twin that people are told was checked, that asks them to sign
// a document, that reaches servers of the service's, or that another person may sign in to.
func TestATwinHasNoRightsAndNoSeal(t *testing.T) {
	r, ctx := openRegistry(t, sqldbtest.Open(t), newClock(), nil), t.Context()
	live(t, r, "a", nil)
	twin, err := r.twinOf(ctx, "a", document(t, "a", map[string]any{
		"token_endpoint_auth_method": "private_key_jwt", "jwks": jwks(t, newECKey(t, "own")), "verified": true, "listed": true, "initiate_login_uri": "https://app.example/login", "accepts_representatives": true,
		"resources": []string{"https://api.example"}, "authorization_details_types": []string{"application", "signature"},
		"grant_types": []string{GrantAuthorizationCode, GrantRefreshToken, GrantClientCredentials, GrantDeviceCode, GrantTokenExchange}, "scope": "openid profile offline_access service links.own",
	}), jwks(t, newECKey(t, "k")))
	must(t, err)
	m := twin.Client.m
	if m.Verified || m.Listed || m.FirstParty || m.AcceptsProxies || m.Resources != nil || m.DetailTypes != nil || m.Agency != nil || m.Serves != nil {
		t.Errorf("%+v", m)
	}
	if got := twin.Client.Scopes(); len(got) != 3 {
		t.Errorf("scopes %v", got)
	}
	if len(m.GrantTypes) != 2 {
		t.Errorf("grants %v", m.GrantTypes)
	}
}

// TestNoDraftHasTheNameOfATwin: a name that could never go live is refused when it is first written.
func TestNoDraftHasTheNameOfATwin(t *testing.T) {
	r, ctx := openRegistry(t, sqldbtest.Open(t), newClock(), nil), t.Context()
	const id = "a~test-b"
	named := map[string]any{"redirect_uris": []string{"https://app.example/callback"}}
	if _, err := r.Draft(ctx, NewClient{Writing: writing(t, id, 0, hanako, named)}); faultsOf(err) != "client_id" {
		t.Errorf("drafted: %v", err)
	}
	if _, err := r.Apply(ctx, id, Application{Document: document(t, id, named), By: hanako}); faultsOf(err) != "client_id" {
		t.Errorf("applied: %v", err)
	}
	if _, err := r.put(ctx, metadata(t, id, named), nil); faultsOf(err) != "client_id" {
		t.Errorf("put: %v", err)
	}
}
