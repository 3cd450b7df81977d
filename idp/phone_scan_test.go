package idp_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/idp/idptest"
)

// TestForwardedQRIsRefused: a picture that was sent on is opened too late, and a page or an address of the phone that scanned is nothing
// in another browser.
func TestForwardedQRIsRefused(t *testing.T) {
	c := newClock()
	h := idptest.Start(t, idptest.Options{Now: c.now})
	w := newPair(t, h)
	sent := w.frame()
	c.advance(16 * time.Second)
	victim := h.Browser(t)
	if p := victim.Get(sent); p.Error() != "qr_expired" || p.Status != http.StatusGone {
		t.Errorf("%d %s", p.Status, p.Error())
	}
	if !strings.Contains(w.computer().Body, `data-pairing="shown"`) {
		t.Error("the late reading counted")
	}
	phone := w.scan()
	for _, address := range []string{phone.URL.String(), "/phone/refused?reason=cert_expired&pairing=" + w.id(phone).Get("pairing")} {
		if p := victim.Get(address); p.Error() != "other_browser" || p.Status != http.StatusForbidden {
			t.Errorf("%s: %d %s", address, p.Status, p.Error())
		}
	}
	form := w.id(phone)
	form.Set("number", w.shownNumber())
	for _, path := range []string{"/phone/number", "/phone/card", "/phone/stop"} {
		if p := victim.Post(path, form); p.Error() != "other_browser" {
			t.Errorf("%s: %d %s", path, p.Status, p.Error())
		}
	}
	w.nothing()
}

// TestOldFrameIsRefused: every look at the page is another picture; the one before dies seconds later, whatever became of the newest.
func TestOldFrameIsRefused(t *testing.T) {
	c := newClock()
	h := idptest.Start(t, idptest.Options{Now: c.now})
	w := newPair(t, h)
	old := w.frame()
	c.advance(10 * time.Second)
	young := w.frame()
	if old == young {
		t.Fatal("the QR code does not turn")
	}
	c.advance(6 * time.Second)
	if p := w.phone.Get(old); p.Error() != "qr_expired" {
		t.Errorf("old: %d %s", p.Status, p.Error())
	}
	if p := w.phone.Get(young); p.Error() != "" || p.URL.Path != "/phone" {
		t.Errorf("young: %d %s", p.Status, p.Error())
	}
	if p := h.Browser(t).Get(old); p.Error() != "qr_expired" { // after the scan, too
		t.Errorf("old after the scan: %d %s", p.Status, p.Error())
	}
}

// TestForgedFrameIsRefused: a count that was not drawn, a MAC of another pairing, a pairing that never was.
func TestForgedFrameIsRefused(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	w, other := newPair(t, h), newPair(t, h)
	parts := strings.Split(strings.TrimPrefix(w.frame(), h.Issuer+"/phone/"), ".")
	foreign := strings.Split(strings.TrimPrefix(other.frame(), h.Issuer+"/phone/"), ".")
	flipped := []byte(parts[2])
	flipped[3] ^= 1
	for name, frame := range map[string]string{
		"another count":   parts[0] + ".119." + parts[2],
		"another pairing": foreign[0] + "." + parts[1] + "." + parts[2],
		"another MAC":     parts[0] + "." + parts[1] + "." + foreign[2],
		"a bit":           parts[0] + "." + parts[1] + "." + string(flipped),
		"no pairing":      strings.Repeat("A", 22) + "." + parts[1] + "." + parts[2],
		"two spellings":   parts[0] + ".0" + parts[1] + "." + parts[2],
		"no frame":        "x",
		"no MAC":          parts[0] + "." + parts[1] + ".",
	} {
		if p := w.phone.Get("/phone/" + frame); p.Error() != "qr_expired" || p.Status != http.StatusGone {
			t.Errorf("%s: %d %s", name, p.Status, p.Error())
		}
	}
	if p := w.phone.Get("/phone/" + strings.Join(parts, ".")); p.Error() != "" {
		t.Errorf("the genuine one: %s", p.Error())
	}
}

// TestSecondScanIsRefused: told on both sides; the first phone goes on.
func TestSecondScanIsRefused(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	w := newPair(t, h)
	first := w.scan()
	second := h.Browser(t).Get(w.scannedURL)
	if second.Error() != "qr_used" || second.Status != http.StatusGone {
		t.Errorf("second phone: %d %s", second.Status, second.Error())
	}
	if p := w.computer(); !strings.Contains(p.Body, "ほかの機器もQRコードを読み取りました") {
		t.Error("the computer is not told")
	}
	if p := w.phone.Get(w.scannedURL); p.Error() != "" || p.URL.Path != "/phone" {
		t.Errorf("the first phone, reading again: %s", p.Error())
	}
	if p := w.number(first, w.shownNumber()); !strings.Contains(p.Body, `id="phone-card"`) {
		t.Errorf("the first phone does not go on: %s", p.Error())
	}
}

// TestBothRolesInOneBrowser: a browser does not read its own QR code; the level would say that two devices took part.
func TestBothRolesInOneBrowser(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	w := newPair(t, h)
	if p := w.pc.Get(w.frame()); p.Error() != "qr_same_device" || p.Status != http.StatusForbidden {
		t.Errorf("%d %s", p.Status, p.Error())
	}
	if p := w.scan(); p.Error() != "" {
		t.Errorf("the phone: %s", p.Error())
	}
}

// TestFetchedAheadIsNoScan: a browser that loads a page before anybody looks has read nothing.
func TestFetchedAheadIsNoScan(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	w := newPair(t, h)
	at := w.frame()
	req := w.phone.Request(http.MethodGet, at, nil)
	req.Header.Set("Sec-Purpose", "prefetch;prerender")
	if resp := send(t, req); resp.Status != http.StatusForbidden {
		t.Errorf("%d", resp.Status)
	}
	if p := w.phone.Get(at); p.Error() != "" {
		t.Errorf("%s", p.Error())
	}
}

// TestLinkIsNoScan: a page of another site that passes on the turning pictures of the attacker's computer, by link or by redirect, leads
// nobody into his pairing. A camera opens an address that comes from no page.
func TestLinkIsNoScan(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	w := newPair(t, h)
	for _, site := range []string{"cross-site", "same-site"} {
		req := w.phone.Request(http.MethodGet, w.frame(), nil)
		req.Header.Set("Sec-Fetch-Site", site)
		if resp := send(t, req); resp.Status != http.StatusForbidden || !strings.Contains(resp.Raw, `data-error="qr_linked"`) {
			t.Errorf("%s: %d", site, resp.Status)
		}
	}
	req := w.phone.Request(http.MethodGet, w.frame(), nil)
	req.Header.Set("Sec-Fetch-Site", "none")
	if resp := send(t, req); resp.Status != http.StatusSeeOther {
		t.Errorf("camera: %d", resp.Status)
	}
}
