package federation

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/internal/audit"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
)

// MandateID names a mandate inside the hub. It is random.
type MandateID string

// Mandate is what one person, the principal, lets another, the representative, do in her name (代理): at some services, for a time. Both
// are accounts, which outlive every card. Times are whole seconds.
type Mandate struct {
	ID             MandateID
	Principal      AccountID
	Representative AccountID // empty until somebody accepted
	Services       []clients.ID
	State          MandateState
	Since          time.Time // when it entered State
	Made           time.Time
	AnswerBy       time.Time // until when it has to be in force, or is none
	Until          time.Time // when its period is over
	Number         string    // what the two compare; empty until somebody accepted
	Name           []byte    // sealed: what the representative reads of the principal
	Note           []byte    // sealed: what the principal wrote to tell her mandates apart

	misses int
	moves  int64
}

// MandateMove is one change of a mandate.
type MandateMove struct {
	From, To MandateState
	By       Actor
	Why      MandateWhy
	At       time.Time
}

// Use is one time the representative entered a service in the principal's name.
type Use struct {
	By      AccountID // the representative
	Client  clients.ID
	Session string // the representative's, at the hub
	SID     string // what the service calls it
	At      time.Time
}

// Bounds of mandates.
const (
	maxMandates        = 20 // of one principal that have not ended
	maxRepresented     = 50 // of one representative that have not ended
	maxMandateServices = 50
	maxMandateMisses   = 3   // wrong numbers, after which the mandate ends
	mandateUses        = 100 // remembered of each mandate

	// mandateUseKept is longer than any session of the hub may live.
	mandateUseKept = 31 * 24 * time.Hour
)

// Kinds of audit events. Account is the principal; Actor is the representative's account for what she did, else the word of who did it; the
// facts name the mandate, and the representative as soon as there is one.
const (
	EventMandateOffered  audit.Kind = "mandate.offered"
	EventMandateAccepted audit.Kind = "mandate.accepted"
	EventMandateInForce  audit.Kind = "mandate.in_force"
	EventMandateEnded    audit.Kind = "mandate.ended"
	EventMandateUsed     audit.Kind = "mandate.used"     // Client and Session: the representative's
	EventMandateMismatch audit.Kind = "mandate.mismatch" // the principal typed another number than the representative was shown
)

// Mandates is the register of mandates.
type Mandates struct {
	db  *sqldb.DB
	log *audit.Log
	now func() time.Time
}

// NewMandates returns the register. Open must have migrated the tables.
func NewMandates(d Deps) (*Mandates, error) {
	if d.DB == nil || d.Audit == nil || d.Now == nil {
		return nil, errors.New("federation: Deps needs DB, Audit and Now")
	}
	return &Mandates{db: d.DB, log: d.Audit, now: d.Now}, nil
}

// Invitation is a mandate to be offered. Code is the keyed digest of what the principal hands over.
type Invitation struct {
	ID              MandateID
	Principal       AccountID
	Services        []clients.ID
	Code            []byte
	AnswerBy, Until time.Time
	Name, Note      []byte
}

// Offer records a mandate that waits for somebody to accept it.
func (r *Mandates) Offer(ctx context.Context, o Invitation) error {
	if o.ID == "" || o.Principal == "" || len(o.Code) == 0 || len(o.Services) == 0 || len(o.Services) > maxMandateServices || !o.Until.After(r.now()) {
		return &Error{Reason: RequestMalformed, Detail: "a mandate needs a principal, services, a code and a period that is not over"}
	}
	m := Mandate{
		ID: o.ID, Principal: o.Principal, Services: o.Services, State: MandateOffered, Since: r.now(), Made: r.now(), AnswerBy: o.AnswerBy,
		Until: o.Until, Name: o.Name, Note: o.Note, moves: 1,
	}
	return r.db.Tx(ctx, func(ctx context.Context) error {
		// Two offers at the same moment may both be the last one that is allowed; the bound is there for the size of pages.
		n, err := countMandates(ctx, r.db, `principal = $1`, o.Principal)
		if err != nil {
			return err
		}
		if n >= maxMandates {
			return &Error{Reason: MandateTooMany, Detail: "end one first"}
		}
		if err := insertMandate(ctx, r.db, m, o.Code); err != nil {
			return fmt.Errorf("store mandate: %w", err)
		}
		return r.moved(ctx, m, MandateMove{From: MandateNone, To: MandateOffered, By: ByCitizen, Why: MandateChosen, At: r.now()})
	})
}

// Invited returns the mandate that the code is for, while it can be accepted, or MandateUnknown.
func (r *Mandates) Invited(ctx context.Context, code []byte) (Mandate, error) {
	m, err := findMandate(ctx, r.db, `code = $1`, code)
	if err != nil {
		return Mandate{}, err
	}
	if m.State != MandateOffered || !r.now().Before(m.AnswerBy) || !r.now().Before(m.Until) {
		return Mandate{}, &Error{Reason: MandateUnknown, Detail: "no such invitation"}
	}
	return m, nil
}

// Accept makes somebody the representative: of any number of people with the same code, one. number is what she reads out to the principal.
func (r *Mandates) Accept(ctx context.Context, code []byte, who AccountID, number string) (Mandate, error) {
	var out Mandate
	err := r.db.Tx(ctx, func(ctx context.Context) error {
		m, err := r.Invited(ctx, code)
		if err != nil {
			return err
		}
		if m.Principal == who {
			return &Error{Reason: MandateOwn, Detail: "nobody represents herself"}
		}
		n, err := countMandates(ctx, r.db, `representative = $1`, who)
		if err != nil {
			return err
		}
		if n >= maxRepresented {
			return &Error{Reason: MandateTooMany, Detail: "end one first"}
		}
		m.Representative, m.Number = who, number
		out, err = r.enter(ctx, m, MandateAccepted, ByRepresentative, MandateTaken)
		return err
	})
	return out, err
}

// Confirm brings a mandate into force, if the number that the principal typed is the one that the representative was shown. Wrong ones are
// counted, and the mandate ends at the last; the answer is MandateNumber then too.
func (r *Mandates) Confirm(ctx context.Context, id MandateID, principal AccountID, number string) (Mandate, error) {
	var out Mandate
	var wrong error
	err := r.db.Tx(ctx, func(ctx context.Context) error {
		m, err := r.of(ctx, id, principal)
		if err != nil {
			return err
		}
		if m.Principal != principal { // who accepted has seen the number
			return &Error{Reason: MandateUnknown, Detail: "not the principal"}
		}
		if m.State != MandateAccepted || !r.now().Before(m.AnswerBy) || !r.now().Before(m.Until) {
			return &Error{Reason: MoveForbidden, Detail: "nothing to confirm"}
		}
		if subtle.ConstantTimeCompare([]byte(m.Number), []byte(number)) == 1 {
			out, err = r.enter(ctx, m, MandateInForce, ByCitizen, MandateConfirmed)
			return err
		}
		wrong = &Error{Reason: MandateNumber, Detail: "another number"}
		if m.misses, err = missMandate(ctx, r.db, m.ID); err != nil {
			return err
		}
		if err := r.log.Append(ctx, audit.Event{Kind: EventMandateMismatch, Account: string(principal), Actor: string(ByCitizen), Facts: m.facts()}); err != nil {
			return err
		}
		out = m
		if m.misses >= maxMandateMisses {
			out, err = r.enter(ctx, m, MandateEnded, ByHub, MandateMismatch)
		}
		return err
	})
	if errors.Is(err, errMandateMoved) {
		err = &Error{Reason: MoveForbidden, Detail: "moved meanwhile"}
	}
	if err == nil {
		err = wrong
	}
	return out, err
}

// of returns a mandate that one of its two parties asks for, or MandateUnknown.
func (r *Mandates) of(ctx context.Context, id MandateID, party AccountID) (Mandate, error) {
	m, err := findMandate(ctx, r.db, `id = $1`, string(id))
	if err == nil && (party == "" || m.Principal != party && m.Representative != party) {
		return Mandate{}, &Error{Reason: MandateUnknown, Detail: "no such mandate of this person"}
	}
	return m, err
}

// Of returns a mandate to either of its parties, or MandateUnknown.
func (r *Mandates) Of(ctx context.Context, id MandateID, party AccountID) (Mandate, error) {
	return r.of(ctx, id, party)
}

// End ends a mandate for one of its parties. Ending one that has ended changes nothing. then runs in the same transaction, with every use
// of the last time that a session can live, so that whoever has to be told is promised to be.
func (r *Mandates) End(ctx context.Context, id MandateID, party AccountID, since time.Time, then func(context.Context, Mandate, []Use) error) error {
	for range maxRaces {
		m, err := r.of(ctx, id, party)
		if err != nil || m.State == MandateEnded {
			return err
		}
		by, why := ByCitizen, MandateWithdrawn
		if party == m.Representative {
			by, why = ByRepresentative, MandateGivenUp
		}
		if err := r.end(ctx, m, by, why, since, then); !errors.Is(err, errMandateMoved) {
			return err
		}
	}
	return errors.New("end mandate: lost every race")
}

// Expire ends what nobody answered in time and what is over, at most some at once, and returns how many there were.
func (r *Mandates) Expire(ctx context.Context, since time.Time, then func(context.Context, Mandate, []Use) error) (int, error) {
	due, err := dueMandates(ctx, r.db, r.now())
	if err != nil {
		return 0, err
	}
	for _, m := range due {
		why := MandateOver
		if m.State != MandateInForce && r.now().Before(m.Until) {
			why = MandateUnanswered
		}
		// Another process may have been first, or a party.
		if err := r.end(ctx, m, ByHub, why, since, then); err != nil && !errors.Is(err, errMandateMoved) {
			return 0, err
		}
	}
	return len(due), nil
}

func (r *Mandates) end(ctx context.Context, m Mandate, by Actor, why MandateWhy, since time.Time, then func(context.Context, Mandate, []Use) error) error {
	return r.db.Tx(context.WithoutCancel(ctx), func(ctx context.Context) error {
		ended, err := r.enter(ctx, m, MandateEnded, by, why)
		if err != nil {
			return err
		}
		// The row is ours until the end of the transaction, and every use is written with it held: none is missed.
		uses, err := listEntered(ctx, r.db, m.ID, since)
		if err != nil {
			return err
		}
		return then(ctx, ended, uses)
	})
}

// errMandateMoved: the mandate was changed since it was read.
var errMandateMoved = errors.New("mandate was moved meanwhile")

// enter brings a mandate to a state: the row, its history and the audit entry, in the transaction of ctx.
func (r *Mandates) enter(ctx context.Context, m Mandate, to MandateState, by Actor, why MandateWhy) (Mandate, error) {
	if !slices.Contains(mandateMoves[m.State], to) {
		return m, &Error{Reason: MoveForbidden, Detail: fmt.Sprintf("from %s to %s", m.State, to)}
	}
	move := MandateMove{From: m.State, To: to, By: by, Why: why, At: r.now()}
	m.State, m.Since, m.moves = to, time.Unix(move.At.Unix(), 0), m.moves+1
	stored, err := storeMandate(ctx, r.db, m)
	if err != nil {
		return m, fmt.Errorf("store mandate: %w", err)
	}
	if !stored {
		if to == MandateAccepted { // somebody else had the same code
			return m, &Error{Reason: MandateUnknown, Detail: "accepted meanwhile"}
		}
		return m, errMandateMoved
	}
	return m, r.moved(ctx, m, move)
}

func (r *Mandates) moved(ctx context.Context, m Mandate, move MandateMove) error {
	if err := insertMandateMove(ctx, r.db, m, move); err != nil {
		return fmt.Errorf("record move: %w", err)
	}
	actor := string(move.By)
	if move.By == ByRepresentative {
		actor = string(m.Representative)
	}
	err := r.log.Append(ctx, audit.Event{Kind: mandateEvent(move.To), Account: string(m.Principal), Actor: actor, Reason: string(move.Why), Facts: m.facts()})
	if err != nil {
		return fmt.Errorf("audit move: %w", err)
	}
	return nil
}

func (m Mandate) facts() map[string]string {
	names := make([]string, len(m.Services))
	for i, id := range m.Services {
		names[i] = string(id)
	}
	facts := map[string]string{"mandate": string(m.ID), "services": strings.Join(names, " ")}
	if m.Representative != "" {
		facts["representative"] = string(m.Representative)
	}
	return facts
}

// InForce says whether the representative may enter the service at a time.
func (m Mandate) InForce(client clients.ID, now time.Time) bool {
	return m.State == MandateInForce && now.Before(m.Until) && slices.Contains(m.Services, client)
}

// Usable returns the mandates by which somebody may enter a service, the oldest first.
func (r *Mandates) Usable(ctx context.Context, representative AccountID, client clients.ID) ([]Mandate, error) {
	all, err := listMandates(ctx, r.db, `representative = $1 AND state = 'in_force' ORDER BY made_at, id LIMIT 50`, representative)
	return slices.DeleteFunc(all, func(m Mandate) bool { return !m.InForce(client, r.now()) }), err
}

// Given returns the latest mandates that somebody gave, the newest first.
func (r *Mandates) Given(ctx context.Context, principal AccountID) ([]Mandate, error) {
	return listMandates(ctx, r.db, `principal = $1 ORDER BY CASE WHEN state = 'ended' THEN 1 ELSE 0 END, made_at DESC, id LIMIT 50`, principal)
}

// Held returns the latest mandates that somebody accepted, the newest first.
func (r *Mandates) Held(ctx context.Context, representative AccountID) ([]Mandate, error) {
	return listMandates(ctx, r.db, `representative = $1 ORDER BY CASE WHEN state = 'ended' THEN 1 ELSE 0 END, made_at DESC, id LIMIT 50`, representative)
}

// History returns the moves of a mandate, the newest first.
func (r *Mandates) History(ctx context.Context, id MandateID) ([]MandateMove, error) {
	return listMandateMoves(ctx, r.db, id)
}

// Uses returns when the representative last entered services in the principal's name, the newest first.
func (r *Mandates) Uses(ctx context.Context, id MandateID, limit int) ([]Use, error) {
	return listUses(ctx, r.db, id, min(limit, mandateUses))
}

// EnteredAt returns the sessions at one service that anybody entered in a person's name since a time.
func (r *Mandates) EnteredAt(ctx context.Context, principal AccountID, client clients.ID, since time.Time) ([]Use, error) {
	return listEnteredAt(ctx, r.db, principal, client, since)
}

// Enter records that the representative enters a service in the principal's name, if she still may; else the answer is MandateUnknown. It
// comes before anything is handed out: whoever ends the mandate afterwards sees it.
func (r *Mandates) Enter(ctx context.Context, m Mandate, u Use) error {
	u.At = r.now()
	return r.db.Tx(context.WithoutCancel(ctx), func(ctx context.Context) error {
		ok, err := touchMandate(ctx, r.db, m, u)
		if err != nil {
			return fmt.Errorf("use mandate: %w", err)
		}
		if !ok {
			return &Error{Reason: MandateUnknown, Detail: "ended meanwhile"}
		}
		if err := insertUse(ctx, r.db, m.ID, u); err != nil {
			return fmt.Errorf("use mandate: %w", err)
		}
		return r.log.Append(ctx, audit.Event{
			Kind: EventMandateUsed, Account: string(m.Principal), Actor: string(m.Representative), Client: string(u.Client), Session: u.Session,
			Facts: map[string]string{"mandate": string(m.ID)},
		})
	})
}

// Stands says whether what was handed out under a mandate still counts.
func (r *Mandates) Stands(ctx context.Context, id MandateID, principal, representative AccountID, client clients.ID) (bool, error) {
	m, err := findMandate(ctx, r.db, `id = $1`, string(id))
	if own, ok := errors.AsType[*Error](err); ok && own.Reason == MandateUnknown {
		return false, nil
	}
	return m.Principal == principal && m.Representative == representative && m.InForce(client, r.now()), err
}
