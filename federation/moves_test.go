package federation

import (
	"errors"
	"testing"
)

var states = []State{None, Offered, Linked, Broken, Ended}

// TestNext asks for every pair of states and compares with what a reader of
// the diagram expects; "" stands for a refusal.
func TestNext(t *testing.T) {
	golden := map[State]map[State]State{
		None:    {None: None, Offered: Offered, Linked: Linked, Broken: "", Ended: ""},
		Offered: {None: "", Offered: Offered, Linked: Linked, Broken: "", Ended: Ended},
		Linked:  {None: "", Offered: Linked, Linked: Linked, Broken: Broken, Ended: Ended},
		Broken:  {None: "", Offered: Offered, Linked: Linked, Broken: Broken, Ended: Ended},
		Ended:   {None: "", Offered: Offered, Linked: Linked, Broken: "", Ended: Ended},
	}
	pairs := 0
	for _, from := range states {
		for _, to := range states {
			pairs++
			want, ok := golden[from][to]
			if !ok {
				t.Fatalf("the golden table lacks %s to %s", from, to)
			}
			got, err := next(from, to)
			if want != "" {
				if err != nil || got != want {
					t.Errorf("next(%s, %s) = %s, %v; want %s", from, to, got, err, want)
				}
				continue
			}
			if e, ok := errors.AsType[*Error](err); !ok || e.Reason != MoveForbidden || got != from {
				t.Errorf("next(%s, %s) = %s, %v; want a refusal that stays", from, to, got, err)
			}
		}
	}
	if pairs != 25 {
		t.Errorf("checked %d pairs, want 25", pairs)
	}
}

func TestEveryMoveHasAnEvent(t *testing.T) {
	for from, tos := range moves {
		for _, to := range tos {
			if eventOf(to) == "" {
				t.Errorf("the move from %s to %s leaves no audit event", from, to)
			}
		}
	}
}
