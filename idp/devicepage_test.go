package idp_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/tsunagu-id/tsunagu/idp/idptest"
)

// TestDeviceLinkAloneIsNotEnough: behind verification_uri_complete half of the code is asked for, which the link does not hold
// (RFC 8628 §3.3.1, §5.4); a visit changes nothing.
func TestDeviceLinkAloneIsNotEnough(t *testing.T) {
	h := startTelevision(t, idptest.Options{})
	a := h.Device(t, idptest.DeviceID, "")
	code := a.Text("user_code")
	b := h.Browser(t)
	p := b.Get(a.Text("verification_uri_complete"))
	request := p.URL.Query().Get("request")
	if p.Status != 200 || !strings.Contains(p.Body, ">"+code[:4]+"<") || strings.Contains(p.Body, code[5:]) || strings.Contains(p.Body, "見本テレビ") {
		t.Fatalf("%d %s", p.Status, p.Body)
	}
	for _, wrong := range []string{"", "BBBB", code[:4], "BBBB" + code[5:], "xyz"} {
		if wrong == code[5:] {
			continue
		}
		p := b.EnterCode(wrong, request)
		wantPage(t, p, 422, "code_wrong")
		if !strings.Contains(p.Body, `name="request" value="`+request+`"`) || !strings.Contains(p.Body, `value="`+wrong) {
			t.Errorf("what was typed is lost: %s", p.Body)
		}
	}
	other := h.Device(t, idptest.DeviceID, "").Text("user_code")
	wantPage(t, b.EnterCode(other, request), 422, "code_wrong") // a good code, but not this link's
	if p := b.EnterCode(strings.ToLower(code[5:]), request); !strings.Contains(p.Body, `id="device-yes"`) {
		t.Errorf("%d %s", p.Status, p.Error())
	}
	wantPage(t, b.Get("/device?request=nonsense"), 200, "")
	wantPage(t, b.Get("/device?request="+strings.Repeat("A", 43)), 200, "")
}

// TestDeviceOfOneBrowser: who types the code first goes on with it; neither another browser nor another login of the same one can
// decide as well.
func TestDeviceOfOneBrowser(t *testing.T) {
	h := startTelevision(t, idptest.Options{})
	a := h.Device(t, idptest.DeviceID, "")
	code := a.Text("user_code")
	mine, theirs := h.Browser(t), h.Browser(t)
	first := mine.EnterCode(code, "")
	wantPage(t, theirs.EnterCode(code, ""), 410, "code_used")
	wantPage(t, theirs.Get(a.Text("verification_uri_complete")), 410, "code_used")
	wantPage(t, theirs.OwnDevice(first, "yes"), 403, "other_browser")
	wantPage(t, theirs.Get("/device/done?tx="+first.Tx()), 403, "other_browser")
	second := mine.EnterCode(code, "") // the back button
	if !strings.Contains(second.Body, `id="device-yes"`) {
		t.Fatalf("%d %s", second.Status, second.Error())
	}
	if p := mine.SignIn(mine.OwnDevice(second, "yes"), "taro"); !strings.Contains(p.Body, `id="device-done"`) {
		t.Fatalf("%s %s", p.URL, p.Error())
	}
	wantPage(t, mine.EnterCode(code, ""), 410, "code_used")
	if tokens := h.Poll(t, a.Text("device_code")); tokens.Status != 200 {
		t.Errorf("%d %s", tokens.Status, tokens.Raw)
	}
	wantPage(t, mine.SignIn(mine.OwnDevice(first, "yes"), "hanako"), 410, "code_used")
}

// TestDevicePagesNeedTheirSteps: no page can be jumped to.
func TestDevicePagesNeedTheirSteps(t *testing.T) {
	h := startTelevision(t, idptest.Options{})
	a := h.Device(t, idptest.DeviceID, "")
	b := h.Browser(t)
	confirm := b.EnterCode(a.Text("user_code"), "")
	for _, path := range []string{"/login", "/consent", "/folder/open", "/device/done"} {
		if p := b.Get(path + "?tx=" + confirm.Tx()); p.URL.Path != "/device/confirm" {
			t.Errorf("%s leads to %s", path, p.URL)
		}
	}
	if p := b.Post("/consent", url.Values{"tx": {confirm.Tx()}, "decision": {"allow"}}); p.URL.Path != "/device/confirm" {
		t.Errorf("consent first leads to %s", p.URL)
	}
	wantPage(t, b.OwnDevice(confirm, "maybe"), 400, "invalid_request")
	wantPage(t, b.Get("/device/confirm?tx=x"), 410, "login_expired")
	login := b.Get(idptest.NewRequest().Path())
	for _, path := range []string{"/device/confirm", "/device/done"} { // an ordinary login
		if p := b.Get(path + "?tx=" + login.Tx()); p.URL.Path != "/login" {
			t.Errorf("%s leads to %s %s", path, p.URL, p.Error())
		}
	}
	wantError(t, h.Poll(t, a.Text("device_code")), 400, "authorization_pending")
}

// TestDevicePagesNameNoHostThatADeviceDidNotProve: nothing is sent to the addresses of a device, so it could name a bank's.
func TestDevicePagesNameNoHostThatADeviceDidNotProve(t *testing.T) {
	named := func(id string, verified bool) map[string]any {
		return idptest.DeviceClient(map[string]any{"client_id": id, "verified": verified, "redirect_uris": []string{"https://bank.example/cb"}})
	}
	h := startTelevision(t, idptest.Options{Clients: []map[string]any{named("unchecked", false), named("checked", true)}})
	for id, want := range map[string]bool{"unchecked": false, "checked": true} {
		b := h.Browser(t)
		p := b.EnterCode(h.Device(t, id, "").Text("user_code"), "")
		for _, page := range []idptest.Page{p, b.OwnDevice(p, "yes")} {
			if got := strings.Contains(page.Body, "bank.example"); got != want {
				t.Errorf("%s, %s: the host on the page is %t, want %t", id, page.URL.Path, got, want)
			}
		}
	}
}
