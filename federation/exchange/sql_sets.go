package exchange

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tsunagu-id/tsunagu/internal/govcode"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
)

const setColumns = `version, digest, bases, proposed_by, proposed_ms, approved_by, approved_ms, from_ms, until_ms`

// insertSet stores a draft under the next version. Of two at once one fails on the key, and is to be sent again.
func insertSet(ctx context.Context, db *sqldb.DB, s Set) (int64, error) {
	var version int64
	err := db.QueryRow(ctx, `INSERT INTO exchange_set (`+setColumns+`)
		SELECT COALESCE(MAX(version), 0) + 1, $1, CAST($2 AS bigint), $3, CAST($4 AS bigint), '', 0, 0, 0 FROM exchange_set RETURNING version`,
		s.Digest, s.Bases, s.ProposedBy, s.ProposedAt.UnixMilli()).Scan(&version)
	return version, err
}

// maxInsert bounds the rows of one statement.
const maxInsert = 50

func insertBases(ctx context.Context, db *sqldb.DB, version int64, all []Basis) error {
	for chunk := range slices.Chunk(all, maxInsert) {
		var values strings.Builder
		var args []any
		for i, b := range chunk {
			if i > 0 {
				values.WriteString(", ")
			}
			open := "("
			for _, v := range []any{version, string(b.Name), b.Requester.String(), b.Purpose.String(), b.PurposeName.JA, b.PurposeName.EN,
				b.Provider.String(), b.Item.String(), b.ItemName.JA, b.ItemName.EN, b.From.UnixMilli(), b.Until.UnixMilli(), b.Law} {
				args = append(args, v)
				values.WriteString(open + "$" + strconv.Itoa(len(args)))
				open = ", "
			}
			values.WriteString(")")
		}
		_, err := db.Exec(ctx, `INSERT INTO exchange_basis (version, basis, requester, purpose, purpose_ja, purpose_en, provider, item, item_ja,
			item_en, from_ms, until_ms, law) VALUES `+values.String(), args...)
		if err != nil {
			return err
		}
	}
	return nil
}

// approveSet reports false where the set is not there, was approved before, or is the approver's own.
func approveSet(ctx context.Context, db *sqldb.DB, version int64, as string, now, from, until time.Time) (bool, error) {
	n, err := db.Exec(ctx, `UPDATE exchange_set SET approved_by = $2, approved_ms = $3, from_ms = $4, until_ms = $5
		WHERE version = $1 AND approved_by = '' AND proposed_by <> $2`, version, as, now.UnixMilli(), from.UnixMilli(), until.UnixMilli())
	return n == 1, err
}

func scanSet(row interface{ Scan(...any) error }) (Set, error) {
	var s Set
	var proposed, approved, from, until int64
	if err := row.Scan(&s.Version, &s.Digest, &s.Bases, &s.ProposedBy, &proposed, &s.ApprovedBy, &approved, &from, &until); err != nil {
		return Set{}, err
	}
	s.ProposedAt = time.UnixMilli(proposed)
	if s.ApprovedBy != "" {
		s.ApprovedAt, s.From, s.Until = time.UnixMilli(approved), time.UnixMilli(from), time.UnixMilli(until)
	}
	return s, nil
}

func findSet(ctx context.Context, db *sqldb.DB, version int64) (Set, error) {
	s, err := scanSet(db.QueryRow(ctx, `SELECT `+setColumns+` FROM exchange_set WHERE version = $1`, version))
	if errors.Is(err, sql.ErrNoRows) {
		return Set{}, &Error{Reason: UnknownSet, Detail: "no set has version " + strconv.FormatInt(version, 10)}
	}
	return s, err
}

func listSets(ctx context.Context, db *sqldb.DB, limit int) (_ []Set, err error) {
	rows, err := db.Query(ctx, `SELECT `+setColumns+` FROM exchange_set ORDER BY version DESC LIMIT $1`, limit)
	if err != nil {
		return nil, fmt.Errorf("list sets: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var out []Set
	for rows.Next() {
		s, err := scanSet(rows)
		if err != nil {
			return nil, fmt.Errorf("list sets: %w", err)
		}
		out = append(out, s)
	}
	return out, rows.Err()
}

// currentSet returns the set that is in force, or was last; ok is false where none ever was.
func currentSet(ctx context.Context, db *sqldb.DB, now time.Time) (s Set, ok bool, err error) {
	s, err = scanSet(db.QueryRow(ctx, `SELECT `+setColumns+` FROM exchange_set WHERE approved_by <> '' AND from_ms <= $1
		ORDER BY from_ms DESC, version DESC LIMIT 1`, now.UnixMilli()))
	if errors.Is(err, sql.ErrNoRows) {
		return Set{}, false, nil
	}
	return s, err == nil, err
}

// findBasis returns a requester's basis of a set; ok is false where there is none.
func findBasis(ctx context.Context, db *sqldb.DB, version int64, name BasisName, requester govcode.Body) (b Basis, ok bool, err error) {
	var from, until int64
	err = db.QueryRow(ctx, `SELECT basis, requester, purpose, purpose_ja, purpose_en, provider, item, item_ja, item_en, from_ms, until_ms, law
		FROM exchange_basis WHERE version = $1 AND basis = $2 AND requester = $3`, version, string(name), requester.String()).Scan(
		&b.Name, &b.Requester, &b.Purpose, &b.PurposeName.JA, &b.PurposeName.EN, &b.Provider, &b.Item, &b.ItemName.JA, &b.ItemName.EN, &from, &until, &b.Law)
	if errors.Is(err, sql.ErrNoRows) {
		return Basis{}, false, nil
	}
	b.From, b.Until = time.UnixMilli(from), time.UnixMilli(until)
	return b, err == nil, err
}

// elsewhere says whether a basis that the set in force is without stands in one that is yet to come, or stood in one before.
func elsewhere(ctx context.Context, db *sqldb.DB, name BasisName, requester govcode.Body, now time.Time) (coming, past bool, err error) {
	err = db.QueryRow(ctx, `SELECT COALESCE(MAX(CASE WHEN s.approved_by = '' OR s.from_ms > $3 THEN 1 ELSE 0 END), 0),
		COALESCE(MAX(CASE WHEN s.approved_by <> '' AND s.from_ms <= $3 THEN 1 ELSE 0 END), 0)
		FROM exchange_basis b JOIN exchange_set s ON s.version = b.version WHERE b.basis = $1 AND b.requester = $2`,
		string(name), requester.String(), now.UnixMilli()).Scan(&coming, &past)
	return coming, past, err
}
