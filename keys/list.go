package keys

import (
	"cmp"
	"context"
	"slices"
	"time"
)

// Standing says where a signing key stands.
type Standing struct {
	KID   string
	Alg   Alg
	State string    // "announced", "active" or "retired"
	From  time.Time // since when it is in that state
	To    time.Time // when the next one is due; zero: nothing is
}

// Standings lists the keys that are published, by algorithm, the one that signs next first. It reads them from the database: what other
// processes did counts.
func (s *Set) Standings(ctx context.Context) ([]Standing, error) {
	_, rows, err := selectKeys(ctx, s.d.DB)
	if err != nil {
		return nil, err
	}
	out := make([]Standing, 0, len(rows))
	for _, r := range rows {
		k := Standing{KID: r.kid, Alg: Alg(r.alg), State: r.state, From: r.changed}
		switch r.state {
		case stateAnnounced:
			k.To = r.changed.Add(s.d.Announce)
		case stateRetired:
			k.To = r.changed.Add(s.d.Retire)
		case stateActive:
			if i := slices.IndexFunc(rows, func(n keyRow) bool { return n.alg == r.alg && n.state == stateAnnounced }); i >= 0 {
				k.To = rows[i].changed.Add(s.d.Announce)
			}
		}
		out = append(out, k)
	}
	order := []string{stateAnnounced, stateActive, stateRetired}
	slices.SortFunc(out, func(a, b Standing) int {
		return cmp.Or(cmp.Compare(a.Alg, b.Alg), slices.Index(order, a.State)-slices.Index(order, b.State), b.From.Compare(a.From))
	})
	return out, nil
}
