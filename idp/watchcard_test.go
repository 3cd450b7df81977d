package idp

import (
	"errors"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/federation"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
	"github.com/tsunagu-id/tsunagu/internal/sqldb/sqldbtest"
)

// TestLoginDoesNotReviveATieThatWasTakenBack: between a login's look at the tie and its watching the card, the folder's owner takes the card back.
func TestLoginDoesNotReviveATieThatWasTakenBack(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		ctx := t.Context()
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		must(Migrate(ctx, db))
		a := accounts{db: db, now: time.Now}
		proof := &cardProof{IssuerKey: "k", Serial: []byte("s"), Kind: "card", NotAfter: time.Now().Add(time.Hour).Unix()}
		_, err := db.Exec(ctx, `INSERT INTO account (id, opened_at, terms, ended_before) VALUES ('a', 1, 't', 0)`)
		must(err)
		must(a.insertBinding(ctx, succession{Proof: proof, Account: "a", Evidence: evidenceBoth}))
		if id, err := a.byCard(ctx, proof); id != "a" || err != nil {
			t.Fatal(id, err)
		}
		for _, before := range []string{"", "keyCompromise"} { // what was revoked can be taken back, too
			if before != "" {
				_, err = db.Exec(ctx, `UPDATE card_binding SET revoked = $1`, before)
				must(err)
			}
			if first, err := a.cutCard(ctx, whatEnds{Card: proof.ref(), Revoked: endUndone}); !first || err != nil {
				t.Fatal(before, first, err)
			}
			must(a.watchCard(ctx, watched{Account: federation.AccountID("a"), Card: proof.ref(), Checked: time.Now().UnixMilli()}, time.Now().Add(time.Hour), 1))
			if id, err := a.byCard(ctx, proof); !errors.Is(err, errNoAccount) {
				t.Errorf("%q: it opens %q again, %v", before, id, err)
			}
			if stand, err := a.footing(ctx, "a", proof.ref()); err != nil || !stand.over(time.Now().Add(time.Minute).UnixMilli()) {
				t.Errorf("%q: sessions of it stand: %+v, %v", before, stand, err)
			}
		}
		if first, err := a.cutCard(ctx, whatEnds{Card: proof.ref(), Revoked: endUndone}); first || err != nil {
			t.Error("taken back twice", err)
		}
	})
}
