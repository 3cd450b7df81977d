package audit

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/tsunagu-id/tsunagu/internal/sqldb"
)

// selectMarks returns the checkpoints that match where, which also orders and limits them.
func selectMarks(ctx context.Context, db *sqldb.DB, where string, args ...any) (_ []mark, err error) {
	rows, err := db.Query(ctx, `SELECT seq, prev, at_us, hash, jws, proof FROM audit_checkpoint WHERE `+where, args...)
	if err != nil {
		return nil, fmt.Errorf("audit: read checkpoints: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var list []mark
	for rows.Next() {
		var m mark
		if err := rows.Scan(&m.seq, &m.prev, &m.at, &m.hash, &m.jws, &m.proof); err != nil {
			return nil, fmt.Errorf("audit: read checkpoints: %w", err)
		}
		list = append(list, m)
	}
	return list, rows.Err()
}

// insertMark stores a checkpoint, and reports false if there is another of its row, or another after the same one.
func insertMark(ctx context.Context, db *sqldb.DB, m mark) (bool, error) {
	n, err := db.Exec(ctx, `INSERT INTO audit_checkpoint (seq, prev, at_us, hash, jws, proof) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT DO NOTHING`, m.seq, m.prev, m.at, m.hash, m.jws, m.proof)
	if err != nil {
		return false, fmt.Errorf("audit: store checkpoint: %w", err)
	}
	return n == 1, nil
}

// base is where the log begins.
type base struct {
	place
	proof []byte
	gone  bool // nothing says where
}

func readBase(ctx context.Context, db *sqldb.DB) (base, error) {
	var b base
	var hash []byte
	err := db.QueryRow(ctx, `SELECT seq, hash, proof FROM audit_base WHERE id = 1`).Scan(&b.seq, &hash, &b.proof)
	if errors.Is(err, sql.ErrNoRows) {
		return base{gone: true}, nil
	}
	if err != nil {
		return base{}, fmt.Errorf("audit: read base: %w", err)
	}
	var ok bool
	if b.hash, ok = headHash(b.seq, hash); !ok {
		b.gone = true
	}
	return b, nil
}

// moveBase moves the base on, and reports false if it is there already or further.
func moveBase(ctx context.Context, db *sqldb.DB, b base) (bool, error) {
	n, err := db.Exec(ctx, `UPDATE audit_base SET seq = $1, hash = $2, proof = $3 WHERE id = 1 AND seq < $1`, b.seq, b.hash[:], b.proof)
	if err != nil {
		return false, fmt.Errorf("audit: move base: %w", err)
	}
	return n == 1, nil
}

// deletePrefix removes rows up to a number, a bounded part, and reports whether there may be more.
func deletePrefix(ctx context.Context, db *sqldb.DB, through int64, limit int) (more bool, err error) {
	n, err := db.Exec(ctx, `DELETE FROM audit_event WHERE seq IN (SELECT seq FROM audit_event WHERE seq <= $1 ORDER BY seq LIMIT $2)`, through, limit)
	if err != nil {
		return false, fmt.Errorf("audit: take out rows: %w", err)
	}
	return n == int64(limit), nil
}
