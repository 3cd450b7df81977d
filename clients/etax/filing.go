package etax

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/tsunagu-id/tsunagu/clients/rp"
)

// The states of a return. There is one draft for each account, and every move is one statement of SQL:
//
//	none   → draft   the figures are good; from here on the document is fixed, byte by byte, until the figures change
//	draft  → draft   other figures, another document; or the hub said that a signature was made, and which
//	draft  → filed   the signature was fetched and verified over the very document in the row: once, whatever arrives twice
//
// A process that dies leaves a draft. If it knew of a signature then, the person can have that one fetched again, for as long as the hub
// keeps it; in any case they can sign anew.

// taxReturn is a return as it was opened.
type taxReturn struct {
	*storedReturn
	figures Figures
	content []byte // the document
}

func place(id, what string) string { return "return\x00" + id + "\x00" + what }

// open unseals a row; nil for nil.
func (s *Site) open(r *storedReturn) (*taxReturn, error) {
	if r == nil {
		return nil, nil
	}
	t := &taxReturn{storedReturn: r}
	figures, err := s.party.Open(place(r.id, "figures"), r.figures)
	if err != nil {
		return nil, fmt.Errorf("open return: %w", err)
	}
	if err := json.Unmarshal([]byte(figures.Reveal()), &t.figures); err != nil {
		return nil, fmt.Errorf("decode return: %w", err)
	}
	content, err := s.party.Open(place(r.id, "document"), r.document)
	if err != nil {
		return nil, fmt.Errorf("open return: %w", err)
	}
	t.content = []byte(content.Reveal())
	return t, nil
}

// taxReturn returns an account's return, or ReturnUnknown.
func (s *Site) taxReturn(ctx context.Context, id string, n Number) (*taxReturn, error) {
	r, err := findReturn(ctx, s.db, id, n)
	if err != nil {
		return nil, err
	}
	if r == nil {
		return nil, &Error{Reason: ReturnUnknown}
	}
	return s.open(r)
}

// draft makes the account's draft of these figures, or brings it up to date, and returns its id. The same figures again change nothing.
// actor is the representative who wrote them, empty for the taxpayer.
func (s *Site) draft(ctx context.Context, n Number, f Figures, actor string) (string, error) {
	for range 5 { // each lost turn is another press of the same person's that won one
		old, err := findDraft(ctx, s.db, n)
		if err != nil {
			return "", err
		}
		opened, err := s.open(old)
		if err != nil {
			return "", err
		}
		if opened != nil && opened.figures == f {
			return old.id, nil
		}
		next := &storedReturn{id: rand.Text(), number: n, made: s.now()}
		if old != nil {
			next.id = old.id
		}
		figures, err := json.Marshal(f)
		if err != nil {
			return "", err
		}
		next.figures = s.party.Seal(place(next.id, "figures"), rp.NewSecret(string(figures)))
		next.document = s.party.Seal(place(next.id, "document"), rp.NewSecret(string(document(next.id, n, f, next.made))))
		var won bool
		err = s.db.Tx(ctx, func(ctx context.Context) (err error) {
			if old == nil {
				won, err = insertDraft(ctx, s.db, next)
			} else {
				won, err = updateDraft(ctx, s.db, old, next)
			}
			if err != nil || !won {
				return err
			}
			return insertEdit(ctx, s.db, next.id, actor, s.now())
		})
		if err != nil {
			return "", fmt.Errorf("save draft: %w", err)
		}
		if won {
			return next.id, nil
		}
	}
	return "", errors.New("save draft: changed by somebody else all the time")
}

// keptSignature is what is kept of a signature: it proves the filing without the hub.
type keptSignature struct {
	JWS    string `json:"jws"`
	At     int64  `json:"at"`     // Unix seconds, when it was made
	Source string `json:"source"` // how the hub knew that the certificate was good
	AsOf   int64  `json:"as_of"`  // Unix seconds
}

// file fetches the signature that was made for a draft and files it. A return that is filed already stays as it is. Refusals are *Error;
// after one about the signature there is nothing left to fetch, and the person signs again.
func (s *Site) file(ctx context.Context, session *rp.Session, id string, n Number) error {
	r, err := s.taxReturn(ctx, id, n)
	if err != nil {
		return err
	}
	if !r.filed.IsZero() || r.asked == "" {
		return nil
	}
	made, err := s.party.Signature(ctx, session, r.asked)
	if e, ok := errors.AsType[*rp.Error](err); ok && (e.Code == "not_found" || e.Code == "insufficient_scope") {
		err = &Error{Reason: SignatureGone, Err: err}
	}
	var at time.Time
	if err == nil {
		at, err = s.rules.check(made.JWS, r.content, r.made, s.now())
	}
	if err != nil {
		if _, ours := errors.AsType[*Error](err); ours {
			err = errors.Join(err, dropAsked(ctx, s.db, r.storedReturn))
		}
		return err
	}
	kept, err := json.Marshal(keptSignature{JWS: made.JWS, At: at.Unix(), Source: made.Revocation.Source, AsOf: made.Revocation.AsOf})
	if err != nil {
		return err
	}
	receipt, err := s.receipt()
	if err != nil {
		return err
	}
	won, err := setFiled(ctx, s.db, r.storedReturn, s.party.Seal(place(id, "signature"), rp.NewSecret(string(kept))), receipt, s.now())
	if err != nil {
		return fmt.Errorf("file return: %w", err)
	}
	if won {
		s.log.InfoContext(ctx, "return filed", "revocation", made.Revocation.Source)
		return nil
	}
	// Filed meanwhile, which is as good; or changed since it was read.
	if r, err = s.taxReturn(ctx, id, n); err == nil && r.filed.IsZero() {
		err = &Error{Reason: DocumentOther}
	}
	return err
}

// receipt makes a number: the time in Japan and six digits that nobody can guess.
func (s *Site) receipt() (string, error) {
	n, err := rand.Int(rand.Reader, big.NewInt(1_000_000))
	if err != nil {
		return "", err
	}
	return s.now().In(time.FixedZone("JST", 9*60*60)).Format("20060102150405") + fmt.Sprintf("%06d", n), nil
}

// kept opens the signature of a filed return.
func (s *Site) kept(r *taxReturn) (keptSignature, error) {
	var k keptSignature
	plain, err := s.party.Open(place(r.id, "signature"), r.signature)
	if err != nil {
		return k, fmt.Errorf("open signature: %w", err)
	}
	if err := json.Unmarshal([]byte(plain.Reveal()), &k); err != nil {
		return k, fmt.Errorf("decode signature: %w", err)
	}
	return k, nil
}
