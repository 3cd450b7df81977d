package clients

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/internal/audit"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
	"github.com/tsunagu-id/tsunagu/internal/sqldb/sqldbtest"
)

const (
	hanako = "op_hanako"
	taro   = "op_taro"
)

// drafted begins a public client by hanako.
func drafted(t testing.TB, r *Registry, id ID, more map[string]any) Saved {
	t.Helper()
	saved, err := r.Draft(t.Context(), NewClient{Writing: writing(t, id, 0, hanako, more)})
	must(t, err)
	return saved
}

func writing(t testing.TB, id ID, revision int64, by string, more map[string]any) Writing {
	t.Helper()
	all := map[string]any{"token_endpoint_auth_method": "none"}
	for k, v := range more {
		all[k] = v
	}
	return Writing{Revision: revision, Document: document(t, id, all), Note: "first try", By: by}
}

// live makes a client live, by hanako and taro.
func live(t testing.TB, r *Registry, id ID, more map[string]any) {
	t.Helper()
	saved := drafted(t, r, id, more)
	must(t, r.Request(t.Context(), id, saved.Draft.Revision, hanako))
	must(t, r.Approve(t.Context(), id, Approval{Revision: saved.Draft.Revision, By: taro}))
}

// next drafts another version of a live client and requests it.
func next(t testing.TB, r *Registry, id ID, by string, more map[string]any) Draft {
	t.Helper()
	saved, err := r.Save(t.Context(), id, writing(t, id, 0, by, more))
	must(t, err)
	must(t, r.Request(t.Context(), id, saved.Draft.Revision, by))
	return saved.Draft
}

func TestDraftGoesLiveByASecondPerson(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		ctx, r := t.Context(), openRegistry(t, db, newClock(), nil)
		saved := drafted(t, r, "a", nil)
		revision := saved.Draft.Revision
		if _, err := r.Get(ctx, "a"); !errors.Is(err, ErrUnknown) {
			t.Errorf("a draft is known: %v", err)
		}
		if err := r.Approve(ctx, "a", Approval{Revision: revision, By: taro}); refusalOf(err) != WrongState {
			t.Errorf("approved before it was requested: %v", err)
		}
		must(t, r.Request(ctx, "a", revision, hanako))
		if d, err := r.Detail(ctx, "a"); err != nil || d.State != StateRequested || d.Draft.State != DraftRequested || d.Live != nil || d.By != hanako {
			t.Errorf("requested: %+v, %v", d, err)
		}
		if err := r.Approve(ctx, "a", Approval{Revision: revision, By: hanako}); refusalOf(err) != SamePerson {
			t.Errorf("by its author: %v", err)
		}
		must(t, r.Approve(ctx, "a", Approval{Revision: revision, By: taro, Exception: "seen to work at the desk", Preflight: "pf_1"}))
		c, err := r.Get(ctx, "a")
		if err != nil || c.Version() != 1 {
			t.Fatalf("not live: %v", err)
		}
		d, err := r.Detail(ctx, "a")
		must(t, err)
		v := d.Live
		if d.State != StateLive || d.Draft != nil || v.By != hanako || v.ApprovedBy != taro || v.Note != "first try" || v.Exception == "" || v.Preflight != "pf_1" {
			t.Errorf("version: %+v", v)
		}
		if string(v.Metadata) != string(saved.Draft.Metadata) {
			t.Error("what went live is not what was approved")
		}
	})
}

// Nobody with a hand in a draft approves it: not who began it, not who saved it in between, not who requested it.
func TestNobodyApprovesWhatTheyHadAHandIn(t *testing.T) {
	ctx, r := t.Context(), openRegistry(t, sqldbtest.Open(t), newClock(), nil)
	saved := drafted(t, r, "a", nil)
	w := writing(t, "a", saved.Draft.Revision, taro, map[string]any{"client_name": "二"})
	saved, err := r.Save(ctx, "a", w)
	must(t, err)
	must(t, r.Request(ctx, "a", saved.Draft.Revision, "op_third"))
	for _, by := range []string{hanako, taro, "op_third"} {
		if err := r.Approve(ctx, "a", Approval{Revision: saved.Draft.Revision, By: by}); refusalOf(err) != SamePerson {
			t.Errorf("%s: %v", by, err)
		}
	}
	must(t, r.Approve(ctx, "a", Approval{Revision: saved.Draft.Revision, By: "op_fourth"}))
}

// A save that says nothing new gives nobody a hand in the draft, and takes no request back.
func TestSavingTheSameChangesNothing(t *testing.T) {
	ctx, r := t.Context(), openRegistry(t, sqldbtest.Open(t), newClock(), nil)
	saved := drafted(t, r, "a", nil)
	must(t, r.Request(ctx, "a", saved.Draft.Revision, hanako))
	again, err := r.Save(ctx, "a", writing(t, "a", saved.Draft.Revision, taro, nil))
	if err != nil || again.Draft.Revision != saved.Draft.Revision || again.Draft.State != DraftRequested || slices.Contains(again.Draft.Authors, taro) {
		t.Errorf("%+v, %v", again.Draft, err)
	}
}

// Of a hundred approvals at once one wins, and makes one version.
func TestOneOfManyApprovalsWins(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		ctx, r := t.Context(), openRegistry(t, db, newClock(), nil)
		saved := drafted(t, r, "a", nil)
		must(t, r.Request(ctx, "a", saved.Draft.Revision, hanako))
		var won atomic.Int64
		atOnce(100, func(i int) {
			err := r.Approve(ctx, "a", Approval{Revision: saved.Draft.Revision, By: fmt.Sprintf("op_%d", i)})
			switch {
			case err == nil:
				won.Add(1)
			case refusalOf(err) != Conflict:
				t.Errorf("%v", err)
			}
		})
		versions, _, err := r.Versions(ctx, "a", 0, 0)
		if won.Load() != 1 || err != nil || len(versions) != 1 {
			t.Errorf("%d approvals won, %d versions, %v", won.Load(), len(versions), err)
		}
	})
}

// A save that races an approval either is refused, or takes the request back: what goes live is what was seen.
func TestApprovalIsOfWhatWasSeen(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		ctx, r := t.Context(), openRegistry(t, db, newClock(), nil)
		live(t, r, "a", nil)
		for i := range 10 {
			seen := next(t, r, "a", hanako, map[string]any{"client_name": fmt.Sprintf("seen %d", i)})
			other := writing(t, "a", seen.Revision, hanako, map[string]any{"client_name": "never seen"})
			var approved, saved error
			atOnce(2, func(n int) {
				if n == 0 {
					approved = r.Approve(ctx, "a", Approval{Revision: seen.Revision, By: taro})
				} else {
					_, saved = r.Save(ctx, "a", other)
				}
			})
			if (approved == nil) == (saved == nil) || refusalOf(errors.Join(approved, saved)) != Conflict {
				t.Fatalf("approved: %v, saved: %v", approved, saved)
			}
			d, err := r.Detail(ctx, "a")
			must(t, err)
			if strings.Contains(string(d.Live.Metadata), "never seen") || (approved == nil) != strings.Contains(string(d.Live.Metadata), fmt.Sprintf("seen %d", i)) {
				t.Fatalf("live: %s", d.Live.Metadata)
			}
			if d.Draft != nil {
				must(t, r.Discard(ctx, "a", d.Draft.Revision, hanako))
			}
		}
	})
}

// atOnce runs fn n times at the same time.
func atOnce(n int, fn func(i int)) {
	var ready, done sync.WaitGroup
	ready.Add(n)
	for i := range n {
		done.Go(func() {
			ready.Done()
			ready.Wait()
			fn(i)
		})
	}
	done.Wait()
}

func TestSecondEditorGetsAConflictAndNothingIsLost(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		ctx, r := t.Context(), openRegistry(t, db, newClock(), nil)
		seen := drafted(t, r, "a", nil).Draft.Revision
		first, err := r.Save(ctx, "a", writing(t, "a", seen, hanako, map[string]any{"client_name": "花子の"}))
		must(t, err)
		_, err = r.Save(ctx, "a", writing(t, "a", seen, taro, map[string]any{"client_name": "太郎の"}))
		e, ok := errors.AsType[*ChangeError](err)
		if !ok || e.Reason != Conflict || e.Current == nil || e.Current.Revision != first.Draft.Revision || e.Current.By != hanako || !strings.Contains(string(e.Current.Metadata), "花子の") {
			t.Fatalf("%+v", err)
		}
		if _, err := r.Save(ctx, "a", writing(t, "a", 0, taro, nil)); refusalOf(err) != Conflict {
			t.Errorf("whoever saw no draft: %v", err)
		}
		// A hundred at once, all of whom saw the same: one is stored.
		var won atomic.Int64
		atOnce(100, func(i int) {
			if _, err := r.Save(ctx, "a", writing(t, "a", first.Draft.Revision, taro, map[string]any{"client_name": fmt.Sprint(i)})); err == nil {
				won.Add(1)
			} else if refusalOf(err) != Conflict {
				t.Error(err)
			}
		})
		if won.Load() != 1 {
			t.Errorf("%d saves won", won.Load())
		}
	})
}

// No revision names two drafts, whatever was discarded and approved meanwhile.
func TestRevisionsNeverComeAgain(t *testing.T) {
	ctx, r := t.Context(), openRegistry(t, sqldbtest.Open(t), newClock(), nil)
	first := drafted(t, r, "a", nil).Draft.Revision
	must(t, r.Discard(ctx, "a", first, hanako))
	if _, err := r.Detail(ctx, "a"); refusalOf(err) != NotFound {
		t.Fatalf("a client that was never live outlives its draft: %v", err)
	}
	second := drafted(t, r, "a", nil).Draft.Revision
	must(t, r.Request(ctx, "a", second, hanako))
	if err := r.Approve(ctx, "a", Approval{Revision: first, By: taro}); second == first || refusalOf(err) != Conflict {
		t.Errorf("revision %d approved as %d: %v", second, first, err)
	}
}

func TestRejectedDraftIsWrittenAndRequestedAgain(t *testing.T) {
	ctx, r := t.Context(), openRegistry(t, sqldbtest.Open(t), newClock(), nil)
	saved := drafted(t, r, "a", nil)
	if err := r.Reject(ctx, "a", saved.Draft.Revision, Because{By: taro, Reason: "no contact"}); refusalOf(err) != WrongState {
		t.Errorf("rejected before it was requested: %v", err)
	}
	must(t, r.Request(ctx, "a", saved.Draft.Revision, hanako))
	if err := r.Reject(ctx, "a", saved.Draft.Revision, Because{By: taro}); faultsOf(err) != "reason" {
		t.Errorf("without a reason: %v", err)
	}
	must(t, r.Reject(ctx, "a", saved.Draft.Revision, Because{By: taro, Reason: "no contact"}))
	d, err := r.Detail(ctx, "a")
	must(t, err)
	if d.State != StateDraft || d.Draft.State != DraftRejected || d.Draft.Answer != "no contact" {
		t.Errorf("%+v", d.Draft)
	}
	if err := r.Approve(ctx, "a", Approval{Revision: d.Draft.Revision, By: taro}); refusalOf(err) != WrongState {
		t.Errorf("approved after it was rejected: %v", err)
	}
	saved, err = r.Save(ctx, "a", writing(t, "a", d.Draft.Revision, hanako, map[string]any{"contacts": []string{"desk@a.example"}}))
	if err != nil || saved.Draft.State != DraftOpen {
		t.Errorf("%+v, %v", saved.Draft, err)
	}
}

func TestGoBackToAnEarlierVersion(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		ctx, r := t.Context(), openRegistry(t, db, newClock(), nil)
		live(t, r, "a", map[string]any{"client_name": "一"})
		d := next(t, r, "a", hanako, map[string]any{"client_name": "二"})
		must(t, r.Approve(ctx, "a", Approval{Revision: d.Revision, By: taro}))
		open, err := r.Save(ctx, "a", writing(t, "a", 0, hanako, map[string]any{"client_name": "三"}))
		must(t, err)
		must(t, r.GoBack(ctx, "a", 1, Because{By: taro, Reason: "sign-ins fail"}))
		c, err := r.Get(ctx, "a")
		if err != nil || c.Version() != 3 || c.Name("ja") != "一" {
			t.Fatalf("%+v, %v", c, err)
		}
		v, err := r.Version(ctx, "a", 3)
		if err != nil || v.Of != 1 || v.By != taro || v.Note != "sign-ins fail" {
			t.Errorf("%+v, %v", v, err)
		}
		// The draft was written on a version that is not live any more.
		must(t, r.Request(ctx, "a", open.Draft.Revision, hanako))
		if err := r.Approve(ctx, "a", Approval{Revision: open.Draft.Revision, By: taro}); refusalOf(err) != Conflict {
			t.Errorf("a draft on an old version: %v", err)
		}
		if err := r.GoBack(ctx, "a", 3, Because{By: taro, Reason: "sign-ins fail"}); refusalOf(err) != WrongState {
			t.Errorf("to what is live: %v", err)
		}
		if err := r.GoBack(ctx, "a", 9, Because{By: taro, Reason: "sign-ins fail"}); refusalOf(err) != NotFound {
			t.Errorf("to what never was: %v", err)
		}
	})
}

func TestSuspendedRetiredAndDraftedClientsToStrangers(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		ctx, r := t.Context(), openRegistry(t, db, newClock(), nil)
		live(t, r, "a", nil)
		why := Because{By: "op_guard", Reason: "reported by citizens"}
		must(t, r.Suspend(ctx, "a", why))
		if _, err := r.Get(ctx, "a"); !errors.Is(err, ErrSuspended) {
			t.Errorf("suspended: %v", err)
		}
		if err := r.Suspend(ctx, "a", why); refusalOf(err) != WrongState {
			t.Errorf("twice: %v", err)
		}
		if d, err := r.Detail(ctx, "a"); err != nil || d.State != StateSuspended || d.Stopped == nil || d.Stopped.By != "op_guard" || d.Stopped.Reason != why.Reason {
			t.Errorf("%+v, %v", d.Stopped, err)
		}
		must(t, r.Resume(ctx, "a", why))
		if _, err := r.Get(ctx, "a"); err != nil {
			t.Errorf("resumed: %v", err)
		}
		next(t, r, "a", hanako, map[string]any{"client_name": "二"})
		must(t, r.Retire(ctx, "a", why))
		if _, err := r.Get(ctx, "a"); !errors.Is(err, ErrUnknown) {
			t.Errorf("retired: %v", err)
		}
		d, err := r.Detail(ctx, "a")
		if err != nil || d.State != StateRetired || d.Draft != nil || d.Live == nil || d.Stopped == nil {
			t.Errorf("%+v, %v", d, err)
		}
		for name, err := range map[string]error{
			"resume":  r.Resume(ctx, "a", why),
			"go back": r.GoBack(ctx, "a", 1, why),
			"save":    second(r.Save(ctx, "a", writing(t, "a", 0, hanako, nil))),
		} {
			if refusalOf(err) != WrongState {
				t.Errorf("%s: %v", name, err)
			}
		}
		if _, err := r.Draft(ctx, NewClient{Writing: writing(t, "a", 0, hanako, nil)}); refusalOf(err) != Conflict {
			t.Errorf("the id was given again: %v", err)
		}
		if _, err := r.put(ctx, metadata(t, "a", map[string]any{"token_endpoint_auth_method": "none"}), nil); faultsOf(err) != "client_id" {
			t.Errorf("put again: %v", err)
		}
	})
}

func second[T any](_ T, err error) error { return err }

// Half a draft is kept on wish, and cannot be requested; what cannot be read is not kept even then.
func TestPartialDraft(t *testing.T) {
	ctx, r := t.Context(), openRegistry(t, sqldbtest.Open(t), newClock(), nil)
	n := NewClient{Kind: KindWeb, Writing: Writing{Document: []byte(`{"client_name":"窓口"}`), By: hanako}}
	if _, err := r.Draft(ctx, n); faultsOf(err) != "operator, redirect_uris" {
		t.Fatalf("%v", err)
	}
	n.Partial = true
	saved, err := r.Draft(ctx, n)
	must(t, err)
	if len(saved.Faults) != 2 || string(saved.Draft.Metadata) != `{"client_id":"`+string(saved.ID)+`","client_name":"窓口"}` {
		t.Errorf("%+v %s", saved.Faults, saved.Draft.Metadata)
	}
	if err := r.Request(ctx, saved.ID, saved.Draft.Revision, hanako); faultsOf(err) != "operator, redirect_uris" {
		t.Errorf("requested with faults: %v", err)
	}
	_, err = r.Save(ctx, saved.ID, Writing{Revision: saved.Draft.Revision, Document: []byte(`{"redirect_urls":[]}`), By: hanako, Partial: true})
	if faultsOf(err) != "redirect_urls" {
		t.Errorf("%v", err)
	}
	if d, err := r.Detail(ctx, saved.ID); err != nil || d.Kind != KindWeb || d.Name.JA != "窓口" {
		t.Errorf("%+v, %v", d.Listing, err)
	}
}

// A registration is stored in one spelling, however it was written down.
func TestSameRegistrationIsStoredAsTheSameBytes(t *testing.T) {
	ctx, r := t.Context(), openRegistry(t, sqldbtest.Open(t), newClock(), nil)
	want := `{"client_id":"a","client_name":"窓口","operator":"区","category":"private","application_type":"web","profile":"oidc",` +
		`"redirect_uris":["https://a.example/cb"],"grant_types":["authorization_code"],"response_types":["code"],"scope":"openid",` +
		`"token_endpoint_auth_method":"private_key_jwt","jwks":{"keys":[{"crv":"P-256","kid":"k","kty":"EC",` +
		`"x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]},` +
		`"id_token_signed_response_alg":"ES256","subject_type":"pairwise"}`
	revision := int64(0)
	for _, written := range []string{
		want,
		`{ "operator": "区", "client_name": "\u7a93\u53e3", "redirect_uris": ["https://a.example/cb"], "contacts": [], "listed": false,
		   "token_endpoint_auth_method": "private_key_jwt", "tos_uri": "",
		   "jwks": {"keys": [ {"kid": "k", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0", "kty": "EC", "crv": "P-256",
		     "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"} ]}, "purposes": {} }`,
	} {
		saved, err := r.Draft(ctx, NewClient{Writing: Writing{Document: []byte(strings.Replace(written, "{", `{"client_id":"a",`, boolToInt(written != want))), By: hanako}})
		must(t, err)
		if string(saved.Draft.Metadata) != want {
			t.Errorf("got  %s\nwant %s", saved.Draft.Metadata, want)
		}
		revision = saved.Draft.Revision
		must(t, r.Discard(ctx, "a", revision, hanako))
	}
}

func boolToInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

func TestApply(t *testing.T) {
	ctx, r := t.Context(), openRegistry(t, sqldbtest.Open(t), newClock(), nil)
	a := Application{Document: document(t, "a", map[string]any{"token_endpoint_auth_method": "none"}), By: hanako}
	apply := func(want Outcome) {
		t.Helper()
		if got, err := r.Apply(ctx, "a", a); err != nil || got != want {
			t.Errorf("%s, %v, want %s", got, err, want)
		}
	}
	apply(Drafted)
	apply(Drafted)
	a.Request = true
	apply(Requested)
	apply(Requested)
	d, err := r.Detail(ctx, "a")
	if err != nil || d.Draft.Revision != 1 {
		t.Errorf("applying the same wrote again: %+v, %v", d.Draft, err)
	}
	must(t, r.Approve(ctx, "a", Approval{Revision: 1, By: taro}))
	apply(Unchanged)
	_, err = r.Save(ctx, "a", writing(t, "a", 0, taro, map[string]any{"client_name": "太郎の"}))
	must(t, err)
	apply(Unchanged)
	a.Document = document(t, "a", map[string]any{"token_endpoint_auth_method": "none", "client_name": "花子の"})
	if _, err := r.Apply(ctx, "a", a); refusalOf(err) != Conflict {
		t.Errorf("another's draft was overwritten: %v", err)
	}
	if _, err := r.Apply(ctx, "b", a); faultsOf(err) != "client_id" {
		t.Errorf("a file of another client: %v", err)
	}
}

func TestDiffNamesWhatDiffers(t *testing.T) {
	ctx, r := t.Context(), openRegistry(t, sqldbtest.Open(t), newClock(), nil)
	live(t, r, "a", map[string]any{"client_name": "一", "policy_uri": "https://a.example/privacy"})
	_, err := r.Save(ctx, "a", writing(t, "a", 0, hanako, map[string]any{"client_name": "二", "contacts": []string{"desk@a.example"}}))
	must(t, err)
	changes, err := r.Diff(ctx, "a", "live", "draft")
	must(t, err)
	var got []string
	for _, c := range changes {
		got = append(got, fmt.Sprintf("%s: %s → %s", c.Member, c.From, c.To))
	}
	if want := `client_name: "一" → "二", policy_uri: "https://a.example/privacy" → null, contacts: null → ["desk@a.example"]`; strings.Join(got, ", ") != want {
		t.Errorf("got %s", strings.Join(got, ", "))
	}
	if changes, err := r.Diff(ctx, "a", "1", "live"); err != nil || len(changes) != 0 {
		t.Errorf("%v, %v", changes, err)
	}
	for _, name := range []string{"2", "x", ""} {
		if _, err := r.Diff(ctx, "a", "live", name); refusalOf(err) != NotFound {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// Every change of the registry is in the audit log, with who did it.
func TestChangesAreRecorded(t *testing.T) {
	ctx, db, c := t.Context(), sqldbtest.Open(t), newClock()
	log, err := audit.New(ctx, db, c.now)
	must(t, err)
	r, err := Open(ctx, Deps{DB: db, Now: c.now, Record: log.Append})
	must(t, err)
	must(t, r.Seed(ctx, fmt.Appendf(nil, "[%s]", document(t, "seeded", map[string]any{"token_endpoint_auth_method": "none"}))))
	saved, err := r.Draft(ctx, NewClient{Writing: Writing{Document: document(t, "a", nil), By: hanako}})
	must(t, err)
	must(t, r.Request(ctx, "a", saved.Draft.Revision, hanako))
	must(t, r.Reject(ctx, "a", saved.Draft.Revision, Because{By: taro, Reason: "not yet"}))
	must(t, r.Request(ctx, "a", saved.Draft.Revision, hanako))
	must(t, r.Approve(ctx, "a", Approval{Revision: saved.Draft.Revision, By: taro}))
	made, _, err := r.MakeSecret(ctx, "a", NextSecret{By: hanako})
	must(t, err)
	must(t, r.EndSecret(ctx, "a", made.ID, taro))
	saved, err = r.Save(ctx, "a", Writing{Document: document(t, "a", map[string]any{"client_name": "二"}), By: hanako})
	must(t, err)
	must(t, r.Discard(ctx, "a", saved.Draft.Revision, taro))
	must(t, r.Suspend(ctx, "a", Because{By: taro, Reason: "a reason of taro's"}))
	must(t, r.Resume(ctx, "a", Because{By: taro, Reason: "a reason of taro's"}))
	must(t, r.Retire(ctx, "a", Because{By: taro, Reason: "a reason of taro's"}))
	_, err = r.AddOrganisation(ctx, Organisation{ID: "ward", Name: "区役所"}, taro)
	must(t, err)
	rows, err := log.List(ctx, audit.Query{})
	must(t, err)
	var got []string
	for _, row := range rows {
		got = append(got, string(row.Kind)+" "+row.Client+" "+row.Actor)
		if strings.Contains(fmt.Sprint(row), "taro's") {
			t.Errorf("what somebody wrote stands in the log: %v", row)
		}
	}
	want := []string{
		"client.seeded seeded seed", "client.drafted a op_hanako", "client.requested a op_hanako", "client.rejected a op_taro", "client.requested a op_hanako",
		"client.approved a op_taro", "client.secret_made a op_hanako", "client.secret_ended a op_taro", "client.drafted a op_hanako",
		"client.draft_discarded a op_taro", "client.suspended a op_taro", "client.resumed a op_taro", "client.retired a op_taro", "organisation.added  op_taro",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	fails := func(context.Context, audit.Event) error { return errors.New("the log is full") }
	full, err := Open(ctx, Deps{DB: db, Now: c.now, Record: fails})
	must(t, err)
	if _, err := full.Draft(ctx, NewClient{Writing: writing(t, "unrecorded", 0, hanako, nil)}); err == nil {
		t.Error("drafted without a record")
	}
	if _, err := r.Detail(ctx, "unrecorded"); refusalOf(err) != NotFound {
		t.Errorf("half of it is stored: %v", err)
	}
}

func TestSeedAndSelfRegistrationSayWhoBroughtThem(t *testing.T) {
	ctx, r := t.Context(), openRegistry(t, sqldbtest.Open(t), newClock(), nil)
	must(t, r.Seed(ctx, fmt.Appendf(nil, "[%s]", document(t, "seeded", map[string]any{"token_endpoint_auth_method": "none"}))))
	d, err := r.Detail(ctx, "seeded")
	if err != nil || d.By != "seed" || d.Live.By != "seed" || d.Live.ApprovedBy != "" {
		t.Errorf("%+v, %v", d, err)
	}
	desk := newDesk(t, sqldbtest.Open(t), nil)
	made := desk.register(nil)
	d, err = desk.registry.Detail(ctx, ID(made.text("client_id")))
	if err != nil || !strings.HasPrefix(d.By, "policy:") || d.Live.By != d.By {
		t.Errorf("%+v, %v", d, err)
	}
}

// Going back works when it has to: the secret that the version before needs is still good, for a week.
func TestGoingBackFindsTheSecret(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		ctx, c := t.Context(), newClock()
		r := openRegistry(t, db, c, nil)
		basic := map[string]any{"token_endpoint_auth_method": "client_secret_basic"}
		live(t, r, "a", basic)
		_, secret, err := r.MakeSecret(ctx, "a", NextSecret{By: hanako})
		must(t, err)
		d := next(t, r, "a", hanako, nil)
		must(t, r.Approve(ctx, "a", Approval{Revision: d.Revision, By: taro}))
		if proves(ctx, r, "a", secret) {
			t.Error("a secret is good for a client without one")
		}
		must(t, r.GoBack(ctx, "a", 1, Because{By: taro, Reason: "sign-ins fail"}))
		if !proves(ctx, r, "a", secret) {
			t.Error("the version before is back without its secret")
		}
		must(t, r.GoBack(ctx, "a", 2, Because{By: taro, Reason: "and forward again"}))
		c.pass(7*day + time.Second)
		must(t, r.GoBack(ctx, "a", 1, Because{By: taro, Reason: "much too late"}))
		if proves(ctx, r, "a", secret) {
			t.Error("the secret never ended")
		}
	})
}
