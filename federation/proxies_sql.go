package federation

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
)

const mandateColumns = `id, principal, representative, state, since, moves, made_at, answer_by, until_at, number, misses, name, note`

func scanMandate(scan func(...any) error) (Mandate, error) {
	var m Mandate
	var since, made, answer, until int64
	err := scan(&m.ID, &m.Principal, &m.Representative, &m.State, &since, &m.moves, &made, &answer, &until, &m.Number, &m.misses, &m.Name, &m.Note)
	m.Since, m.Made, m.AnswerBy, m.Until = time.Unix(since, 0), time.Unix(made, 0), time.Unix(answer, 0), time.Unix(until, 0)
	return m, err
}

// findMandate returns the mandate of a condition with one argument, or MandateUnknown.
func findMandate(ctx context.Context, db *sqldb.DB, where string, arg any) (Mandate, error) {
	m, err := scanMandate(db.QueryRow(ctx, `SELECT `+mandateColumns+` FROM federation_mandate WHERE `+where, arg).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return Mandate{}, &Error{Reason: MandateUnknown, Detail: "no such mandate"}
	}
	if err != nil {
		return Mandate{}, fmt.Errorf("read mandate: %w", err)
	}
	m.Services, err = mandateServices(ctx, db, m.ID)
	return m, err
}

func mandateServices(ctx context.Context, db *sqldb.DB, id MandateID) (list []clients.ID, err error) {
	rows, err := db.Query(ctx, `SELECT client FROM federation_mandate_service WHERE mandate = $1 ORDER BY client LIMIT $2`, string(id), maxMandateServices)
	if err != nil {
		return nil, fmt.Errorf("read mandate: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var client clients.ID
		if err := rows.Scan(&client); err != nil {
			return nil, fmt.Errorf("read mandate: %w", err)
		}
		list = append(list, client)
	}
	return list, rows.Err()
}

// listMandates reads those of a condition with one person.
func listMandates(ctx context.Context, db *sqldb.DB, where string, who AccountID) ([]Mandate, error) {
	return queryMandates(ctx, db, where, string(who))
}

// dueMandates are those whose time is over.
func dueMandates(ctx context.Context, db *sqldb.DB, now time.Time) ([]Mandate, error) {
	return queryMandates(ctx, db, `state <> 'ended' AND (until_at <= $1 OR state <> 'in_force' AND answer_by <= $1) ORDER BY until_at LIMIT 200`, now.Unix())
}

func queryMandates(ctx context.Context, db *sqldb.DB, where string, arg any) ([]Mandate, error) {
	list, err := scanMandates(ctx, db, where, arg)
	if err != nil {
		return nil, fmt.Errorf("list mandates: %w", err)
	}
	for i := range list {
		if list[i].Services, err = mandateServices(ctx, db, list[i].ID); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func scanMandates(ctx context.Context, db *sqldb.DB, where string, arg any) (list []Mandate, err error) {
	rows, err := db.Query(ctx, `SELECT `+mandateColumns+` FROM federation_mandate WHERE `+where, arg)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		m, err := scanMandate(rows.Scan)
		if err != nil {
			return nil, err
		}
		list = append(list, m)
	}
	return list, rows.Err()
}

// countMandates counts those of a person that have not ended.
func countMandates(ctx context.Context, db *sqldb.DB, where string, who AccountID) (n int, err error) {
	err = db.QueryRow(ctx, `SELECT COUNT(*) FROM federation_mandate WHERE state <> 'ended' AND `+where, string(who)).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("count mandates: %w", err)
	}
	return n, nil
}

func insertMandate(ctx context.Context, db *sqldb.DB, m Mandate, code []byte) error {
	if _, err := db.Exec(ctx, `INSERT INTO federation_mandate
		(id, principal, representative, state, since, moves, made_at, answer_by, until_at, used_at, code, number, misses, name, note)
		VALUES ($1, $2, '', $3, $4, 1, $4, $5, $6, 0, $7, '', 0, $8, $9)`,
		string(m.ID), string(m.Principal), string(m.State), m.Made.Unix(), m.AnswerBy.Unix(), m.Until.Unix(), code, m.Name, m.Note); err != nil {
		return err
	}
	for _, id := range m.Services {
		if _, err := db.Exec(ctx, `INSERT INTO federation_mandate_service (mandate, client) VALUES ($1, $2)`, string(m.ID), string(id)); err != nil {
			return err
		}
	}
	return nil
}

// storeMandate writes m over the row that had one move less, and takes the code away: it is good once. It reports false when somebody
// else moved the mandate in between.
func storeMandate(ctx context.Context, db *sqldb.DB, m Mandate) (bool, error) {
	n, err := db.Exec(ctx, `UPDATE federation_mandate SET state = $2, since = $3, moves = $4, representative = $5, number = $6, code = NULL
		WHERE id = $1 AND moves = $4 - 1`,
		string(m.ID), string(m.State), m.Since.Unix(), m.moves, string(m.Representative), m.Number)
	return n == 1, err
}

// missMandate counts a wrong number and returns how many there were.
func missMandate(ctx context.Context, db *sqldb.DB, id MandateID) (misses int, err error) {
	err = db.QueryRow(ctx, `UPDATE federation_mandate SET misses = misses + 1 WHERE id = $1 RETURNING misses`, string(id)).Scan(&misses)
	if err != nil {
		return 0, fmt.Errorf("count wrong number: %w", err)
	}
	return misses, nil
}

func insertMandateMove(ctx context.Context, db *sqldb.DB, m Mandate, v MandateMove) error {
	_, err := db.Exec(ctx, `INSERT INTO federation_mandate_move (mandate, move, from_state, to_state, actor, why, moved_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7)`, string(m.ID), m.moves, string(v.From), string(v.To), string(v.By), string(v.Why), v.At.Unix())
	return err
}

func listMandateMoves(ctx context.Context, db *sqldb.DB, id MandateID) (list []MandateMove, err error) {
	rows, err := db.Query(ctx, `SELECT from_state, to_state, actor, why, moved_at FROM federation_mandate_move WHERE mandate = $1
		ORDER BY move DESC LIMIT 10`, string(id))
	if err != nil {
		return nil, fmt.Errorf("list moves: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var v MandateMove
		var at int64
		if err := rows.Scan(&v.From, &v.To, &v.By, &v.Why, &at); err != nil {
			return nil, fmt.Errorf("list moves: %w", err)
		}
		v.At = time.Unix(at, 0)
		list = append(list, v)
	}
	return list, rows.Err()
}

// touchMandate takes the row of a mandate that is in force for the service, until the end of the transaction.
func touchMandate(ctx context.Context, db *sqldb.DB, m Mandate, u Use) (bool, error) {
	n, err := db.Exec(ctx, `UPDATE federation_mandate SET used_at = $3 WHERE id = $1 AND representative = $2 AND state = 'in_force' AND until_at > $3
		AND EXISTS (SELECT 1 FROM federation_mandate_service s WHERE s.mandate = $1 AND s.client = $4)`,
		string(m.ID), string(m.Representative), u.At.Unix(), string(u.Client))
	return n == 1, err
}

// insertUse keeps the newest uses of a mandate.
func insertUse(ctx context.Context, db *sqldb.DB, id MandateID, u Use) error {
	if _, err := db.Exec(ctx, `INSERT INTO federation_mandate_use (id, mandate, client, session, sid, used_at) VALUES ($1, $2, $3, $4, $5, $6)`,
		rand.Text(), string(id), string(u.Client), u.Session, u.SID, u.At.Unix()); err != nil {
		return err
	}
	// Beyond the newest, what a session that may still live was entered last stays, however often others were since: its service is to be told.
	_, err := db.Exec(ctx, `DELETE FROM federation_mandate_use WHERE mandate = $1 AND used_at < (SELECT MIN(used_at) FROM
		(SELECT used_at FROM federation_mandate_use WHERE mandate = $1 ORDER BY used_at DESC LIMIT $2) newest)
		AND (used_at < $3 OR EXISTS (SELECT 1 FROM federation_mandate_use later WHERE later.mandate = federation_mandate_use.mandate
			AND later.client = federation_mandate_use.client AND later.sid = federation_mandate_use.sid AND later.used_at > federation_mandate_use.used_at))`,
		string(id), mandateUses, u.At.Add(-mandateUseKept).Unix())
	return err
}

// listUses are the latest uses of a mandate, the newest first.
func listUses(ctx context.Context, db *sqldb.DB, id MandateID, limit int) ([]Use, error) {
	return queryUses(ctx, db, `SELECT m.representative, u.client, u.session, u.sid, u.used_at FROM federation_mandate_use u
		JOIN federation_mandate m ON m.id = u.mandate WHERE u.mandate = $1 ORDER BY u.used_at DESC, u.id LIMIT $2`, string(id), limit)
}

// listEntered are the services' sessions that were entered by a mandate, each once.
func listEntered(ctx context.Context, db *sqldb.DB, id MandateID, since time.Time) ([]Use, error) {
	return queryUses(ctx, db, `SELECT m.representative, u.client, u.session, u.sid, MAX(u.used_at) FROM federation_mandate_use u
		JOIN federation_mandate m ON m.id = u.mandate WHERE u.mandate = $1 AND u.used_at >= $2
		GROUP BY m.representative, u.client, u.session, u.sid ORDER BY u.client, u.sid`, string(id), since.Unix())
}

// listEnteredAt is listEntered of all mandates of a person at one service.
func listEnteredAt(ctx context.Context, db *sqldb.DB, principal AccountID, client clients.ID, since time.Time) ([]Use, error) {
	return queryUses(ctx, db, `SELECT m.representative, u.client, u.session, u.sid, MAX(u.used_at) FROM federation_mandate_use u
		JOIN federation_mandate m ON m.id = u.mandate WHERE m.principal = $1 AND u.client = $2 AND u.used_at >= $3
		GROUP BY m.representative, u.client, u.session, u.sid ORDER BY u.client, u.sid`, string(principal), string(client), since.Unix())
}

func queryUses(ctx context.Context, db *sqldb.DB, query string, args ...any) (list []Use, err error) {
	rows, err := db.Query(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("list uses: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var u Use
		var at int64
		if err := rows.Scan(&u.By, &u.Client, &u.Session, &u.SID, &at); err != nil {
			return nil, fmt.Errorf("list uses: %w", err)
		}
		u.At = time.Unix(at, 0)
		list = append(list, u)
	}
	return list, rows.Err()
}
