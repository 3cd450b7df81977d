package audit

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/tsunagu-id/tsunagu/internal/sqldb"
)

// rowColumns is the order in which scanRow reads.
const rowColumns = `seq, at_us, kind, account, client, session, actor, reason, trace, facts, prev, hash`

// advanceHead counts the head up by n and returns number and hash of the last row before that.
func advanceHead(ctx context.Context, db *sqldb.DB, n int) (seq int64, prev [32]byte, err error) {
	var hash []byte
	err = db.QueryRow(ctx, `UPDATE audit_head SET seq = seq + $1 WHERE id = 1 RETURNING seq, hash`, n).Scan(&seq, &hash)
	if errors.Is(err, sql.ErrNoRows) {
		err = &BrokenError{Why: Headless}
	}
	if err != nil {
		return 0, prev, err
	}
	seq -= int64(n)
	prev, ok := headHash(seq, hash)
	if !ok {
		return 0, prev, &BrokenError{Seq: seq, Why: Headless}
	}
	return seq, prev, nil
}

func setHead(ctx context.Context, db *sqldb.DB, hash [32]byte) error {
	_, err := db.Exec(ctx, `UPDATE audit_head SET hash = $1 WHERE id = 1`, hash[:])
	return err
}

// readHead returns where the log ends; ok is false if nothing says so.
func readHead(ctx context.Context, db *sqldb.DB) (seq int64, hash [32]byte, ok bool, err error) {
	var b []byte
	err = db.QueryRow(ctx, `SELECT seq, hash FROM audit_head WHERE id = 1`).Scan(&seq, &b)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, hash, false, nil
	}
	hash, ok = headHash(seq, b)
	return seq, hash, ok, err
}

// headHash reads the hash in the head: nothing before the first row, and then a whole one.
func headHash(seq int64, b []byte) (hash [32]byte, ok bool) {
	if seq == 0 {
		return hash, len(b) == 0
	}
	n := copy(hash[:], b)
	return hash, n == len(hash) && len(b) == len(hash)
}

// row is what is written: an event in its place, and its hash.
type row struct {
	stored
	hash [32]byte
}

// maxInsert bounds the rows of one statement. Each number of rows is a statement of its own for the databases to prepare.
const maxInsert = 16

func insertRows(ctx context.Context, db *sqldb.DB, rows []row) error {
	for chunk := range slices.Chunk(rows, maxInsert) {
		var values strings.Builder
		args := make([]any, 0, len(chunk)*12)
		for i, r := range chunk {
			if i > 0 {
				values.WriteString(", ")
			}
			t := r.texts
			columns := []any{r.seq, r.at, t[textKind], t[textAccount], t[textClient], t[textSession], t[textActor], t[textReason],
				t[textTrace], t[textFacts], r.prev[:], r.hash[:]}
			open := "($"
			for _, c := range columns {
				args = append(args, c)
				values.WriteString(open + strconv.Itoa(len(args)))
				open = ", $"
			}
			values.WriteString(")")
		}
		if _, err := db.Exec(ctx, `INSERT INTO audit_event (`+rowColumns+`) VALUES `+values.String(), args...); err != nil {
			return err
		}
	}
	return nil
}

// found is a row as it was found, with whatever hash it has.
type found struct {
	stored
	hash []byte
}

// findRows returns up to limit rows after a number, in order.
func findRows(ctx context.Context, db *sqldb.DB, q Query) ([]found, error) {
	where := `seq > $1`
	args := []any{q.After, q.Limit}
	for _, c := range []column{{"kind", string(q.Kind)}, {"account", q.Account}} {
		if c.value != "" {
			args = append(args, c.value)
			where += ` AND ` + c.name + ` = $` + strconv.Itoa(len(args))
		}
	}
	return selectRows(ctx, db, where+` ORDER BY seq LIMIT $2`, args...)
}
