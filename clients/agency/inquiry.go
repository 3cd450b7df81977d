package agency

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/tsunagu-id/tsunagu/clients/rp"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
)

// inquiryState is how an inquiry stands.
type inquiryState string

const (
	waiting  inquiryState = "waiting" // asked, or to be asked; nobody has answered
	answered inquiryState = "answered"
	refused  inquiryState = "refused" // by the hub or the other office
)

// inquiry is one item that is asked about one case.
type inquiry struct {
	caseID, item string
	state        inquiryState
	reason       string // refused: why; waiting: who did not answer
	asked        time.Time
	settled      time.Time // zero while waiting
	tries        int
	held         int64 // until when this process holds it; names the hold
	exchange     string
	token        string // sealed
	tokenUntil   time.Time
	result       result
	answer       string // sealed
}

// result is what an office says to a question.
type result string

const (
	provided result = "provided"
	none     result = "none"
	declined result = "refused"
)

func (i *inquiry) seal() string { return "inquiry " + i.caseID + " " + i.item }

// enrolment is the item that the sample offices exchange: how a person is insured.
type enrolment struct {
	Category int `json:"category"` // 1 self-employed, 2 employed, 3 dependent spouse
	Since    day `json:"since"`
}

func (e enrolment) good() bool {
	return e.Category >= 1 && e.Category <= 3 && !e.Since.time().IsZero()
}

// itemAnswer is what the item API answers.
type itemAnswer struct {
	Exchange      string     `json:"exchange_id"`
	Item          string     `json:"item"`
	Result        result     `json:"result"`
	AsOf          day        `json:"as_of,omitempty"`
	Content       *enrolment `json:"content,omitempty"`
	Nondisclosure int        `json:"nondisclosure,omitempty"` // the citizen must not read it: the ground, 1 or 2
}

// check judges an answer of another office to an inquiry.
func (a *itemAnswer) check(i *inquiry) error {
	switch {
	case a.Item != i.item || a.Exchange != i.exchange:
		return errors.New("of another question")
	case a.Nondisclosure < 0 || a.Nondisclosure > 2:
		return errors.New("nondisclosure")
	case a.Result == provided && (a.Content == nil || !a.Content.good() || a.AsOf.time().IsZero()):
		return errors.New("provided without content")
	case a.Result != provided && a.Result != none && a.Result != declined:
		return errors.New("result")
	}
	return nil
}

// answerOf opens what was answered; nil if nothing was.
func (o *Office) answerOf(i *inquiry) (*itemAnswer, error) {
	if i.answer == "" {
		return nil, nil
	}
	plain, err := o.party.Open(i.seal(), i.answer)
	if err != nil {
		return nil, err
	}
	var a itemAnswer
	return &a, json.Unmarshal([]byte(plain.Reveal()), &a)
}

func (o *Office) sealAnswer(i *inquiry, a itemAnswer) (string, error) {
	b, err := json.Marshal(a)
	return o.party.Seal(i.seal(), rp.NewSecret(string(b))), err
}

// openInquiry writes down that a clerk asks. One that was answered stays so; one that waits is due at once, and one that was refused is asked
// anew.
func openInquiry(ctx context.Context, db *sqldb.DB, caseID, item, clerk string, now time.Time) error {
	_, err := db.Exec(ctx, `INSERT INTO agency_inquiry (case_id, item, state, asked_by, asked_at, next_at) VALUES ($1, $2, 'waiting', $3, $4, $4)
		ON CONFLICT (case_id, item) DO UPDATE SET state = 'waiting', next_at = excluded.next_at, settled_at = 0,
			asked_by = CASE WHEN agency_inquiry.state = 'refused' THEN excluded.asked_by ELSE agency_inquiry.asked_by END,
			asked_at = CASE WHEN agency_inquiry.state = 'refused' THEN excluded.asked_at ELSE agency_inquiry.asked_at END,
			reason = CASE WHEN agency_inquiry.state = 'refused' THEN '' ELSE agency_inquiry.reason END
		WHERE agency_inquiry.state <> 'answered'`, caseID, item, clerk, now.Unix())
	return err
}

const inquiryColumns = `case_id, item, state, reason, asked_at, settled_at, tries, held_until, exchange_id, token, token_until, result, answer`

func scanInquiry(row interface{ Scan(into ...any) error }) (*inquiry, error) {
	var i inquiry
	var asked, settled, until int64
	err := row.Scan(&i.caseID, &i.item, &i.state, &i.reason, &asked, &settled, &i.tries, &i.held, &i.exchange, &i.token, &until, &i.result, &i.answer)
	i.asked, i.settled, i.tokenUntil = moment(asked), moment(settled), moment(until)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return &i, err
}

// listInquiries returns those about a case.
func listInquiries(ctx context.Context, db *sqldb.DB, caseID string) (map[string]*inquiry, error) {
	rows, err := db.Query(ctx, `SELECT `+inquiryColumns+` FROM agency_inquiry WHERE case_id = $1`, caseID)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	all := map[string]*inquiry{}
	for rows.Next() {
		i, err := scanInquiry(rows)
		if err != nil {
			return nil, err
		}
		all[i.item] = i
	}
	return all, rows.Err()
}

// countOpen returns how many inquiries of each case are not settled, or were refused.
func countOpen(ctx context.Context, db *sqldb.DB) (map[string]map[inquiryState]int, error) {
	rows, err := db.Query(ctx, `SELECT case_id, state, count(*) FROM agency_inquiry GROUP BY case_id, state`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	all := map[string]map[inquiryState]int{}
	for rows.Next() {
		var id string
		var state inquiryState
		var n int
		if err := rows.Scan(&id, &state, &n); err != nil {
			return nil, err
		}
		if all[id] == nil {
			all[id] = map[inquiryState]int{}
		}
		all[id][state] = n
	}
	return all, rows.Err()
}

// claimInquiry hands a due inquiry to one caller, who has until the hold ends to deal with it; nil when nothing is due.
func claimInquiry(ctx context.Context, db *sqldb.DB, now time.Time) (*inquiry, error) {
	return scanInquiry(db.QueryRow(ctx, `UPDATE agency_inquiry SET held_until = $2, tries = tries + 1
		WHERE state = 'waiting' AND next_at <= $1 AND held_until <= $1 AND (case_id, item) = (
			SELECT case_id, item FROM agency_inquiry WHERE state = 'waiting' AND next_at <= $1 AND held_until <= $1
			ORDER BY next_at, case_id, item LIMIT 1)
		RETURNING `+inquiryColumns, now.Unix(), now.Add(outboxHold).Unix()))
}

// claimThis is claimInquiry for one of them.
func claimThis(ctx context.Context, db *sqldb.DB, caseID, item string, now time.Time) (*inquiry, error) {
	return scanInquiry(db.QueryRow(ctx, `UPDATE agency_inquiry SET held_until = $2, tries = tries + 1
		WHERE state = 'waiting' AND held_until <= $1 AND case_id = $3 AND item = $4
		RETURNING `+inquiryColumns, now.Unix(), now.Add(outboxHold).Unix(), caseID, item))
}

// keepToken writes the hub's answer down before it is used. It reports false if the hold has ended.
func keepToken(ctx context.Context, db *sqldb.DB, i *inquiry) (bool, error) {
	rows, err := db.Exec(ctx, `UPDATE agency_inquiry SET exchange_id = $4, token = $5, token_until = $6
		WHERE case_id = $1 AND item = $2 AND held_until = $3 AND state = 'waiting'`, i.caseID, i.item, i.held, i.exchange, i.token, i.tokenUntil.Unix())
	return rows == 1, err
}

// postpone lets go of an inquiry until the next try is due. A token that is spent goes.
func postpone(ctx context.Context, db *sqldb.DB, i *inquiry, next time.Time, reason string) error {
	_, err := db.Exec(ctx, `UPDATE agency_inquiry SET held_until = 0, next_at = $4, reason = $5, token = $6
		WHERE case_id = $1 AND item = $2 AND held_until = $3 AND state = 'waiting'`, i.caseID, i.item, i.held, next.Unix(), reason, i.token)
	return err
}

// settle ends an inquiry, with an answer or a refusal.
func settle(ctx context.Context, db *sqldb.DB, i *inquiry, now time.Time) error {
	rows, err := db.Exec(ctx, `UPDATE agency_inquiry SET state = $4, reason = $5, result = $6, answer = $7, settled_at = $8, held_until = 0, token = '', tries = 0
		WHERE case_id = $1 AND item = $2 AND held_until = $3 AND state = 'waiting'`,
		i.caseID, i.item, i.held, string(i.state), i.reason, string(i.result), i.answer, now.Unix())
	if err == nil && rows != 1 {
		return fmt.Errorf("inquiry was taken over")
	}
	return err
}
