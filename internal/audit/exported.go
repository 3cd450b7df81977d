package audit

import "encoding/json"

// Exported judges rows that somebody exported, without the log that they come of: one after the other, and all of them from the first on. Its
// zero value is before the first. That the first row is the log's first, or follows a checkpoint, is for the caller to see.
type Exported struct {
	last  place
	begun bool
}

// Next takes the next row. The error is a *BrokenError if it is not what was written, or does not follow the row before.
func (x *Exported) Next(r Row) error {
	facts := r.Facts
	if facts == nil {
		facts = map[string]string{}
	}
	text, err := json.Marshal(facts) // sorts the keys, as encode did
	if err != nil {
		return err
	}
	f := found{stored: stored{seq: r.Seq, at: r.At.UnixMicro(), prev: r.Prev, texts: [numTexts]string{
		textKind: string(r.Kind), textAccount: r.Account, textClient: r.Client, textSession: r.Session,
		textActor: r.Actor, textReason: r.Reason, textTrace: r.Trace, textFacts: string(text),
	}}, hash: r.Hash[:]}
	if !x.begun {
		x.last = place{seq: r.Seq - 1, hash: r.Prev}
	}
	if err := f.follows(x.last, r.Seq); err != nil {
		return err
	}
	x.begun, x.last = true, place{seq: r.Seq, hash: r.Hash}
	return nil
}

// Last returns number and hash of the row that was taken last.
func (x *Exported) Last() (seq int64, hash [32]byte) { return x.last.seq, x.last.hash }
