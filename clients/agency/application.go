package agency

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/tsunagu-id/tsunagu/clients/rp"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
)

// maxCases bounds what one page of the desk lists.
const maxCases = 100

// application is what a citizen applied for: child allowance, the one procedure there is.
type application struct {
	id, sub, receipt string
	made             time.Time
	allowance
}

// allowance is what is said in it. It is stored sealed.
type allowance struct {
	Children int `json:"children"`
	Youngest day `json:"youngest"` // when the youngest was born
}

// apply receives an application, and returns the one that stands: there is one of each citizen.
func (o *Office) apply(ctx context.Context, sub string, a allowance) (*application, error) {
	content, err := json.Marshal(a)
	if err != nil {
		return nil, err
	}
	id := rand.Text()
	one := application{id: id, sub: sub, receipt: "KT-" + rand.Text()[:10], made: o.now()}
	if err := insertApplication(ctx, o.db, one, o.party.Seal("application "+id, rp.NewSecret(string(content)))); err != nil {
		return nil, fmt.Errorf("apply: %w", err)
	}
	return o.application(ctx, "sub", sub)
}

// application finds one by its id or by who made it; nil if there is none.
func (o *Office) application(ctx context.Context, by, value string) (*application, error) {
	query := `SELECT id, sub, receipt, content, made_at FROM agency_application WHERE id = $1`
	if by == "sub" {
		query = `SELECT id, sub, receipt, content, made_at FROM agency_application WHERE sub = $1`
	}
	a, err := o.scanApplication(o.db.QueryRow(ctx, query, value))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read application: %w", err)
	}
	return a, nil
}

// applications lists the newest first.
func (o *Office) applications(ctx context.Context) (_ []*application, err error) {
	rows, err := o.db.Query(ctx, `SELECT id, sub, receipt, content, made_at FROM agency_application ORDER BY made_at DESC, id LIMIT $1`, maxCases)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []*application
	for rows.Next() {
		a, err := o.scanApplication(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, a)
	}
	return all, rows.Err()
}

func (o *Office) scanApplication(row interface{ Scan(into ...any) error }) (*application, error) {
	var a application
	var sealed string
	var made int64
	if err := row.Scan(&a.id, &a.sub, &a.receipt, &sealed, &made); err != nil {
		return nil, err
	}
	a.made = moment(made)
	content, err := o.party.Open("application "+a.id, sealed)
	if err != nil {
		return nil, err
	}
	return &a, json.Unmarshal([]byte(content.Reveal()), &a.allowance)
}

// insertApplication leaves the one that the citizen has made already.
func insertApplication(ctx context.Context, db *sqldb.DB, a application, content string) error {
	_, err := db.Exec(ctx, `INSERT INTO agency_application (id, sub, receipt, content, made_at) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (sub) DO NOTHING`, a.id, a.sub, a.receipt, content, a.made.Unix())
	return err
}
