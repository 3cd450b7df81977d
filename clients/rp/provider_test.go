package rp_test

import (
	"sync"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/clients/rp/rptest"
)

const discoveryPath = "/.well-known/openid-configuration"

// A hub that takes its time over a document we have does not keep people waiting, and is asked once.
func TestSlowDiscoveryKeepsNobodyWaiting(t *testing.T) {
	w := newWorld(t, nil)
	w.get(w.browser(), "/inner")
	w.clock.advance(2 * time.Hour)
	release := make(chan struct{})
	t.Cleanup(func() { close(release) })
	w.hub.Set(func(s *rptest.Settings) {
		s.Hold = func(endpoint string) {
			if endpoint == discoveryPath {
				<-release
			}
		}
	})
	var wg sync.WaitGroup
	done := make(chan struct{})
	for range 8 {
		b := w.browser()
		wg.Go(func() {
			if page, err := b.Get(w.site.URL + "/inner"); err != nil || !page.Has(taro) {
				t.Errorf("%v: %s", err, page.Body)
			}
		})
	}
	go func() { wg.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(5 * time.Second):
		t.Error("everybody waits for the document")
	}
	if got := w.hub.Count("GET " + discoveryPath); got > 2 {
		t.Errorf("%d requests for the document, want the first and at most one more", got)
	}
}
