package exchange

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/federation"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
)

func insertRecord(ctx context.Context, db *sqldb.DB, id string, q Request, version int64, protected Ground, why Reason, now time.Time) error {
	outcome, reason := Asked, ""
	if why != 0 {
		outcome, reason = Refused, why.String()
	}
	_, err := db.Exec(ctx, `INSERT INTO exchange_record (id, account, requested_ms, deadline_ms, requester, requester_body, requester_ja, requester_en,
		provider, provider_body, provider_ja, provider_en, basis, version, purpose, item, outcome, reason, answered_ms, hidden_requester, hidden_provider, hidden_person)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, 0, $19, 0, $20)`,
		id, string(q.Account), now.UnixMilli(), now.Add(answerTime).UnixMilli(),
		string(q.Requester.Client), q.Requester.Body.String(), q.Requester.Name, q.Requester.EN,
		string(q.Provider.Client), q.Provider.Body.String(), q.Provider.Name, q.Provider.EN,
		string(q.Ask.Basis), version, q.Ask.Purpose.String(), q.Ask.Item.String(), string(outcome), reason, int(q.Ask.Ground), int(protected))
	if err != nil {
		return fmt.Errorf("store exchange: %w", err)
	}
	return nil
}

// settle writes the provider's word over a record that waits for it, and what is now known of her protection. It reports false where there
// is none.
func settle(ctx context.Context, db *sqldb.DB, provider clients.ID, id string, said Confirmation, now time.Time) (bool, error) {
	n, err := db.Exec(ctx, `UPDATE exchange_record SET outcome = $3, hidden_provider = $4, answered_ms = $5,
		hidden_person = CASE WHEN hidden_person <> 0 THEN hidden_person ELSE
			(SELECT COALESCE(MAX(p.ground), 0) FROM exchange_protection p WHERE p.account = exchange_record.account AND p.until_ms > $5) END
		WHERE id = $1 AND provider = $2 AND outcome = 'requested'`, id, string(provider), string(said.Outcome), int(said.Ground), now.UnixMilli())
	if err != nil {
		return false, fmt.Errorf("settle exchange: %w", err)
	}
	return n == 1, nil
}

// recordColumns is the order in which scanRecord reads, of record r and basis b.
const recordColumns = `r.id, r.account, r.requested_ms, r.deadline_ms, r.answered_ms, r.requester, r.requester_body, r.requester_ja, r.requester_en,
	r.provider, r.provider_body, r.provider_ja, r.provider_en, r.basis, r.version, r.purpose, r.item, r.outcome, r.reason, r.hidden_requester,
	r.hidden_provider, r.hidden_person, b.purpose, b.purpose_ja, b.purpose_en, b.item, b.item_ja, b.item_en, b.law`

const joinBasis = ` LEFT JOIN exchange_basis b ON b.version = r.version AND b.basis = r.basis `

func scanRecord(row interface{ Scan(...any) error }) (Record, error) {
	var r Record
	var requested, deadline, answered int64
	var purpose, purposeJA, purposeEN, item, itemJA, itemEN, law sql.NullString
	err := row.Scan(&r.ID, &r.Account, &requested, &deadline, &answered, &r.Requester.Client, &r.Requester.Body, &r.Requester.Name, &r.Requester.EN,
		&r.Provider.Client, &r.Provider.Body, &r.Provider.Name, &r.Provider.EN, &r.Basis, &r.Version, &r.Purpose, &r.Item, &r.Outcome, &r.Why,
		&r.HiddenByRequester, &r.HiddenByProvider, &r.Protected, &purpose, &purposeJA, &purposeEN, &item, &itemJA, &itemEN, &law)
	if err != nil {
		return Record{}, err
	}
	r.Requested, r.Deadline = time.UnixMilli(requested), time.UnixMilli(deadline)
	if answered != 0 {
		r.Answered = time.UnixMilli(answered)
	}
	r.Law = law.String
	if purpose.String == r.Purpose.String() {
		r.PurposeName = Text{purposeJA.String, purposeEN.String}
	}
	if item.String == r.Item.String() {
		r.ItemName = Text{itemJA.String, itemEN.String}
	}
	return r, nil
}

func findRecord(ctx context.Context, db *sqldb.DB, id string) (Record, error) {
	rec, err := scanRecord(db.QueryRow(ctx, `SELECT `+recordColumns+` FROM exchange_record r`+joinBasis+`WHERE r.id = $1`, id))
	if errors.Is(err, sql.ErrNoRows) {
		return Record{}, &Error{Reason: UnknownExchange, Detail: "no such exchange"}
	}
	return rec, err
}

// findProvided returns a record to its provider. One that was refused never was with it.
func findProvided(ctx context.Context, db *sqldb.DB, provider clients.ID, id string) (Record, error) {
	rec, err := findRecord(ctx, db, id)
	if err == nil && (rec.Provider.Client != provider || rec.Outcome == Refused) {
		return Record{}, &Error{Reason: UnknownExchange, Detail: "no such exchange"}
	}
	return rec, err
}

// query collects a statement's parameters.
type query struct{ args []any }

func (q *query) add(v any) string {
	q.args = append(q.args, v)
	return "$" + strconv.Itoa(len(q.args))
}

// listStatement finds the newest records. An office may stand on either side: each side has an index, and is asked for a page of its own.
func listStatement(account federation.AccountID, f Filter, limit int, now time.Time) (string, []any) {
	var q query
	where := ` WHERE r.account = ` + q.add(string(account))
	if !f.From.IsZero() {
		where += ` AND r.requested_ms >= ` + q.add(f.From.UnixMilli())
	}
	if !f.Until.IsZero() {
		where += ` AND r.requested_ms < ` + q.add(f.Until.UnixMilli())
	}
	if f.After != (Cursor{}) {
		where += ` AND (r.requested_ms, r.id) < (` + q.add(f.After.ms) + `, ` + q.add(f.After.id) + `)`
	}
	if f.Item != "" || f.Body != "" {
		where += ` AND r.hidden_requester = 0 AND r.hidden_provider = 0 AND r.hidden_person = 0 AND (r.outcome <> 'requested' OR r.deadline_ms < ` + q.add(now.UnixMilli()) + `)`
	}
	if f.Item != "" {
		where += ` AND r.item = ` + q.add(f.Item.String())
	}
	order := ` ORDER BY r.requested_ms DESC, r.id DESC LIMIT ` + q.add(limit)
	from := `SELECT * FROM exchange_record r` + where
	if f.Body != "" {
		var sides []string
		body := q.add(f.Body.String())
		for _, side := range []string{"requester_body", "provider_body"} {
			sides = append(sides, `SELECT * FROM (`+from+` AND r.`+side+` = `+body+order+`) AS `+side+`_page`)
		}
		from = strings.Join(sides, ` UNION `)
	} else {
		from += order
	}
	return `SELECT ` + recordColumns + ` FROM (` + from + `) AS r` + joinBasis + order, q.args
}

func listRecords(ctx context.Context, db *sqldb.DB, account federation.AccountID, f Filter, limit int, now time.Time) (_ []Record, err error) {
	statement, args := listStatement(account, f, limit, now)
	rows, err := db.Query(ctx, statement, args...)
	if err != nil {
		return nil, fmt.Errorf("list exchanges: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var out []Record
	for rows.Next() {
		rec, err := scanRecord(rows)
		if err != nil {
			return nil, fmt.Errorf("list exchanges: %w", err)
		}
		out = append(out, rec)
	}
	return out, rows.Err()
}

func deleteOld(ctx context.Context, db *sqldb.DB, before time.Time, limit int) (int64, error) {
	return db.Exec(ctx, `DELETE FROM exchange_record WHERE id IN (SELECT id FROM exchange_record WHERE requested_ms < $1 ORDER BY requested_ms LIMIT $2)`,
		before.UnixMilli(), limit)
}
