package audit_test

import (
	"errors"
	"testing"

	"github.com/tsunagu-id/tsunagu/internal/audit"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
	"github.com/tsunagu-id/tsunagu/internal/sqldb/sqldbtest"
)

// TestVerifyFindsTampering tampers with a log of ten rows the way somebody with access to the tables could.
func TestVerifyFindsTampering(t *testing.T) {
	tests := []struct {
		name string
		sql  []string
		want audit.BrokenError
	}{
		{"altered text", []string{`UPDATE audit_event SET account = 'mallory' WHERE seq = 4`}, audit.BrokenError{Seq: 4, Why: audit.Altered}},
		{"altered kind", []string{`UPDATE audit_event SET kind = 'login.refused' WHERE seq = 4`}, audit.BrokenError{Seq: 4, Why: audit.Altered}},
		{"altered facts", []string{`UPDATE audit_event SET facts = '{"source":"crl"}' WHERE seq = 4`}, audit.BrokenError{Seq: 4, Why: audit.Altered}},
		{"facts respelled", []string{`UPDATE audit_event SET facts = '{"source": "ocsp"}' WHERE seq = 4`}, audit.BrokenError{Seq: 4, Why: audit.Altered}},
		{"text moved to the next field", []string{`UPDATE audit_event SET client = account, account = '' WHERE seq = 4`}, audit.BrokenError{Seq: 4, Why: audit.Altered}},
		{"altered time", []string{`UPDATE audit_event SET at_us = at_us - 1 WHERE seq = 4`}, audit.BrokenError{Seq: 4, Why: audit.Altered}},
		{"altered hash", []string{`UPDATE audit_event SET hash = prev WHERE seq = 4`}, audit.BrokenError{Seq: 4, Why: audit.Altered}},
		{"altered link", []string{`UPDATE audit_event SET prev = hash WHERE seq = 4`}, audit.BrokenError{Seq: 4, Why: audit.Altered}},
		{"first row deleted", []string{`DELETE FROM audit_event WHERE seq = 1`}, audit.BrokenError{Seq: 1, Why: audit.Missing}},
		{"row deleted", []string{`DELETE FROM audit_event WHERE seq = 4`}, audit.BrokenError{Seq: 4, Why: audit.Missing}},
		{"deleted and renumbered", []string{
			`DELETE FROM audit_event WHERE seq = 10`,
			`UPDATE audit_event SET seq = 10 WHERE seq = 9`,
		}, audit.BrokenError{Seq: 9, Why: audit.Missing}},
		{"two rows exchanged", []string{
			`UPDATE audit_event SET seq = 99 WHERE seq = 4`,
			`UPDATE audit_event SET seq = 4 WHERE seq = 5`,
			`UPDATE audit_event SET seq = 5 WHERE seq = 99`,
		}, audit.BrokenError{Seq: 4, Why: audit.Reordered}},
		{"row moved to the end", []string{
			`UPDATE audit_event SET seq = 99 WHERE seq = 4`,
			`UPDATE audit_event SET seq = seq - 1 WHERE seq = 5`,
			`UPDATE audit_event SET seq = seq - 1 WHERE seq = 6`,
			`UPDATE audit_event SET seq = seq - 1 WHERE seq = 7`,
			`UPDATE audit_event SET seq = seq - 1 WHERE seq = 8`,
			`UPDATE audit_event SET seq = seq - 1 WHERE seq = 9`,
			`UPDATE audit_event SET seq = seq - 1 WHERE seq = 10`,
			`UPDATE audit_event SET seq = 10 WHERE seq = 99`,
		}, audit.BrokenError{Seq: 4, Why: audit.Reordered}},
		{"base gone", []string{`DELETE FROM audit_base`}, audit.BrokenError{Seq: 0, Why: audit.Headless}},
		{"base moved over rows", []string{
			`UPDATE audit_base SET seq = 3, hash = (SELECT hash FROM audit_event WHERE seq = 2)`,
		}, audit.BrokenError{Seq: 4, Why: audit.Reordered}},
		{"tail cut", []string{`DELETE FROM audit_event WHERE seq > 7`}, audit.BrokenError{Seq: 8, Why: audit.Truncated}},
		{"all gone", []string{`DELETE FROM audit_event`}, audit.BrokenError{Seq: 1, Why: audit.Truncated}},
		{"tail cut and head moved back", []string{
			`DELETE FROM audit_event WHERE seq > 7`,
			`UPDATE audit_head SET seq = 7`,
		}, audit.BrokenError{Seq: 7, Why: audit.Headless}},
		{"head moved back", []string{
			`UPDATE audit_head SET seq = 7, hash = (SELECT hash FROM audit_event WHERE seq = 7)`,
		}, audit.BrokenError{Seq: 8, Why: audit.Headless}},
		{"head moved on", []string{`UPDATE audit_head SET seq = 11`}, audit.BrokenError{Seq: 11, Why: audit.Truncated}},
		{"head hash altered", []string{
			`UPDATE audit_head SET hash = (SELECT hash FROM audit_event WHERE seq = 9)`,
		}, audit.BrokenError{Seq: 10, Why: audit.Headless}},
		{"head gone", []string{`DELETE FROM audit_head`}, audit.BrokenError{Seq: 0, Why: audit.Headless}},
		{"row put in at the end", []string{
			`INSERT INTO audit_event (seq, at_us, kind, account, client, session, actor, reason, trace, facts, prev, hash)
				SELECT 11, at_us, kind, account, client, session, actor, reason, trace, facts, prev, hash FROM audit_event WHERE seq = 10`,
		}, audit.BrokenError{Seq: 11, Why: audit.Headless}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			eachLog(t, func(t *testing.T, db *sqldb.DB, l *audit.Log) {
				fill(t, l, 10)
				if err := l.Verify(t.Context()); err != nil {
					t.Fatalf("before: %v", err)
				}
				for _, q := range tt.sql {
					if n, err := db.Exec(t.Context(), q); err != nil || n == 0 {
						t.Fatal(q, n, err)
					}
				}
				err := l.Verify(t.Context())
				broken, ok := errors.AsType[*audit.BrokenError](err)
				if !ok || *broken != tt.want {
					t.Errorf("got %v, want %v", err, &tt.want)
				}
			})
		})
	}
}

// TestReplacedRowBreaksChain replaces a row by a whole one of another log: right number, right hash, wrong past.
func TestReplacedRowBreaksChain(t *testing.T) {
	eachLog(t, func(t *testing.T, db *sqldb.DB, l *audit.Log) {
		other := aside(t)
		fill(t, l, 6)
		if err := other.Append(t.Context(), audit.Event{Kind: "login.refused"}); err != nil {
			t.Fatal(err)
		}
		fill(t, other, 5)
		rows, err := other.List(t.Context(), audit.Query{After: 3, Limit: 1})
		if err != nil {
			t.Fatal(err)
		}
		r := rows[0]
		_, err = db.Exec(t.Context(), `UPDATE audit_event SET kind = $1, account = $2, prev = $3, hash = $4 WHERE seq = $5`,
			string(r.Kind), r.Account, r.Prev[:], r.Hash[:], r.Seq)
		if err != nil {
			t.Fatal(err)
		}
		broken, ok := errors.AsType[*audit.BrokenError](l.Verify(t.Context()))
		if want := (audit.BrokenError{Seq: 4, Why: audit.Reordered}); !ok || *broken != want {
			t.Errorf("got %v, want %v", broken, &want)
		}
	})
}

// TestVerifyLong crosses a page.
func TestVerifyLong(t *testing.T) {
	l := aside(t)
	fill(t, l, 1500)
	if err := l.Verify(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func aside(t *testing.T) *audit.Log {
	t.Helper()
	return open(t, sqldbtest.Open(t))
}
