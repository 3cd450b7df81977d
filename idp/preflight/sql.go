package preflight

import (
	"context"
	"database/sql"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/clients/adminapi"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
)

//go:embed migrations/*.sql
var migrations embed.FS

func migrate(ctx context.Context, db *sqldb.DB) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	return db.Migrate(ctx, "preflight", files)
}

// The states of a report.
const (
	stateRunning = "running"
	stateDone    = "done"
	stateBroken  = "broken"
)

// keepReports is how many reports of one service are kept.
const keepReports = 50

func insertReport(ctx context.Context, db *sqldb.DB, p adminapi.Preflight, lease time.Time) error {
	_, err := db.Exec(ctx, `INSERT INTO preflight (id, client, revision, version, state, verdict, by_whom, began_ms, ended_ms, lease_ms, planned, findings)
		VALUES ($1, $2, $3, $4, $5, '', $6, $7, 0, $8, $9, '[]')`,
		p.ID, p.ClientID, p.Revision, p.Version, stateRunning, p.By, p.Began.UnixMilli(), lease.UnixMilli(), p.Planned)
	if err != nil {
		return fmt.Errorf("store report: %w", err)
	}
	return nil
}

// holdReport puts off the end of a running report's lease. It reports false if somebody took the report for left.
func holdReport(ctx context.Context, db *sqldb.DB, id string, lease time.Time) (bool, error) {
	n, err := db.Exec(ctx, `UPDATE preflight SET lease_ms = $2 WHERE id = $1 AND state = $3`, id, lease.UnixMilli(), stateRunning)
	return n == 1, err
}

// writeReport stores what a running report has come to. It reports false if somebody took the report for left.
func writeReport(ctx context.Context, db *sqldb.DB, p adminapi.Preflight) (bool, error) {
	findings, err := json.Marshal(p.Findings)
	if err != nil {
		return false, fmt.Errorf("encode findings: %w", err)
	}
	var ended int64
	if !p.Ended.IsZero() {
		ended = p.Ended.UnixMilli()
	}
	n, err := db.Exec(ctx, `UPDATE preflight SET state = $2, verdict = $3, ended_ms = $4, findings = $5 WHERE id = $1 AND state = $6`,
		p.ID, p.State, string(p.Verdict), ended, string(findings), stateRunning)
	if err != nil {
		return false, fmt.Errorf("store report: %w", err)
	}
	return n == 1, nil
}

// breakLeft marks the reports of a service whose process is gone, and returns their ids.
func breakLeft(ctx context.Context, db *sqldb.DB, client clients.ID, now time.Time) (ids []string, err error) {
	rows, err := db.Query(ctx, `UPDATE preflight SET state = $3, ended_ms = lease_ms WHERE client = $1 AND state = $4 AND lease_ms <= $2 RETURNING id`,
		string(client), now.UnixMilli(), stateBroken, stateRunning)
	if err != nil {
		return nil, fmt.Errorf("look for reports that were left: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}

func dropOld(ctx context.Context, db *sqldb.DB, client clients.ID) error {
	_, err := db.Exec(ctx, `DELETE FROM preflight WHERE client = $1 AND id NOT IN
		(SELECT id FROM preflight WHERE client = $1 ORDER BY began_ms DESC, id DESC LIMIT $2)`, string(client), keepReports)
	if err != nil {
		return fmt.Errorf("drop old reports: %w", err)
	}
	return nil
}

const reportColumns = `id, client, revision, version, state, verdict, by_whom, began_ms, ended_ms, lease_ms, planned, findings`

func scanReport(row interface{ Scan(...any) error }, now time.Time) (adminapi.Preflight, error) {
	var p adminapi.Preflight
	var verdict, findings string
	var began, ended, lease int64
	err := row.Scan(&p.ID, &p.ClientID, &p.Revision, &p.Version, &p.State, &verdict, &p.By, &began, &ended, &lease, &p.Planned, &findings)
	if err != nil {
		return p, err
	}
	p.Verdict, p.Began = adminapi.Verdict(verdict), time.UnixMilli(began).UTC()
	if p.State == stateRunning && lease <= now.UnixMilli() {
		p.State, ended = stateBroken, lease
	}
	if ended != 0 {
		p.Ended = time.UnixMilli(ended).UTC()
	}
	p.Findings = []adminapi.Finding{}
	return p, json.Unmarshal([]byte(findings), &p.Findings)
}

func findReport(ctx context.Context, db *sqldb.DB, now time.Time, where string, args ...any) (adminapi.Preflight, error) {
	p, err := scanReport(db.QueryRow(ctx, `SELECT `+reportColumns+` FROM preflight WHERE `+where, args...), now)
	if errors.Is(err, sql.ErrNoRows) {
		return p, ErrUnknown
	}
	if err != nil {
		return p, fmt.Errorf("read report: %w", err)
	}
	return p, nil
}

func listReports(ctx context.Context, db *sqldb.DB, now time.Time, where string, args ...any) (out []adminapi.Preflight, err error) {
	rows, err := db.Query(ctx, `SELECT `+reportColumns+` FROM preflight WHERE `+where, args...)
	if err != nil {
		return nil, fmt.Errorf("list reports: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		p, err := scanReport(rows, now)
		if err != nil {
			return nil, fmt.Errorf("list reports: %w", err)
		}
		p.Findings = []adminapi.Finding{}
		out = append(out, p)
	}
	return out, rows.Err()
}
