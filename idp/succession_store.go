package idp

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tsunagu-id/tsunagu/cardauth"
	"github.com/tsunagu-id/tsunagu/federation"
)

// evidence is what a card's tie to a folder rests on.
type evidence string

// The closed set of evidence.
const (
	evidenceOpened  evidence = "opened"  // the folder was opened with it
	evidenceLinkage evidence = "linkage" // the authority says whose older card it replaces
	evidenceBoth    evidence = "both"    // its owner proved herself with it and with what opened the folder before
	evidenceRelink  evidence = "relink"  // its owner signed for it, with the attributes that the folder's owner once signed with
)

// Why a card stopped opening a folder, as the database has it.
const (
	endSuperseded = "superseded" // end_reason: a newer card of the person is tied to the folder, on the authority's word
	endUndone     = "undone"     // revoked: the person said that the card is not hers. The row stands for nothing
)

// A card that does not open the folder it is tied to.
var (
	errReplaced = errors.New("a newer card of the person has taken its place")
	errCooling  = errors.New("the card does not open its folder yet")
)

// succession ties a new card to a folder.
type succession struct {
	Proof    *cardProof
	Account  federation.AccountID
	Evidence evidence
	Old      cardRef       // the card of the folder that it rests on; zero: something else
	Ended    []cardRef     // cards of the folder, of the same kind, that the new one replaces
	Wait     time.Duration // until it opens the folder
}

// byCard returns the account a card opens, or errNoAccount, errReplaced or errCooling.
func (a accounts) byCard(ctx context.Context, p *cardProof) (federation.AccountID, error) {
	var id string
	var reason, revoked sql.NullString
	var opens int64
	err := a.db.QueryRow(ctx, `SELECT account, end_reason, revoked, opens_at FROM card_binding WHERE issuer_key = $1 AND serial = $2`,
		p.IssuerKey, p.Serial).Scan(&id, &reason, &revoked, &opens)
	switch {
	case errors.Is(err, sql.ErrNoRows) || err == nil && revoked.String == endUndone:
		return "", errNoAccount
	case err != nil:
		return "", err
	case reason.String == endSuperseded:
		return federation.AccountID(id), errReplaced
	case opens > a.now().Unix():
		return federation.AccountID(id), errCooling
	}
	return federation.AccountID(id), nil
}

// owner is the folder that a binding stands for in a succession: "" if there is none, or if the tie itself is not certain yet.
func (a accounts) owner(ctx context.Context, b cardauth.Binding) (federation.AccountID, error) {
	var id string
	err := a.db.QueryRow(ctx, `SELECT account FROM card_binding WHERE issuer_key = $1 AND serial = $2 AND opens_at <= $3
		AND COALESCE(revoked, '') <> $4`, b.IssuerKeyID, b.SerialDigest[:], a.now().Unix(), endUndone).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return federation.AccountID(id), err
}

// errMoved: what a succession rests on is not so any more.
var errMoved = errors.New("the folder's card was taken back meanwhile")

// succeed ties a card to a folder. If the card is tied to a folder already, by another browser at the same moment, that one is returned.
// then runs in the transaction that makes the tie.
func (a accounts) succeed(ctx context.Context, s succession, then func(context.Context) error) (federation.AccountID, error) {
	err := a.db.Tx(ctx, func(ctx context.Context) error {
		if err := a.lock(ctx, s.Account); err != nil {
			return err
		}
		if err := a.oldStands(ctx, s); err != nil {
			return err
		}
		if err := a.insertBinding(ctx, s); err != nil {
			return err
		}
		for _, old := range s.Ended {
			if _, err := a.db.Exec(ctx, `UPDATE card_binding SET ended_at = COALESCE(ended_at, $1), end_reason = $2
				WHERE issuer_key = $3 AND serial = $4 AND account = $5 AND kind = $6`,
				a.now().Unix(), endSuperseded, old.IssuerKey, old.serial(), string(s.Account), s.Proof.Kind); err != nil {
				return fmt.Errorf("end older card: %w", err)
			}
		}
		return then(ctx)
	})
	if errors.Is(err, errBound) {
		return a.byCard(ctx, s.Proof)
	}
	return s.Account, err
}

// oldStands reports errMoved if the card that a succession rests on was taken back. One that the authority ended still says whose the new one is;
// it proves nothing by itself.
func (a accounts) oldStands(ctx context.Context, s succession) error {
	if s.Old.zero() {
		return nil
	}
	var ended sql.NullInt64
	err := a.db.QueryRow(ctx, `SELECT ended_at FROM card_binding WHERE issuer_key = $1 AND serial = $2 AND account = $3
		AND COALESCE(revoked, '') <> $4`, s.Old.IssuerKey, s.Old.serial(), string(s.Account), endUndone).Scan(&ended)
	if errors.Is(err, sql.ErrNoRows) || err == nil && ended.Valid && s.Evidence == evidenceBoth {
		return errMoved
	}
	return err
}

// insertBinding writes the row, or reports errBound if the card has one that stands for somebody.
func (a accounts) insertBinding(ctx context.Context, s succession) error {
	now := a.now()
	cut, err := a.clearUndone(ctx, s.Proof)
	if err != nil {
		return err
	}
	var oldKey sql.NullString
	var oldSerial []byte
	if !s.Old.zero() {
		oldKey, oldSerial = sql.NullString{String: s.Old.IssuerKey, Valid: true}, s.Old.serial()
	}
	opens := int64(0)
	if s.Wait > 0 {
		opens = now.Add(s.Wait).Unix()
	}
	n, err := a.db.Exec(ctx, `INSERT INTO card_binding
		(issuer_key, serial, account, kind, not_after, evidence, since, old_issuer_key, old_serial, opens_at, cut_ms)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (issuer_key, serial) DO NOTHING`,
		s.Proof.IssuerKey, s.Proof.Serial, string(s.Account), s.Proof.Kind, s.Proof.NotAfter, string(s.Evidence), now.Unix(), oldKey, oldSerial,
		opens, cut)
	if err != nil {
		return fmt.Errorf("insert card binding: %w", err)
	}
	if n == 0 {
		return errBound
	}
	return nil
}

// clearUndone moves a tie that was taken back to where it is only read. cut is what ended with it, for the row that comes in its place:
// what the card made at that time stays over.
func (a accounts) clearUndone(ctx context.Context, p *cardProof) (cut int64, err error) {
	var account, kind, by string
	var notAfter, since, ended int64
	err = a.db.QueryRow(ctx, `DELETE FROM card_binding WHERE issuer_key = $1 AND serial = $2 AND revoked = $3
		RETURNING account, kind, not_after, evidence, since, ended_at, cut_ms`, p.IssuerKey, p.Serial, endUndone).
		Scan(&account, &kind, &notAfter, &by, &since, &ended, &cut)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("clear undone card: %w", err)
	}
	_, err = a.db.Exec(ctx, `INSERT INTO card_undone (id, account, issuer_key, serial, kind, not_after, evidence, since, ended_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`, randomInt(), account, p.IssuerKey, p.Serial, kind, notAfter, by, since, ended)
	if err != nil {
		return 0, fmt.Errorf("keep undone card: %w", err)
	}
	return cut, nil
}

// card is what the account page shows of a card.
type card struct {
	Ref      cardRef
	Kind     string
	NotAfter time.Time
	Since    time.Time
	Evidence evidence
	Opens    time.Time // zero: at once
	Ended    time.Time // zero: it opens the folder
	Why      string    // it ended: superseded, revoked or undone
	Old      cardRef   // that the tie rests on
}

// live says whether the card opens the folder.
func (c card) live(now time.Time) bool {
	return c.Ended.IsZero() && !c.Opens.After(now) && c.NotAfter.After(now)
}

// maxCards is how many cards of a person are read: five years each, and some phones.
const maxCards = 50

// cards returns the person's cards with their history, the newest first.
func (a accounts) cards(ctx context.Context, id federation.AccountID) ([]card, error) {
	rows, err := a.db.Query(ctx, `SELECT issuer_key, serial, kind, not_after, since, evidence, opens_at, ended_at,
			CASE WHEN revoked = $3 THEN revoked ELSE end_reason END, old_issuer_key, old_serial
		FROM card_binding WHERE account = $1
		UNION ALL SELECT issuer_key, serial, kind, not_after, since, evidence, 0, ended_at, $3, NULL, NULL FROM card_undone WHERE account = $1
		ORDER BY 5 DESC LIMIT $2`, string(id), maxCards, endUndone)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []card
	for rows.Next() {
		var c card
		var notAfter, since, opens int64
		var ended sql.NullInt64
		var why, oldKey sql.NullString
		var key string
		var serial, oldSerial []byte
		if err := rows.Scan(&key, &serial, &c.Kind, &notAfter, &since, &c.Evidence, &opens, &ended, &why, &oldKey, &oldSerial); err != nil {
			return nil, err
		}
		c.Ref, c.NotAfter, c.Since, c.Why = refOf(key, serial), time.Unix(notAfter, 0), time.Unix(since, 0), why.String
		if opens != 0 {
			c.Opens = time.Unix(opens, 0)
		}
		if ended.Valid {
			c.Ended = time.Unix(ended.Int64, 0)
		}
		if oldKey.Valid {
			c.Old = refOf(oldKey.String, oldSerial)
		}
		out = append(out, c)
	}
	return out, rows.Err()
}

// mayUndo: what the authority said stays; what rests on proofs given here can be taken back with a card that opened the folder before it
// came, and only with such a one, so that whoever stole in cannot throw the owner out.
func mayUndo(all []card, target, by cardRef, now time.Time) bool {
	t := slices.IndexFunc(all, func(c card) bool { return c.Ref == target && c.Why != endUndone })
	b := slices.IndexFunc(all, func(c card) bool { return c.Ref == by })
	if t < 0 || b < 0 || target == by || by.zero() {
		return false
	}
	return (all[t].Evidence == evidenceBoth || all[t].Evidence == evidenceRelink) && all[b].live(now) && older(all[b], all[t])
}

// restOn returns the cards of the folder that rest on one, at whatever distance: on the authority's word they replaced it.
func restOn(all []card, root cardRef) (out []cardRef) {
	for todo := []cardRef{root}; len(todo) > 0; todo = todo[1:] {
		for _, c := range all {
			if c.Old == todo[0] && c.Why != endUndone && c.Ref != root && !slices.Contains(out, c.Ref) {
				out, todo = append(out, c.Ref), append(todo, c.Ref)
			}
		}
	}
	return out
}

// provedRoot is the card whose tie, made by proofs given here, a card is in the folder by: itself, or one that it replaced. Zero: the authority's word
// is all that it rests on, or the folder was opened with it.
func provedRoot(all []card, c card) cardRef {
	for range all {
		if c.Why == endUndone {
			return cardRef{}
		}
		if c.Evidence == evidenceBoth || c.Evidence == evidenceRelink {
			return c.Ref
		}
		i := slices.IndexFunc(all, func(o card) bool { return !c.Old.zero() && o.Ref == c.Old && o.Why != endUndone })
		if i < 0 {
			return cardRef{}
		}
		c = all[i]
	}
	return cardRef{}
}

// older: by the second they came; of two in one second, the one that the other rests on.
func older(a, b card) bool {
	return a.Since.Before(b.Since) || a.Since.Equal(b.Since) && (b.Old == a.Ref || b.Old.zero() && a.Evidence == evidenceOpened)
}

func refOfBinding(b cardauth.Binding) cardRef {
	return refOf(b.IssuerKeyID, bytes.Clone(b.SerialDigest[:]))
}
