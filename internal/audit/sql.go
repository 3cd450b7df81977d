package audit

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/tsunagu-id/tsunagu/internal/sqldb"
)

// rowColumns is the order in which scanRow reads.
const rowColumns = `seq, at_us, kind, account, client, session, actor, reason, trace, facts, prev, hash`

// nextHead counts the head up by one and returns the new number and the hash of the row before it.
func nextHead(ctx context.Context, db *sqldb.DB) (seq int64, prev [32]byte, err error) {
	var hash []byte
	err = db.QueryRow(ctx, `UPDATE audit_head SET seq = seq + 1 WHERE id = 1 RETURNING seq, hash`).Scan(&seq, &hash)
	if errors.Is(err, sql.ErrNoRows) {
		err = &BrokenError{Why: Headless}
	}
	if err != nil {
		return 0, prev, err
	}
	prev, ok := headHash(seq-1, hash)
	if !ok {
		return 0, prev, &BrokenError{Seq: seq - 1, Why: Headless}
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

func insertRow(ctx context.Context, db *sqldb.DB, s stored, hash [32]byte) error {
	t := s.texts
	_, err := db.Exec(ctx, `INSERT INTO audit_event (`+rowColumns+`)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
		s.seq, s.at, t[textKind], t[textAccount], t[textClient], t[textSession], t[textActor], t[textReason], t[textTrace],
		t[textFacts], s.prev[:], hash[:])
	return err
}

// found is a row as it was found, with whatever hash it has.
type found struct {
	stored
	hash []byte
}

// findRows returns up to limit rows after a number, in order.
func findRows(ctx context.Context, db *sqldb.DB, q Query) (_ []found, err error) {
	var where strings.Builder
	args := []any{q.After, q.Limit}
	for _, c := range []struct{ column, value string }{{"kind", string(q.Kind)}, {"account", q.Account}} {
		if c.value != "" {
			args = append(args, c.value)
			where.WriteString(" AND " + c.column + " = $" + strconv.Itoa(len(args)))
		}
	}
	rows, err := db.Query(ctx, `SELECT `+rowColumns+` FROM audit_event WHERE seq > $1`+where.String()+` ORDER BY seq LIMIT $2`, args...)
	if err != nil {
		return nil, fmt.Errorf("audit: read: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var list []found
	for rows.Next() {
		var f found
		var prev []byte
		t := &f.texts
		err := rows.Scan(&f.seq, &f.at, &t[textKind], &t[textAccount], &t[textClient], &t[textSession], &t[textActor],
			&t[textReason], &t[textTrace], &t[textFacts], &prev, &f.hash)
		if err != nil {
			return nil, fmt.Errorf("audit: read: %w", err)
		}
		if len(prev) == len(f.prev) { // otherwise it stays zero, which no hash fits
			copy(f.prev[:], prev)
		}
		list = append(list, f)
	}
	return list, rows.Err()
}
