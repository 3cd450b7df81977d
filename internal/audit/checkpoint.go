package audit

import (
	"bytes"
	"context"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// Claim says where the log stood: that its row Seq has this hash, and with it that all rows before are as they were.
type Claim struct {
	Seq  int64
	Hash [32]byte
	At   time.Time // when it was stated, to the microsecond
	Prev int64     // Seq of the claim before; 0: it is the first
}

// Checkpoint is a signed claim.
type Checkpoint struct {
	Claim
	JWS string // as Notary.Sign made it
}

// Notary vouches for the log with keys that whoever can write to its tables does not have.
type Notary struct {
	// Sign returns a statement of the claim that others can verify and keep.
	Sign func(Claim) (string, error)
	// Prove returns a keyed digest. Its key stays for ever, where those that sign are replaced.
	Prove func(statement []byte) [32]byte
}

// ErrEmpty is returned by Checkpoint while there is no row.
var ErrEmpty = errors.New("audit: there is nothing to state yet")

// ErrNoNotary is returned where there is nobody to vouch for the log.
var ErrNoNotary = errors.New("audit: nothing signs checkpoints here")

// Vouch gives the log its notary. It is for the time when a program puts itself together.
func (l *Log) Vouch(n Notary) { l.notary = &n }

// mark is a checkpoint as it was found.
type mark struct {
	seq, prev, at int64
	hash, proof   []byte
	jws           string
}

// statement is what the proof of a checkpoint covers.
func (m mark) statement() []byte {
	b := []byte("tsunagu audit checkpoint v1")
	for _, n := range []int64{m.seq, m.prev, m.at} {
		b = binary.BigEndian.AppendUint64(b, uint64(n)) //nolint:gosec // the bits, whatever the sign
	}
	b = append(b, m.hash...)
	return append(b, m.jws...)
}

func (m mark) checkpoint() Checkpoint {
	c := Checkpoint{Claim: Claim{Seq: m.seq, At: time.UnixMicro(m.at).UTC(), Prev: m.prev}, JWS: m.jws}
	copy(c.Hash[:], m.hash)
	return c
}

// proves reports whether a proof is the notary's, of that statement.
func (n *Notary) proves(statement, proof []byte) bool {
	want := n.Prove(statement)
	return subtle.ConstantTimeCompare(want[:], proof) == 1
}

// Checkpoints returns up to limit checkpoints before a number, newest first; before 0: the newest. They are as they were found: Examine says
// whether they hold.
func (l *Log) Checkpoints(ctx context.Context, before int64, limit int) ([]Checkpoint, error) {
	list, err := selectMarks(ctx, l.db, `$1 = 0 OR seq < $1 ORDER BY seq DESC LIMIT $2`, before, min(max(limit, 1), maxPage))
	if err != nil {
		return nil, err
	}
	out := make([]Checkpoint, len(list))
	for i, m := range list {
		out[i] = m.checkpoint()
	}
	return out, nil
}

// maxLost is how often a checkpoint is begun again because another process made one meanwhile.
const maxLost = 5

// Checkpoint states where the log stands, and returns the statement; one that is the newest and still says it all is returned as it is. It
// first looks whether what came since the last one is whole, and whether the last one that it made itself is still there: the error is a
// *BrokenError if not, and nothing is signed.
func (l *Log) Checkpoint(ctx context.Context) (Checkpoint, error) {
	if l.notary == nil {
		return Checkpoint{}, ErrNoNotary
	}
	for range maxLost {
		m, err := l.nextMark(ctx)
		if err != nil {
			return Checkpoint{}, err
		}
		stored := m.proof != nil
		if !stored {
			if m.jws, err = l.notary.Sign(m.checkpoint().Claim); err != nil {
				return Checkpoint{}, fmt.Errorf("audit: sign checkpoint: %w", err)
			}
			proof := l.notary.Prove(m.statement())
			m.proof = proof[:]
			if stored, err = insertMark(ctx, l.db, m); err != nil {
				return Checkpoint{}, err
			}
		}
		if stored {
			l.made.Store(&m)
			return m.checkpoint(), nil
		}
	}
	return Checkpoint{}, errors.New("audit: other processes make checkpoints without end")
}

// nextMark returns the checkpoint to be made, or with its proof the newest one if nothing came since.
func (l *Log) nextMark(ctx context.Context) (mark, error) {
	newest, err := l.newestMark(ctx)
	if err != nil {
		return mark{}, err
	}
	if made := l.made.Load(); made != nil {
		same, err := selectMarks(ctx, l.db, `seq = $1`, made.seq)
		if err != nil {
			return mark{}, err
		}
		if len(same) == 0 || !bytes.Equal(same[0].proof, made.proof) { // it was taken away
			return mark{}, &BrokenError{Seq: made.seq, Why: Unattested}
		}
	}
	w, err := l.walk(ctx, newest.place(), nil)
	if err != nil {
		return mark{}, err
	}
	if w.seq == newest.seq && newest.proof != nil {
		return newest, nil
	}
	if w.seq == 0 {
		return mark{}, ErrEmpty
	}
	return mark{seq: w.seq, prev: newest.seq, at: l.now().UnixMicro(), hash: w.hash[:]}, nil
}

// newestMark returns the newest checkpoint, which must be the notary's; the zero one if there is none.
func (l *Log) newestMark(ctx context.Context) (mark, error) {
	list, err := selectMarks(ctx, l.db, `1 = 1 ORDER BY seq DESC LIMIT 1`)
	if err != nil || len(list) == 0 {
		return mark{}, err
	}
	if !l.notary.proves(list[0].statement(), list[0].proof) {
		return mark{}, &BrokenError{Seq: list[0].seq, Why: Unattested}
	}
	return list[0], nil
}

// place is where a walk goes on that trusts a checkpoint.
func (m mark) place() place {
	p := place{seq: m.seq}
	copy(p.hash[:], m.hash)
	return p
}

// ErrForeign is returned for a statement that is not about this log.
var ErrForeign = errors.New("audit: not a checkpoint of this log")

// Kept returns the claim of a statement that is among the checkpoints, to the letter; otherwise the error is ErrForeign.
func (l *Log) Kept(ctx context.Context, jws string) (Claim, error) {
	list, err := selectMarks(ctx, l.db, `jws = $1 LIMIT 1`, jws)
	if err != nil {
		return Claim{}, err
	}
	if len(list) == 0 || l.notary == nil || !l.notary.proves(list[0].statement(), list[0].proof) {
		return Claim{}, ErrForeign
	}
	return list[0].checkpoint().Claim, nil
}
