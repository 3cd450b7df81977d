package etax

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/tsunagu-id/tsunagu/internal/sqldb"
)

// maxReturns bounds the list of an account's returns.
const maxReturns = 50

// storedReturn is a row. figures, document and signature are sealed.
type storedReturn struct {
	id                           string
	number                       Number
	figures, document, signature string
	made, filed                  time.Time // filed is zero for a draft
	asked, receipt               string
}

const returnColumns = `id, number, figures, document, made_at, asked, filed_at, receipt, signature`

func scanReturn(scan func(...any) error) (*storedReturn, error) {
	var r storedReturn
	var made, filed int64
	err := scan(&r.id, &r.number, &r.figures, &r.document, &made, &r.asked, &filed, &r.receipt, &r.signature)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read return: %w", err)
	}
	if r.made = time.Unix(made, 0); filed != 0 {
		r.filed = time.Unix(filed, 0)
	}
	return &r, nil
}

// findReturn returns nil for a return that is not the account's.
func findReturn(ctx context.Context, db *sqldb.DB, id string, n Number) (*storedReturn, error) {
	return scanReturn(db.QueryRow(ctx, `SELECT `+returnColumns+` FROM etax_return WHERE id = $1 AND number = $2`, id, string(n)).Scan)
}

// findDraft returns nil for an account without one.
func findDraft(ctx context.Context, db *sqldb.DB, n Number) (*storedReturn, error) {
	return scanReturn(db.QueryRow(ctx, `SELECT `+returnColumns+` FROM etax_return WHERE number = $1 AND filed_at = 0`, string(n)).Scan)
}

// listReturns returns an account's returns, the draft first, then the latest.
func listReturns(ctx context.Context, db *sqldb.DB, n Number) ([]*storedReturn, error) {
	rows, err := db.Query(ctx, `SELECT `+returnColumns+` FROM etax_return WHERE number = $1
		ORDER BY CASE WHEN filed_at = 0 THEN 0 ELSE 1 END, filed_at DESC, id LIMIT $2`, string(n), maxReturns)
	if err != nil {
		return nil, fmt.Errorf("read returns: %w", err)
	}
	defer rows.Close()
	var list []*storedReturn
	for rows.Next() {
		r, err := scanReturn(rows.Scan)
		if err != nil {
			return nil, err
		}
		list = append(list, r)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read returns: %w", err)
	}
	return list, nil
}

// insertDraft reports false if the account has a draft already.
func insertDraft(ctx context.Context, db *sqldb.DB, r *storedReturn) (bool, error) {
	rows, err := db.Exec(ctx, `INSERT INTO etax_return (id, number, figures, document, made_at) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT DO NOTHING`, r.id, string(r.number), r.figures, r.document, r.made.Unix())
	return rows == 1, err
}

// updateDraft replaces what a draft says; a signature made before is not for it. It reports false if it is no draft any more, or was
// changed since it was read.
func updateDraft(ctx context.Context, db *sqldb.DB, old, next *storedReturn) (bool, error) {
	rows, err := db.Exec(ctx, `UPDATE etax_return SET figures = $3, document = $4, made_at = $5, asked = ''
		WHERE id = $1 AND filed_at = 0 AND document = $2`, old.id, old.document, next.figures, next.document, next.made.Unix())
	return rows == 1, err
}

// dropAsked forgets a signature that there is no use in fetching again, unless another one was made meanwhile.
func dropAsked(ctx context.Context, db *sqldb.DB, r *storedReturn) error {
	_, err := db.Exec(ctx, `UPDATE etax_return SET asked = '' WHERE id = $1 AND filed_at = 0 AND asked = $2`, r.id, r.asked)
	return err
}

// setAsked notes the identifier of the signature that is to be fetched for a draft.
func setAsked(ctx context.Context, db *sqldb.DB, id string, n Number, asked string) error {
	_, err := db.Exec(ctx, `UPDATE etax_return SET asked = $3 WHERE id = $1 AND number = $2 AND filed_at = 0`, id, string(n), asked)
	return err
}

// setFiled files a draft, once, if it still has the document that was signed.
func setFiled(ctx context.Context, db *sqldb.DB, r *storedReturn, signature, receipt string, now time.Time) (bool, error) {
	rows, err := db.Exec(ctx, `UPDATE etax_return SET filed_at = $3, receipt = $4, signature = $5, asked = ''
		WHERE id = $1 AND filed_at = 0 AND document = $2`, r.id, r.document, now.Unix(), receipt, signature)
	return rows == 1, err
}
