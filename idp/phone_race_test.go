package idp_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/idp/idptest"
	"github.com/tsunagu-id/tsunagu/internal/ephemeral"
	"github.com/tsunagu-id/tsunagu/internal/ephemeral/ephemeraltest"
)

// TestOneWinnerOfAPairing: a hundred phones read one picture, a hundred numbers are typed, a hundred times the computer says yes: one of each
// counts, on every store.
func TestOneWinnerOfAPairing(t *testing.T) {
	ephemeraltest.Each(t, func(t *testing.T, store ephemeral.Store) {
		h := idptest.Start(t, idptest.Options{Transient: store})
		t.Run("scan", func(t *testing.T) {
			w := newPair(t, h)
			at := w.frame()
			got := volley(t, func(int) *http.Request { return h.Browser(t).Request(http.MethodGet, at, nil) })
			if got[http.StatusSeeOther] != 1 || got[http.StatusGone] != crowd-1 {
				t.Errorf("statuses %v", got)
			}
		})
		t.Run("number", func(t *testing.T) {
			w := newPair(t, h)
			phone := w.scan()
			right := w.shownNumber()
			form := w.id(phone)
			volley(t, func(i int) *http.Request {
				f := url.Values{"pairing": form["pairing"], "number": {string([]byte{'1' + byte(i%9), '0' + byte(i/9%10)})}}
				if f.Get("number") == right {
					f.Set("number", "99")
					if right == "99" {
						f.Set("number", "98")
					}
				}
				return w.phone.Request(http.MethodPost, h.Issuer+"/phone/number", f)
			})
			if p := w.number(phone, right); p.Error() != "number_wrong" {
				t.Errorf("after a hundred wrong ones: %s", p.Error())
			}
		})
		t.Run("yes", func(t *testing.T) {
			h.Code(t, h.Browser(t), idptest.NewRequest(), "taro")
			w := newPair(t, h)
			w.signed("taro")
			before := count(t, h, "login.succeeded")
			volley(t, func(int) *http.Request {
				return w.pc.Request(http.MethodPost, h.Issuer+"/login/phone/end", url.Values{"tx": {w.tx}, "decision": {"yes"}})
			})
			if n := count(t, h, "login.succeeded") - before; n != 1 {
				t.Errorf("%d logins", n)
			}
		})
		t.Run("return code", func(t *testing.T) {
			w := newPair(t, h)
			back := h.Sign(t, w.challenge(w.match()), "taro")
			got := volley(t, func(int) *http.Request { return w.phone.Request(http.MethodGet, back, nil) })
			if got[http.StatusSeeOther] != 1 || got[http.StatusGone] != crowd-1 {
				t.Errorf("statuses %v", got)
			}
		})
	})
}

// TestHubStopsBetweenPairingAndLogin: the pairing is spent and the login does not know it. Nobody is signed in, the computer is back at the
// ways to sign in, and each of them works.
func TestHubStopsBetweenPairingAndLogin(t *testing.T) {
	ephemeraltest.Each(t, func(t *testing.T, store ephemeral.Store) {
		dying := &dyingStore{Store: store}
		h := idptest.Start(t, idptest.Options{Transient: dying})
		h.Code(t, h.Browser(t), idptest.NewRequest(), "taro")
		w := newPair(t, h)
		w.signed("taro")
		dying.prefix.Store("tx:1:")
		if p := w.finish(); p.Status != http.StatusInternalServerError {
			t.Fatalf("%d %s", p.Status, p.URL)
		}
		dying.prefix.Store("")
		p := w.computer()
		if p.URL.Path != "/login" || !strings.Contains(p.Body, `id="phone-login"`) {
			t.Fatalf("%d %s %s", p.Status, p.URL, p.Error())
		}
		if p := w.pc.Post("/login/phone/end", url.Values{"tx": {w.tx}, "decision": {"yes"}}); p.URL.Path != "/login" {
			t.Errorf("the spent pairing signs in: %s", p.URL)
		}
		w.nothing()
		w.phone = h.Browser(t)
		w.show(p)
		w.signed("taro")
		if w.finish().URL.Query().Get("code") == "" {
			t.Error("a second pairing does not sign in")
		}
	})
}

// dyingStore fails to change the records of one kind.
type dyingStore struct {
	ephemeral.Store
	prefix atomic.Value
}

func (d *dyingStore) Swap(ctx context.Context, key string, old ephemeral.Version, value []byte, ttl time.Duration) error {
	if prefix, _ := d.prefix.Load().(string); prefix != "" && strings.HasPrefix(key, prefix) {
		return errUnplugged
	}
	return d.Store.Swap(ctx, key, old, value, ttl)
}
