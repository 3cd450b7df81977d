package cardauth

import (
	"context"
	"testing"

	"github.com/tsunagu-id/tsunagu/cardauth/jlis"
)

// answering is a linkage service with one answer to everybody.
type answering struct {
	jlis.Authority
	older []jlis.Certificate
	asked jlis.Certificate
}

func (a *answering) Predecessors(_ context.Context, c jlis.Certificate) ([]jlis.Certificate, error) {
	a.asked = c
	return a.older, nil
}

// What the linkage service calls a certificate is the binding that a login with it made.
func TestPredecessorIsTheBindingOfItsLogin(t *testing.T) {
	w := newWorld(t, nil)
	old, err := w.login(t, shared.leaf)
	if err != nil {
		t.Fatal(err)
	}
	service := &answering{older: []jlis.Certificate{old.Handle().certificate(), {Authority: old.Handle().IssuerKeyID(), Serial: 5}}}
	renewed, err := testPKI(t).Auth().IssueAuth(goodProfile(nil))
	if err != nil {
		t.Fatal(err)
	}
	h := w.handleOf(t, renewed)
	if _, err := w.Predecessors(t.Context(), h); !jlis.Is(err, jlis.Unavailable) {
		t.Errorf("without a service: %v", err)
	}
	w.deps.Linkage = service
	got, err := w.Predecessors(t.Context(), h)
	if err != nil || len(got) != 2 || got[0] != old.Binding() || got[1] == old.Binding() {
		t.Errorf("predecessors %v, %v", got, err)
	}
	if service.asked.Serial != renewed.Serial() {
		t.Error("asked about another certificate")
	}
}
