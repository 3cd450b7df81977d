package idptest_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/tsunagu-id/tsunagu/clients/postbox"
)

// send answers the form of a page of the site, and returns where that leads.
func (w *two) send(path string) string {
	w.t.Helper()
	_, body, _ := w.tax(http.MethodGet, path, nil)
	m := markOf.FindStringSubmatch(body)
	if m == nil {
		w.t.Fatal(body)
	}
	_, _, to := w.tax(http.MethodPost, path, url.Values{"for": {m[1]}})
	return to
}

func (w *two) openBox() {
	w.t.Helper()
	w.launch()
	if to := w.send("/open"); !strings.HasPrefix(to, "/box") {
		w.t.Fatalf("not opened: %s", to)
	}
}

func (w *two) closeBox() {
	w.t.Helper()
	if to := w.send("/close"); to != "/closed" {
		w.t.Fatal(to)
	}
}

// boxesAgree asks both databases: the hub's state, and whether the box is tied to it. What is linked has one name.
func (w *two) boxesAgree(state string) {
	w.t.Helper()
	var got, hubTie, tie string
	if err := w.hubDB.QueryRow(w.t.Context(), `SELECT state, tie FROM federation_link WHERE client = 'postbox'`).Scan(&got, &hubTie); err != nil {
		got = "none"
	}
	tied := w.taxDB.QueryRow(w.t.Context(), `SELECT tie FROM postbox_box WHERE paused_at = 0`).Scan(&tie) == nil
	if got != state || tied != (state == "linked") || tied && (tie == "" || tie != hubTie) {
		w.t.Errorf("the hub says %s, the box is tied: %v, want %s; one tie: %v", got, tied, state, tie == hubTie)
	}
}

// TestBoxAndHubAgreeAfterARestore: a service whose ties belong to no account of its own finds together with the hub like the tax site does.
func TestBoxAndHubAgreeAfterARestore(t *testing.T) {
	nothing := func(*two) {}
	open := (*two).openBox
	again := func(w *two) { w.closeBox(); w.openBox() }
	for name, tt := range map[string]struct {
		yesterday, today func(*two)
		restore          string
		state            string
	}{
		"ended at the hub":                   {open, (*two).endAtHub, "", "ended"},
		"closed":                             {open, (*two).closeBox, "", "ended"},
		"service restored, opened today":     {nothing, open, "tax", "broken"},
		"service restored, ended at the hub": {open, (*two).endAtHub, "tax", "ended"},
		"service restored, closed today":     {open, (*two).closeBox, "tax", "ended"},
		"service restored, opened again":     {open, again, "tax", "broken"},
		"hub restored, opened today":         {func(w *two) { w.launch() }, open, "hub", "linked"},
		"hub restored, ended there":          {open, func(w *two) { w.endAtHub(); w.reconcile() }, "hub", "ended"},
		"hub restored, closed today":         {open, (*two).closeBox, "hub", "ended"},
		"hub restored, opened again":         {open, again, "hub", "linked"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newTwoOf(t, kind{"postbox", postbox.Registration, boxSite}, false)
			tt.yesterday(w)
			w.reconcile()
			w.backup()
			tt.today(w)
			w.reconcile()
			if tt.restore != "" {
				w.restore(tt.restore)
			}
			for range 2 { // and it stays so
				w.reconcile()
				w.boxesAgree(tt.state)
			}
			if tt.state != "linked" {
				w.visitor()
				w.openBox()
				w.reconcile()
				w.boxesAgree("linked")
			}
			must(t, w.hub.Audit.Verify(t.Context()))
		})
	}
}
