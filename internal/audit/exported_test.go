package audit_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/tsunagu-id/tsunagu/internal/audit"
	"github.com/tsunagu-id/tsunagu/internal/sqldb/sqldbtest"
)

// What left the log as an export is as provable as the log: every change of a row, and every missing or moved one, is found and named.
func TestExportedRowsProveThemselves(t *testing.T) {
	l := open(t, sqldbtest.Open(t))
	fill(t, l, 20)
	rows, err := l.List(t.Context(), audit.Query{Limit: 100})
	if err != nil || len(rows) != 20 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	judge := func(rows []audit.Row) error {
		var x audit.Exported
		for _, r := range rows {
			if err := x.Next(r); err != nil {
				return err
			}
		}
		if seq, hash := x.Last(); seq != rows[len(rows)-1].Seq || hash != rows[len(rows)-1].Hash {
			t.Errorf("the last is %d", seq)
		}
		return nil
	}
	if err := judge(rows); err != nil {
		t.Fatal(err)
	}
	if err := judge(rows[5:]); err != nil {
		t.Errorf("from the middle on: %v", err)
	}
	for name, tt := range map[string]struct {
		change func([]audit.Row) []audit.Row
		want   audit.BrokenError
	}{
		"kind":      {func(r []audit.Row) []audit.Row { r[4].Kind = "login.failed"; return r }, audit.BrokenError{Seq: 5, Why: audit.Altered}},
		"fact":      {func(r []audit.Row) []audit.Row { r[4].Facts = map[string]string{"acr": "other"}; return r }, audit.BrokenError{Seq: 5, Why: audit.Altered}},
		"time":      {func(r []audit.Row) []audit.Row { r[4].At = r[4].At.Add(1000); return r }, audit.BrokenError{Seq: 5, Why: audit.Altered}},
		"left out":  {func(r []audit.Row) []audit.Row { return slices.Delete(r, 4, 5) }, audit.BrokenError{Seq: 5, Why: audit.Missing}},
		"exchanged": {func(r []audit.Row) []audit.Row { r[4], r[5] = r[5], r[4]; return r }, audit.BrokenError{Seq: 5, Why: audit.Missing}},
		"renumbered": {func(r []audit.Row) []audit.Row {
			r[4].Seq, r[5].Seq = r[5].Seq, r[4].Seq
			r[4], r[5] = r[5], r[4]
			return r
		},
			audit.BrokenError{Seq: 5, Why: audit.Altered}},
	} {
		broken, ok := errors.AsType[*audit.BrokenError](judge(tt.change(slices.Clone(rows))))
		if !ok || broken.Seq != tt.want.Seq || broken.Why != tt.want.Why && !(tt.want.Why == audit.Altered && broken.Why == audit.Reordered) {
			t.Errorf("%s: %v, want %v", name, broken, tt.want)
		}
	}
}
