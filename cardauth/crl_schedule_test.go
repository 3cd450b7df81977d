package cardauth

import (
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/cardauth/cardtest"
)

// A restart spreads its look for newer lists over CRLRefresh, but not beyond the
// end of the list that it found.
func TestListOfTheLastStartIsRenewedBeforeItRunsOut(t *testing.T) {
	anchors, err := ParseAnchors(Test, testPKI(t).Auth().PEM())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	adjust := func(d *RevocationDeps) { d.Directory, d.Anchors = dir, anchors }
	byList(t, adjust)
	w := newWorld(t, adjust)
	w.responder.BehaveOCSP(cardtest.OCSPServerError)
	r := w.deps.Revocation
	r.random = func() float64 { return 1 }
	w.advance(20*time.Hour - 10*time.Minute) // the list said 20 hours
	r.recall()
	r.refreshDue(t.Context())
	w.advance(6 * time.Minute)
	r.refreshDue(t.Context())
	if _, lists := w.responder.Asked(); lists != 1 {
		t.Errorf("%d lists were asked for when the old one had four minutes left", lists)
	}
}

// A list that ran out before anybody looked for the next one is fetched by whom
// it would have let in, whenever that was to be.
func TestListThatRanOutIsDue(t *testing.T) {
	w, leaf := byList(t, nil)
	for _, l := range w.deps.Revocation.lists {
		l.due = noon.Add(48 * time.Hour)
	}
	w.advance(21 * time.Hour)
	w.responder.BehaveCRL(cardtest.CRLGood)
	_, err := w.login(t, leaf)
	if _, lists := w.responder.Asked(); lists != 2 {
		t.Errorf("%d lists were asked for: %v", lists, err)
	}
}
