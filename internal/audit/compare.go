package audit

import (
	"bytes"
	"context"
)

// comparison holds a log against what was said of it before: its checkpoints, and claims that somebody kept.
type comparison struct {
	log   *Log
	from  base
	kept  map[int64][][32]byte // by row
	marks []mark               // read and not compared
	all   bool                 // there are no more
	seen  int64                // the last checkpoint that was compared; the next names it as the one before
}

func (l *Log) comparison(from base, kept []Claim) *comparison {
	c := &comparison{log: l, from: from, kept: make(map[int64][][32]byte)}
	for _, k := range kept {
		c.kept[k.Seq] = append(c.kept[k.Seq], k.Hash)
	}
	if made := l.made.Load(); made != nil {
		c.kept[made.seq] = append(c.kept[made.seq], made.place().hash)
	}
	return c
}

// begin judges the checkpoints of what was taken out. The last of them is where the log begins.
func (c *comparison) begin(ctx context.Context) error {
	if c.log.notary == nil {
		return nil
	}
	at := place{}
	for {
		m, ok, err := c.next(ctx)
		if err != nil {
			return err
		}
		if !ok || m.seq > c.from.seq {
			break
		}
		if err := c.take(m, m.place()); err != nil {
			return err
		}
		if err := c.agrees(m.place()); err != nil {
			return err
		}
		at = m.place()
	}
	if at != c.from.place {
		return &BrokenError{Seq: c.from.seq, Why: Unattested}
	}
	return nil
}

// row compares a row that was judged.
func (c *comparison) row(ctx context.Context, at place) error {
	if err := c.agrees(at); err != nil || c.log.notary == nil {
		return err
	}
	m, ok, err := c.next(ctx)
	if err != nil || !ok || m.seq > at.seq {
		return err
	}
	return c.take(m, at)
}

// end looks for what was said of rows that are not there.
func (c *comparison) end(ctx context.Context, last place) error {
	beyond := int64(0)
	if c.log.notary != nil {
		c.all = false // some may have been made since
		if m, ok, err := c.next(ctx); err != nil {
			return err
		} else if ok {
			beyond = m.seq
		}
	}
	for seq := range c.kept {
		if seq > last.seq {
			beyond = seq
		}
	}
	if beyond <= last.seq {
		return nil
	}
	head, _, _, err := readHead(ctx, c.log.db)
	if err != nil || head >= beyond { // they came since
		return err
	}
	return &BrokenError{Seq: beyond, Why: Unattested}
}

// next returns the next checkpoint without taking it; false if there is none.
func (c *comparison) next(ctx context.Context) (mark, bool, error) {
	if len(c.marks) == 0 && !c.all {
		var err error
		if c.marks, err = selectMarks(ctx, c.log.db, `seq > $1 ORDER BY seq LIMIT 500`, c.seen); err != nil {
			return mark{}, false, err
		}
		c.all = len(c.marks) == 0
	}
	if len(c.marks) == 0 {
		return mark{}, false, nil
	}
	return c.marks[0], true, nil
}

// take judges the next checkpoint, of the row at a place.
func (c *comparison) take(m mark, at place) error {
	switch {
	case m.prev != c.seen: // the one before is gone
		return &BrokenError{Seq: m.prev, Why: Unattested}
	case m.seq != at.seq, !bytes.Equal(m.hash, at.hash[:]), !c.log.notary.proves(m.statement(), m.proof):
		return &BrokenError{Seq: m.seq, Why: Unattested}
	}
	c.marks, c.seen = c.marks[1:], m.seq
	return nil
}

// agrees compares a place with what was kept of it.
func (c *comparison) agrees(at place) error {
	for _, hash := range c.kept[at.seq] {
		if hash != at.hash {
			return &BrokenError{Seq: at.seq, Why: Unattested}
		}
	}
	return nil
}
