package idp_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/tsunagu-id/tsunagu/idp/idptest"
)

// TestDeviceOfAnAlwaysCardServiceTakesTheCardOnly: a code typed in does not get around a service's rule: neither a passkey nor a phone
// approves it, and a card does.
func TestDeviceOfAnAlwaysCardServiceTakesTheCardOnly(t *testing.T) {
	const id = "careful-television"
	h := idptest.Start(t, idptest.Options{Domain: true, Clients: []map[string]any{
		idptest.DeviceClient(map[string]any{"client_id": id, "always_card": true}), idptest.DeviceClient(nil),
	}})
	b := h.Browser(t)
	d := h.Authenticator()
	atPasskeys(t, h, b, "taro")
	b.AddPasskey(d, "鍵")
	for _, tc := range []struct {
		client  string
		refused bool
	}{{idptest.DeviceID, false}, {id, true}} {
		a := h.Device(t, tc.client, "")
		login := b.OwnDevice(b.EnterCode(a.Text("user_code"), ""), "yes")
		if login.URL.Path != "/login" {
			t.Fatalf("%s: %s %s", tc.client, login.URL, login.Error())
		}
		p := b.Get("/login/passkey?" + url.Values{"tx": {login.Tx()}}.Encode())
		if (p.URL.Path == "/login/passkey/refused") != tc.refused {
			t.Errorf("%s: a passkey led to %s", tc.client, p.URL)
		}
		if strings.Contains(login.Body, `id="phone-refused"`) != tc.refused {
			t.Errorf("%s: a phone is treated otherwise", tc.client)
		}
		if !tc.refused {
			continue
		}
		if poll := h.PostForm(t, "/token", id, "", idptest.PollForm(a.Text("device_code"))); poll.Text("error") != "authorization_pending" {
			t.Errorf("before the card: %s", poll.Raw)
		}
		p = b.Get(b.CardLogin(login, "taro"))
		if p = b.Finish(p); !strings.Contains(p.Body, `id="device-done"`) {
			t.Fatalf("%s %s", p.URL, p.Error())
		}
		if tokens := h.PostForm(t, "/token", id, "", idptest.PollForm(a.Text("device_code"))); tokens.Status != 200 {
			t.Errorf("%d %s", tokens.Status, tokens.Raw)
		}
	}
}
