package agency

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/tsunagu-id/tsunagu/clients/rp"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
)

// scopeProvide lets an office tell the hub what it answered.
const scopeProvide = "exchange.provide"

// provision is an answer to another office. Until the hub has heard of it, it is a row of the outbox.
type provision struct {
	exchange, requester, item string
	result                    result
	nondisclosure             int
	made                      time.Time
	confirmed                 time.Time // zero until the hub has heard
	givenUp                   string    // why the hub will not hear of it
	tries                     int
	next                      int64 // of this hold
}

// provide answers a question that may be answered. What is said is written down first, once for each exchange: whoever asks again with the
// same token is told the same.
func (o *Office) provide(ctx context.Context, g rp.Grant, requester, item string) (itemAnswer, error) {
	k, err := o.recordOf(ctx, g.Subject)
	if err != nil {
		return itemAnswer{}, err
	}
	p := provision{exchange: g.Exchange, requester: requester, item: item, result: none, made: o.now()}
	switch {
	case k == nil || k.Item != item:
	case k.Withheld:
		p.result, p.nondisclosure = declined, k.Nondisclosure
	default:
		p.result, p.nondisclosure = provided, k.Nondisclosure
	}
	if err := insertProvision(ctx, o.db, p); err != nil {
		return itemAnswer{}, fmt.Errorf("note provision: %w", err)
	}
	stands, err := findProvision(ctx, o.db, g.Exchange)
	if err != nil {
		return itemAnswer{}, err
	}
	if stands.item != item || stands.result == provided && k == nil {
		return itemAnswer{}, errors.New("agency: the exchange was for something else")
	}
	kick(o.answered)
	a := itemAnswer{Exchange: g.Exchange, Item: item, Result: stands.result, Nondisclosure: stands.nondisclosure}
	if a.Result == provided {
		a.AsOf, a.Content = k.AsOf, &enrolment{Category: k.Category, Since: k.Since}
	}
	return a, nil
}

// confirm tells the hub once, and leaves the row for a later try if that fails. Its error is of the database only.
func (o *Office) confirm(ctx context.Context, p *provision) error {
	keep := context.WithoutCancel(ctx)
	ctx, cancel := context.WithTimeout(keep, outboxHold/2)
	defer cancel()
	said := struct {
		Result        result `json:"result"`
		Nondisclosure int    `json:"nondisclosure"`
	}{p.result, p.nondisclosure}
	err := o.party.CallOwn(ctx, scopeProvide, http.MethodPost, "/api/exchanges/"+url.PathEscape(p.exchange)+"/provision", said, nil)
	e, known := errors.AsType[*rp.Error](err)
	switch {
	case err == nil:
		return setConfirmed(keep, o.db, p, o.now())
	case known && e.Reason == rp.HubRefused && (e.Code == "exchange_unknown" || e.Code == "exchange_settled"):
		// Nothing that comes later will change that. An operator has to look why the two differ.
		o.log.ErrorContext(ctx, "hub will not hear of a provision", "err", err, "exchange", p.exchange)
		return setGivenUp(keep, o.db, p, e.Code)
	}
	o.log.InfoContext(ctx, "provision not confirmed yet", "err", err, "exchange", p.exchange, "tries", p.tries)
	return postponeProvision(keep, o.db, p, o.now().Add(pause(p.tries)))
}

// confirmDue works through the outbox.
func (o *Office) confirmDue(ctx context.Context) error {
	for ctx.Err() == nil {
		p, err := claimProvision(ctx, o.db, o.now())
		if err != nil || p == nil {
			return err
		}
		if err := o.confirm(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

// provisionLines are the newest answers, for the desk.
func (o *Office) provisionLines(ctx context.Context) ([]provisionLine, error) {
	rows, err := o.db.Query(ctx, `SELECT `+provisionColumns+` FROM agency_provision ORDER BY made_at DESC, exchange_id LIMIT $1`, maxCases)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var lines []provisionLine
	for rows.Next() {
		p, err := scanProvision(rows)
		if err != nil {
			return nil, err
		}
		l := provisionLine{
			Requester: p.requester, Item: p.item, Exchange: p.exchange, Result: string(p.result), Hidden: p.nondisclosure != 0, Made: p.made,
			Told: "waiting", ToldChip: "warn", Chip: "quiet",
		}
		switch {
		case p.givenUp != "":
			l.Told, l.ToldChip = "given_up", "error"
		case !p.confirmed.IsZero():
			l.Told, l.ToldChip = "confirmed", "ok"
		}
		if p.result == provided {
			l.Chip = "ok"
		}
		lines = append(lines, l)
	}
	return lines, rows.Err()
}

const provisionColumns = `exchange_id, requester, item, result, nondisclosure, made_at, confirmed_at, given_up, tries, next_at`

func scanProvision(row interface{ Scan(into ...any) error }) (*provision, error) {
	var p provision
	var made, confirmed int64
	err := row.Scan(&p.exchange, &p.requester, &p.item, &p.result, &p.nondisclosure, &made, &confirmed, &p.givenUp, &p.tries, &p.next)
	p.made, p.confirmed = moment(made), moment(confirmed)
	return &p, err
}

func insertProvision(ctx context.Context, db *sqldb.DB, p provision) error {
	_, err := db.Exec(ctx, `INSERT INTO agency_provision (exchange_id, requester, item, result, nondisclosure, made_at, next_at)
		VALUES ($1, $2, $3, $4, $5, $6, $6) ON CONFLICT (exchange_id) DO NOTHING`,
		p.exchange, p.requester, p.item, string(p.result), p.nondisclosure, p.made.Unix())
	return err
}

func findProvision(ctx context.Context, db *sqldb.DB, exchange string) (*provision, error) {
	p, err := scanProvision(db.QueryRow(ctx, `SELECT `+provisionColumns+` FROM agency_provision WHERE exchange_id = $1`, exchange))
	if err != nil {
		return nil, fmt.Errorf("read provision: %w", err)
	}
	return p, nil
}

// claimProvision hands a due row to one caller, who has until the hold ends to deal with it; nil when nothing is due.
func claimProvision(ctx context.Context, db *sqldb.DB, now time.Time) (*provision, error) {
	p, err := scanProvision(db.QueryRow(ctx, `UPDATE agency_provision SET next_at = $2, tries = tries + 1
		WHERE confirmed_at = 0 AND given_up = '' AND next_at <= $1 AND exchange_id = (
			SELECT exchange_id FROM agency_provision WHERE confirmed_at = 0 AND given_up = '' AND next_at <= $1 ORDER BY next_at, exchange_id LIMIT 1)
		RETURNING `+provisionColumns, now.Unix(), now.Add(outboxHold).Unix()))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return p, err
}

func setConfirmed(ctx context.Context, db *sqldb.DB, p *provision, now time.Time) error {
	_, err := db.Exec(ctx, `UPDATE agency_provision SET confirmed_at = $2 WHERE exchange_id = $1`, p.exchange, now.Unix())
	return err
}

func setGivenUp(ctx context.Context, db *sqldb.DB, p *provision, why string) error {
	_, err := db.Exec(ctx, `UPDATE agency_provision SET given_up = $2 WHERE exchange_id = $1 AND confirmed_at = 0`, p.exchange, why)
	return err
}

func postponeProvision(ctx context.Context, db *sqldb.DB, p *provision, next time.Time) error {
	_, err := db.Exec(ctx, `UPDATE agency_provision SET next_at = $3 WHERE exchange_id = $1 AND next_at = $2`, p.exchange, p.next, next.Unix())
	return err
}
