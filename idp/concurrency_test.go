package idp_test

import (
	"io"
	"net/http"
	"net/url"
	"sync"
	"testing"

	"github.com/tsunagu-id/tsunagu/idp/idptest"
	"github.com/tsunagu-id/tsunagu/internal/ephemeral"
	"github.com/tsunagu-id/tsunagu/internal/ephemeral/ephemeraltest"
)

const crowd = 100

// volley sends the same request from a hundred goroutines at once and returns the statuses, failing on any 5xx.
func volley(t *testing.T, build func(i int) *http.Request) map[int]int {
	t.Helper()
	requests := make([]*http.Request, crowd)
	for i := range requests {
		requests[i] = build(i)
	}
	var (
		mu    sync.Mutex
		count = map[int]int{}
		wg    sync.WaitGroup
		start = make(chan struct{})
	)
	client := idptest.Client()
	for _, req := range requests {
		wg.Go(func() {
			<-start
			resp, err := client.Do(req)
			if err != nil {
				t.Error(err)
				return
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			if err != nil || resp.StatusCode >= 500 {
				t.Errorf("status %d, %v: %s", resp.StatusCode, err, body)
			}
			mu.Lock()
			count[resp.StatusCode]++
			mu.Unlock()
		})
	}
	close(start)
	wg.Wait()
	return count
}

// volleyTo is volley for requests that are all answered with a redirect: how many went where, "" for none.
func volleyTo(t *testing.T, build func(i int) *http.Request) map[string]int {
	t.Helper()
	requests := make([]*http.Request, crowd)
	for i := range requests {
		requests[i] = build(i)
	}
	var (
		mu    sync.Mutex
		where = map[string]int{}
		wg    sync.WaitGroup
		start = make(chan struct{})
	)
	client := idptest.Client()
	for _, req := range requests {
		wg.Go(func() {
			<-start
			resp, err := client.Do(req)
			if err != nil {
				t.Error(err)
				return
			}
			defer resp.Body.Close()
			if resp.StatusCode >= 500 {
				t.Errorf("status %d", resp.StatusCode)
			}
			mu.Lock()
			defer mu.Unlock()
			where[resp.Header.Get("Location")]++
		})
	}
	close(start)
	wg.Wait()
	return where
}

// TestSingleUseUnderContention: code, refresh token and login return, a hundred at once on every store: exactly one wins.
func TestSingleUseUnderContention(t *testing.T) {
	ephemeraltest.Each(t, func(t *testing.T, store ephemeral.Store) {
		h := idptest.Start(t, idptest.Options{Transient: store})
		b := h.Browser(t)
		r := idptest.NewRequest()
		code := h.Code(t, b, r, "taro")
		t.Run("code", func(t *testing.T) {
			got := volley(t, func(int) *http.Request {
				return h.FormRequest(t, "/token", idptest.ClientID, idptest.Secret, idptest.CodeForm(code, r))
			})
			if got[200] != 1 || got[400] != crowd-1 {
				t.Errorf("statuses %v", got)
			}
		})
		t.Run("refresh", func(t *testing.T) {
			r := idptest.NewRequest()
			tokens := h.Redeem(t, h.Code(t, b, r, "taro"), r)
			got := volley(t, func(int) *http.Request {
				return h.FormRequest(t, "/token", idptest.ClientID, idptest.Secret, idptest.RefreshForm(tokens.Text("refresh_token")))
			})
			if got[200] != 1 || got[400] != crowd-1 {
				t.Errorf("statuses %v", got)
			}
		})
		t.Run("return code", func(t *testing.T) {
			other := h.Browser(t)
			back := other.CardLogin(other.Get(idptest.NewRequest().Path()), "hanako")
			got := volley(t, func(int) *http.Request { return other.Request(http.MethodGet, back, nil) })
			if got[303] != 1 || got[410] != crowd-1 {
				t.Errorf("statuses %v", got)
			}
		})
		t.Run("pushed request", func(t *testing.T) { pushedContention(t, h, b) })
	})
}

// pushedContention: a hundred tabs that opened the same pushed request complete it at once; one code exists afterwards.
func pushedContention(t *testing.T, h *idptest.Hub, b *idptest.Browser) {
	r := idptest.NewRequest()
	pushed := h.PostForm(t, "/par", idptest.ClientID, idptest.Secret, r.Params)
	if pushed.Status != http.StatusCreated {
		t.Fatalf("push: %d %s", pushed.Status, pushed.Raw)
	}
	at := h.Issuer + "/authorize?" + url.Values{"client_id": {idptest.ClientID}, "request_uri": {pushed.Text("request_uri")}}.Encode()
	got := volley(t, func(int) *http.Request { return b.Request(http.MethodGet, at, nil) })
	if got[303] != 1 || got[400] != crowd-1 {
		t.Errorf("statuses %v", got)
	}
}
