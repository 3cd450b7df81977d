package metrics

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

func shown(t *testing.T, r *Registry) string {
	t.Helper()
	w := httptest.NewRecorder()
	r.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	return w.Body.String()
}

func TestFiguresAreShown(t *testing.T) {
	r := New()
	var group sync.WaitGroup
	for range 20 { // whoever asks for a name twice has the same figure
		group.Go(func() {
			r.Counter("t_total", "T.", "why").Inc("a")
			r.Histogram("h_seconds", "H.", []float64{1, 2}, "who").Observe(1.5, "b")
		})
	}
	group.Wait()
	r.Counter("t_total", "T.", "why").Add(0, "never")
	for i, who := range []string{"first", "second"} {
		r.Gauges("g", "G.", []string{"who"}, func(set func(float64, ...string)) { set(float64(i), who) })
	}
	text := shown(t, r)
	for _, want := range []string{
		`t_total{why="a"} 20`, `t_total{why="never"} 0`, `h_seconds_bucket{who="b",le="2"} 20`, `h_seconds_bucket{who="b",le="1"} 0`,
		`g{who="first"} 0`, `g{who="second"} 1`, "go_goroutines",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in %s", want, text)
		}
	}
}

// Packages count whether anybody looks or not.
func TestNobodyLooks(t *testing.T) {
	var r *Registry
	r.Counter("c", "").Inc()
	r.Histogram("h", "", nil).Observe(1)
	r.Gauges("g", "", nil, func(func(float64, ...string)) { t.Error("looked up for nobody") })
	w := httptest.NewRecorder()
	r.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusNotFound {
		t.Errorf("%d", w.Code)
	}
}
