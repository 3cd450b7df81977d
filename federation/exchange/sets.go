package exchange

import (
	"context"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"time"

	"github.com/tsunagu-id/tsunagu/internal/audit"
)

// Set is a version of the legal bases as a whole.
type Set struct {
	Version    int64 // from 1
	Digest     string
	Bases      int
	ProposedBy string
	ProposedAt time.Time
	ApprovedBy string // empty: a draft
	ApprovedAt time.Time
	From       time.Time // in force from here, if approved
	Until      time.Time // and before here
}

// Bounds of an approval.
const (
	approvalLife    = 365 * 24 * time.Hour // where nobody says
	maxApprovalLife = 2 * 366 * 24 * time.Hour
)

var operatorPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{1,63}$`)

// checkOperator accepts one spelling of a name, so that nobody approves his own set with a capital letter.
func checkOperator(name string) error {
	if !operatorPattern.MatchString(name) {
		return &Error{Reason: OperatorName, Detail: "a name is 2 to 64 of a-z, 0-9, '.', '_' and '-'"}
	}
	return nil
}

// Propose stores a file of bases as a draft, whole or not at all, and returns the set. A *FileError says what is wrong with the file.
func (r *Register) Propose(ctx context.Context, file io.Reader, as string) (Set, error) {
	if err := checkOperator(as); err != nil {
		return Set{}, err
	}
	f, err := ReadFile(file)
	if err != nil {
		return Set{}, err
	}
	s := Set{Digest: f.Digest, Bases: len(f.Bases), ProposedBy: as, ProposedAt: r.now()}
	err = r.db.Tx(ctx, func(ctx context.Context) error {
		var err error
		if s.Version, err = insertSet(ctx, r.db, s); err != nil {
			return fmt.Errorf("store set: %w", err)
		}
		if err := insertBases(ctx, r.db, s.Version, f.Bases); err != nil {
			return fmt.Errorf("store bases: %w", err)
		}
		return r.log.Append(ctx, audit.Event{Kind: EventBasesProposed, Actor: as, Facts: map[string]string{
			"version": strconv.FormatInt(s.Version, 10), "rows": strconv.Itoa(s.Bases), "digest": s.Digest,
		}})
	})
	if err != nil {
		return Set{}, err
	}
	return s, nil
}

// Approve puts a draft in force from a time until before another; zero means now, and a year after from. Nobody approves for the past:
// an earlier time means now, too, or an older set would stay in force in spite of the approval. It takes another person than
// the one who proposed the set, and happens once.
func (r *Register) Approve(ctx context.Context, version int64, as string, from, until time.Time) (Set, error) {
	if err := checkOperator(as); err != nil {
		return Set{}, err
	}
	now := r.now()
	if from.Before(now) {
		from = now
	}
	if until.IsZero() {
		until = from.Add(approvalLife)
	}
	if !until.After(from) || !until.After(now) || until.Sub(from) > maxApprovalLife {
		return Set{}, &Error{Reason: PeriodBad, Detail: "the period ends before it begins, is over, or is longer than two years"}
	}
	var s Set
	err := r.db.Tx(ctx, func(ctx context.Context) error {
		done, err := approveSet(ctx, r.db, version, as, now, from, until)
		if err != nil {
			return fmt.Errorf("approve set %d: %w", version, err)
		}
		if s, err = findSet(ctx, r.db, version); err != nil {
			return err
		}
		switch {
		case done:
		case s.ApprovedBy != "":
			return &Error{Reason: SetApproved, Detail: "the set was approved by " + s.ApprovedBy}
		default:
			return &Error{Reason: SamePerson, Detail: as + " proposed the set and cannot approve it"}
		}
		return r.log.Append(ctx, audit.Event{Kind: EventBasesApproved, Actor: as, Facts: map[string]string{
			"version": strconv.FormatInt(version, 10), "digest": s.Digest, "from": s.From.UTC().Format(time.RFC3339), "until": s.Until.UTC().Format(time.RFC3339),
		}})
	})
	if err != nil {
		return Set{}, err
	}
	return s, nil
}

// maxSets bounds one listing of sets.
const maxSets = 100

// Sets returns the newest sets, newest first, a hundred at most.
func (r *Register) Sets(ctx context.Context) ([]Set, error) { return listSets(ctx, r.db, maxSets) }
