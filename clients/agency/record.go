package agency

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/tsunagu-id/tsunagu/clients/rp"
	"github.com/tsunagu-id/tsunagu/internal/govcode"
	"github.com/tsunagu-id/tsunagu/internal/ratelimit"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
)

// Record is what an office that holds pension records knows of one person. Dates are as in 2026-04-01.
type Record struct {
	Number        string `json:"number"`        // basic pension number, ten digits
	Born          string `json:"born"`          // with the number, the proof that the record is hers
	Item          string `json:"item"`          // what the content is: TM…
	Category      int    `json:"category"`      // 1 self-employed, 2 employed, 3 dependent spouse
	Since         string `json:"since"`         // of the category
	AsOf          string `json:"as_of"`         // when the office last made sure
	Nondisclosure int    `json:"nondisclosure"` // the ground why she must not read that it was asked for: 1 or 2; 0: none
	Withheld      bool   `json:"withheld"`      // nobody is answered, as while a correction is examined
}

// kept is a record as it is stored, sealed.
type kept struct {
	Born, AsOf    day
	Item          string
	Nondisclosure int
	Withheld      bool
	enrolment
}

func (r Record) parse() (number string, k kept, err error) {
	number, numbered := parseNumber(r.Number)
	born, dated := parseDate(r.Born)
	since, sinceOK := parseDate(r.Since)
	asOf, asOfOK := parseDate(r.AsOf)
	_, itemErr := govcode.ParseItem(r.Item)
	k = kept{Born: born, AsOf: asOf, Item: r.Item, Nondisclosure: r.Nondisclosure, Withheld: r.Withheld, enrolment: enrolment{Category: r.Category, Since: since}}
	if !numbered || !dated || !sinceOK || !asOfOK || itemErr != nil || !k.good() || r.Nondisclosure < 0 || r.Nondisclosure > 2 {
		return "", kept{}, errors.New("want a number of ten digits, dates, an item TM and 14 digits, a category 1 to 3 and nondisclosure 0 to 2")
	}
	return number, k, nil
}

// key is what a number is called in the database.
func (o *Office) key(number string) string { return o.party.Blind("pension number", number) }

// seed makes the records that are not there yet.
func (o *Office) seed(ctx context.Context, records []Record) error {
	for i, r := range records {
		number, k, err := r.parse()
		if err != nil {
			return fmt.Errorf("agency: records[%d]: %w", i, err)
		}
		b, err := json.Marshal(k)
		if err != nil {
			return err
		}
		key := o.key(number)
		_, err = o.db.Exec(ctx, `INSERT INTO agency_record (number, content, made_at) VALUES ($1, $2, $3) ON CONFLICT (number) DO NOTHING`,
			key, o.party.Seal("record "+key, rp.NewSecret(string(b))), o.now().Unix())
		if err != nil {
			return fmt.Errorf("agency: make record: %w", err)
		}
	}
	return nil
}

// record returns what is kept under a key; nil if nothing is.
func (o *Office) record(ctx context.Context, key string) (*kept, error) {
	return o.openRecord(o.db.QueryRow(ctx, `SELECT number, content FROM agency_record WHERE number = $1`, key))
}

// recordOf returns the record that a person has tied; nil if she has tied none.
func (o *Office) recordOf(ctx context.Context, sub string) (*kept, error) {
	return o.openRecord(o.db.QueryRow(ctx, `SELECT r.number, r.content FROM agency_tie t JOIN agency_record r ON r.number = t.number WHERE t.sub = $1`, sub))
}

func (o *Office) openRecord(row *sql.Row) (*kept, error) {
	var key, sealed string
	err := row.Scan(&key, &sealed)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read record: %w", err)
	}
	plain, err := o.party.Open("record "+key, sealed)
	if err != nil {
		return nil, err
	}
	var k kept
	return &k, json.Unmarshal([]byte(plain.Reveal()), &k)
}

// tieTries limits the guesses, for one number and for one person. Good ones count as well.
func tieTries() (onNumber, byPerson ratelimit.Rule) {
	const window = 15 * time.Minute
	return ratelimit.Rule{Name: "agency-number", Limit: 10, Window: window}, ratelimit.Rule{Name: "agency-person", Limit: 10, Window: window}
}

// tie makes a record a person's, if she knows the number and the birth date that stands in it. Of many at once one wins; the same twice
// changes nothing.
func (o *Office) tie(ctx context.Context, sub, number string, born day) error {
	key := o.key(number)
	onNumber, byPerson := tieTries()
	for _, ask := range []struct {
		rule ratelimit.Rule
		who  string
	}{{byPerson, sub}, {onNumber, key}} {
		if ok, wait, err := o.limiter.Allow(ctx, ask.rule, ask.who); err != nil {
			return fmt.Errorf("count tries: %w", err)
		} else if !ok {
			return &Error{Reason: TooMany, Wait: wait}
		}
	}
	k, err := o.record(ctx, key)
	if err != nil {
		return err
	}
	if k == nil || k.Born != born {
		return &Error{Reason: RecordUnknown}
	}
	if err := insertTie(ctx, o.db, sub, key, o.now()); err != nil {
		return fmt.Errorf("tie: %w", err)
	}
	// Who won is told by what stands now.
	var stands string
	switch err := o.db.QueryRow(ctx, `SELECT number FROM agency_tie WHERE sub = $1`, sub).Scan(&stands); {
	case errors.Is(err, sql.ErrNoRows):
		return &Error{Reason: NumberTaken}
	case err != nil:
		return fmt.Errorf("tie: %w", err)
	case stands != key:
		return &Error{Reason: AlreadyTied}
	}
	return nil
}

// insertTie leaves what is tied already, on either side.
func insertTie(ctx context.Context, db *sqldb.DB, sub, key string, now time.Time) error {
	_, err := db.Exec(ctx, `INSERT INTO agency_tie (sub, number, tied_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`, sub, key, now.Unix())
	return err
}
