package cardauth

import (
	"cmp"
	"encoding/hex"
	"slices"
	"time"

	"github.com/tsunagu-id/tsunagu/internal/metrics"
)

// revocationMetrics is what operators see of revocation. Labels are of closed
// sets and of the authorities' lists; nothing of a certificate is in them.
type revocationMetrics struct {
	purpose   string // what the certificates are for
	ocsp      *metrics.Histogram
	listFails *metrics.Counter
	copyFails *metrics.Counter
}

// maxListDetails is how many lists have figures of their own: those that run out
// first. A country has 1,741 municipalities.
const maxListDetails = 2048

func newRevocationMetrics(r *Revocation) *revocationMetrics {
	reg := r.deps.Metrics
	m := &revocationMetrics{
		purpose: r.deps.Purpose,
		ocsp: reg.Histogram("tsunagu_ocsp_seconds", "How long an OCSP question took, by responder and outcome; skipped: its circuit was open.",
			[]float64{.005, .01, .025, .05, .1, .25, .5, 1, 2, 3}, "purpose", "responder", "outcome"),
		listFails: reg.Counter("tsunagu_crl_refresh_failures_total", "Tries to get a revocation list that ended without a newer list.", "purpose"),
		copyFails: reg.Counter("tsunagu_crl_copy_failures_total", "Revocation lists that could not be kept on disk for the next start.", "purpose"),
	}
	reg.Gauges("tsunagu_ocsp_circuit", "Whether a responder is asked: 0 closed (yes), 1 half-open, 2 open (no).", []string{"purpose", "responder"},
		func(set func(float64, ...string)) {
			for name, state := range r.responders.states(r.deps.Now()) {
				set(float64(state), m.purpose, name)
			}
		})
	reg.Gauges("tsunagu_crl_lists", "Revocation lists by state: current, expired, or missing (never had).", []string{"purpose", "state"},
		func(set func(float64, ...string)) {
			count := map[string]int{"current": 0, "expired": 0, "missing": 0}
			for _, l := range r.listStates() {
				count[l.state]++
			}
			for state, n := range count {
				set(float64(n), m.purpose, state)
			}
		})
	reg.Gauges("tsunagu_crl_entries_stored", "Entries of all revocation lists together.", []string{"purpose"},
		func(set func(float64, ...string)) { set(float64(r.stored.Load()), m.purpose) })
	m.listFails.Add(0, m.purpose) // shown from the start: an alert that has no figure never fires
	m.copyFails.Add(0, m.purpose)
	m.perList(r, reg, "tsunagu_crl_entries", "Entries of a revocation list.", func(l listState, _ time.Time) float64 { return float64(l.entries) })
	m.perList(r, reg, "tsunagu_crl_age_seconds", "Seconds since the authority made a revocation list (thisUpdate).",
		func(l listState, now time.Time) float64 { return now.Sub(l.thisUpdate).Seconds() })
	m.perList(r, reg, "tsunagu_crl_next_update_seconds", "Seconds until a revocation list runs out (nextUpdate); negative afterwards.",
		func(l listState, now time.Time) float64 { return l.nextUpdate.Sub(now).Seconds() })
	return m
}

func (m *revocationMetrics) perList(r *Revocation, reg *metrics.Registry, name, help string, value func(listState, time.Time) float64) {
	reg.Gauges(name, help, []string{"purpose", "issuer", "list"}, func(set func(float64, ...string)) {
		now := r.deps.Now()
		all := slices.DeleteFunc(r.listStates(), func(l listState) bool { return l.state == "missing" })
		for _, l := range all[:min(len(all), maxListDetails)] {
			set(value(l, now), m.purpose, l.issuer, l.point)
		}
	})
}

func (m *revocationMetrics) asked(responder, outcome string, took time.Duration) {
	m.ocsp.Observe(took.Seconds(), m.purpose, responder, outcome)
}
func (m *revocationMetrics) listFailed() { m.listFails.Inc(m.purpose) }
func (m *revocationMetrics) copyFailed() { m.copyFails.Inc(m.purpose) }

// listState is a list as operators see it.
type listState struct {
	issuer, point          string // hex, the first eight bytes; "all"
	state                  string
	entries                int
	thisUpdate, nextUpdate time.Time
}

// listStates returns every list, those that run out first at the front.
func (r *Revocation) listStates() []listState {
	now := r.deps.Now()
	r.listsMu.RLock()
	defer r.listsMu.RUnlock()
	out := make([]listState, 0, len(r.lists))
	for key, l := range r.lists {
		s := listState{issuer: hex.EncodeToString(key.issuer[:8]), point: "all", state: "missing"}
		if key.point != (pointDigest{}) {
			s.point = hex.EncodeToString(key.point[:8])
		}
		if c := l.current.Load(); c != nil {
			s.state, s.entries, s.thisUpdate, s.nextUpdate = "current", c.total, c.thisUpdate, c.nextUpdate
			if now.After(c.nextUpdate) {
				s.state = "expired"
			}
		}
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b listState) int {
		return cmp.Or(a.nextUpdate.Compare(b.nextUpdate), cmp.Compare(a.issuer+a.point, b.issuer+b.point))
	})
	return out
}

// Overdue returns how many of the lists that were fetched are older than their authority means them to be.
func (r *Revocation) Overdue() (n int) {
	for _, l := range r.listStates() {
		if l.state == "expired" {
			n++
		}
	}
	return n
}
