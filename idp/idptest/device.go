package idptest

import (
	"net/url"
	"testing"
)

// DeviceID is a public client without addresses that uses the device grant, see [DeviceClient].
const DeviceID = "tv"

// DeviceClient is the registration of a device that shows codes, with changes applied.
func DeviceClient(changes map[string]any) map[string]any {
	m := map[string]any{
		"client_id": DeviceID, "client_name": "見本テレビ", "client_name#en": "Sample TV", "operator": "見本放送",
		"grant_types": []string{"urn:ietf:params:oauth:grant-type:device_code", "refresh_token"}, "scope": "openid offline_access",
		"token_endpoint_auth_method": "none", "redirect_uris": []string{},
	}
	for name, v := range changes {
		m[name] = v
	}
	return m
}

// DeviceForm is what a device asks with.
func DeviceForm() url.Values { return url.Values{"scope": {"openid offline_access"}} }

// PollForm is the form that a device polls with.
func PollForm(deviceCode string) url.Values {
	return url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "device_code": {deviceCode}}
}

// Device lets a device of the client ask for codes.
func (h *Hub) Device(t testing.TB, clientID, secret string) Answer {
	t.Helper()
	a := h.PostForm(t, "/device_authorization", clientID, secret, DeviceForm())
	if a.Status != 200 || a.Text("device_code") == "" {
		t.Fatalf("device authorization: %d %s", a.Status, a.Raw)
	}
	return a
}

// Poll asks for the tokens of a public client's device.
func (h *Hub) Poll(t testing.TB, deviceCode string) Answer {
	t.Helper()
	return h.PostForm(t, "/token", DeviceID, "", PollForm(deviceCode))
}

// EnterCode types a code on the device page; with request it is the rest of the code, after a link.
func (b *Browser) EnterCode(code, request string) Page {
	b.t.Helper()
	form := url.Values{"user_code": {code}}
	if request != "" {
		form.Set("request", request)
	}
	return b.Post("/device", form)
}

// OwnDevice says on the page after the code whether the device is the citizen's own.
func (b *Browser) OwnDevice(p Page, decision string) Page {
	b.t.Helper()
	return b.Post("/device/confirm", url.Values{"tx": {p.Tx()}, "decision": {decision}})
}

// Approve takes a code all the way: typed, own, card, folder and consent.
func (b *Browser) Approve(code, card string) Page {
	b.t.Helper()
	return b.SignIn(b.OwnDevice(b.EnterCode(code, ""), "yes"), card)
}
