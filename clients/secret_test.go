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

const day = 24 * time.Hour

func proves(ctx context.Context, r *Registry, id ID, secret keys.Secret) bool {
	_, err := r.Authenticate(ctx, Credentials{id: id, method: SecretBasic, proof: secret}, AssertionRules{})
	return err == nil
}

func states(t testing.TB, r *Registry, id ID) string {
	t.Helper()
	list, err := r.Secrets(t.Context(), id)
	must(t, err)
	out := ""
	for _, s := range list {
		out += string(s.State) + " "
	}
	return out
}

func TestSecretsOverlapWhileTheyAreRotated(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		ctx, c := t.Context(), newClock()
		r := openRegistry(t, db, c, nil)
		live(t, r, "a", map[string]any{"token_endpoint_auth_method": "client_secret_basic"})
		first, one, err := r.MakeSecret(ctx, "a", NextSecret{By: hanako})
		must(t, err)
		c.pass(time.Minute)
		_, two, err := r.MakeSecret(ctx, "a", NextSecret{By: hanako, Overlap: 2 * day})
		must(t, err)
		if !proves(ctx, r, "a", one) || !proves(ctx, r, "a", two) || states(t, r, "a") != "current ending " {
			t.Fatalf("both should be good: %s", states(t, r, "a"))
		}
		c.pass(2*day - time.Second)
		if !proves(ctx, r, "a", one) {
			t.Error("the old one ended early")
		}
		c.pass(time.Second)
		if proves(ctx, r, "a", one) || !proves(ctx, r, "a", two) || states(t, r, "a") != "current ended " {
			t.Errorf("after the overlap: %s", states(t, r, "a"))
		}
		if err := r.EndSecret(ctx, "a", first.ID, taro); refusalOf(err) != WrongState {
			t.Errorf("ended twice: %v", err)
		}
		if err := r.EndSecret(ctx, "a", "s-none", taro); refusalOf(err) != NotFound {
			t.Errorf("of nobody: %v", err)
		}
		// At once, when one leaked: what was good a moment ago is good for nothing.
		_, three, err := r.MakeSecret(ctx, "a", NextSecret{By: hanako})
		must(t, err)
		if proves(ctx, r, "a", two) || !proves(ctx, r, "a", three) {
			t.Error("the leaked secret is still good")
		}
		c.pass(usualLives)
		if proves(ctx, r, "a", three) {
			t.Error("a secret outlives its year")
		}
	})
}

func TestSecretsThatAreNotMade(t *testing.T) {
	ctx, c := t.Context(), newClock()
	r := openRegistry(t, sqldbtest.Open(t), c, nil)
	live(t, r, "public", nil)
	if _, _, err := r.MakeSecret(ctx, "public", NextSecret{By: hanako}); refusalOf(err) != WrongState {
		t.Errorf("of a public client: %v", err)
	}
	if _, _, err := r.MakeSecret(ctx, "nobody", NextSecret{By: hanako}); refusalOf(err) != NotFound {
		t.Errorf("of nobody: %v", err)
	}
	live(t, r, "a", map[string]any{"token_endpoint_auth_method": "client_secret_basic"})
	for _, n := range []NextSecret{{Overlap: -1}, {Overlap: 8 * day}, {Lives: 731 * day}, {Lives: time.Minute}} {
		if _, _, err := r.MakeSecret(ctx, "a", n); faultsOf(err) == "" {
			t.Errorf("%+v: %v", n, err)
		}
	}
	for range maxGood {
		_, _, err := r.MakeSecret(ctx, "a", NextSecret{By: hanako, Overlap: day})
		must(t, err)
	}
	if _, _, err := r.MakeSecret(ctx, "a", NextSecret{By: hanako, Overlap: day}); refusalOf(err) != WrongState {
		t.Errorf("a sixth: %v", err)
	}
}

// The last use of a secret is known to the hour, and costs one write an hour, not one a request.
func TestUseOfASecretIsNotedOnceAnHour(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		ctx, c := t.Context(), newClock()
		r := openRegistry(t, db, c, nil)
		live(t, r, "a", map[string]any{"token_endpoint_auth_method": "client_secret_basic"})
		made, secret, err := r.MakeSecret(ctx, "a", NextSecret{By: hanako})
		must(t, err)
		used := func() time.Time {
			list, err := r.Secrets(ctx, "a")
			must(t, err)
			return list[0].Used
		}
		if !used().IsZero() {
			t.Error("used before it was")
		}
		atOnce(100, func(int) {
			if !proves(ctx, r, "a", secret) {
				t.Error("refused")
			}
		})
		if want := c.now().UTC().Truncate(time.Hour); !used().Equal(want) {
			t.Errorf("used %s, want %s", used(), want)
		}
		// A write would put it back.
		_, err = db.Exec(ctx, `UPDATE client_secret SET used_at = 1 WHERE id = $1`, made.ID)
		must(t, err)
		c.pass(time.Second)
		proves(ctx, r, "a", secret)
		if used().Unix() != 1 {
			t.Error("written twice in an hour")
		}
		c.pass(time.Hour)
		proves(ctx, r, "a", secret)
		if want := c.now().UTC().Truncate(time.Hour); !used().Equal(want) {
			t.Errorf("an hour later: %s, want %s", used(), want)
		}
	})
}

// Whoever runs a client hears two weeks and three days before its last secret ends, once each, however many processes look.
func TestRemindersOfSecretsThatEnd(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		ctx, c := t.Context(), newClock()
		r, other := openRegistry(t, db, c, nil), openRegistry(t, db, c, nil)
		_, err := r.AddOrganisation(ctx, Organisation{ID: "ward", Name: "区役所", Contacts: []string{"desk@ward.example", "it@ward.example"}}, taro)
		must(t, err)
		saved, err := r.Draft(ctx, NewClient{Organisation: "ward", Writing: Writing{Document: document(t, "a", nil), By: hanako}})
		must(t, err)
		must(t, r.Request(ctx, "a", saved.Draft.Revision, hanako))
		must(t, r.Approve(ctx, "a", Approval{Revision: saved.Draft.Revision, By: taro}))
		_, _, err = r.MakeSecret(ctx, "a", NextSecret{By: hanako, Lives: 30 * day})
		must(t, err)

		var mu sync.Mutex
		var sent []Reminder
		broken := false
		send := func(_ context.Context, m Reminder) error {
			mu.Lock()
			defer mu.Unlock()
			if broken {
				return errors.New("the mail server is away")
			}
			sent = append(sent, m)
			return nil
		}
		look := func(want int) {
			t.Helper()
			sent = nil
			atOnce(20, func(i int) {
				if err := []*Registry{r, other}[i%2].Remind(ctx, send); err != nil && !broken {
					t.Error(err)
				}
			})
			if len(sent) != want {
				t.Fatalf("%d reminders, want %d: %+v", len(sent), want, sent)
			}
		}
		warned := func(want WarningWord) {
			t.Helper()
			d, err := r.Detail(ctx, "a")
			must(t, err)
			got := WarningWord("")
			if len(d.Warnings) > 0 {
				got = d.Warnings[0].Word
			}
			if got != want {
				t.Errorf("warning %q, want %q", got, want)
			}
		}
		look(0)
		warned("")
		c.pass(16 * day)
		broken = true
		look(0)
		broken = false
		look(0) // not before its time
		c.pass(reminderLease)
		look(1)
		warned(SecretEnds)
		if m := sent[0]; m.Client != "a" || m.Organisation != "区役所" || fmt.Sprint(m.Contacts) != "[desk@ward.example it@ward.example]" || m.Name.EN != "e-Tax" {
			t.Errorf("%+v", m)
		}
		look(0)
		c.pass(12 * day)
		look(1)
		look(0)
		// A next secret: nothing to be told of the old one.
		_, _, err = r.MakeSecret(ctx, "a", NextSecret{By: hanako, Overlap: day, Lives: 4 * day})
		must(t, err)
		look(1) // of the new one, which ends soon itself
		c.pass(2 * day)
		look(1)
		c.pass(3 * day)
		look(0)
		warned(SecretEnded)
	})
}
