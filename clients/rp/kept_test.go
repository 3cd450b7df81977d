package rp_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// Whoever is not signed in can have a form put aside, as often as she likes: all of them together take no more than so much.
func TestFormsPutAsideAreBounded(t *testing.T) {
	w := newWorld(t, nil)
	keep := func() (*httptest.ResponseRecorder, error) {
		rec := httptest.NewRecorder()
		return rec, w.party.Keep(rec, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/form", nil), make([]byte, 128<<10))
	}
	for i := range 64 {
		if _, err := keep(); err != nil {
			t.Fatalf("%d: %v", i, err)
		}
	}
	if rec, err := keep(); err == nil || len(rec.Result().Cookies()) > 0 {
		t.Error("one more than there is room for was kept")
	}
	w.clock.advance(time.Hour)
	if _, err := keep(); err != nil {
		t.Errorf("when those are gone: %v", err)
	}
}
