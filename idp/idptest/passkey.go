package idptest

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"testing"

	"github.com/tsunagu-id/tsunagu/idp/passkey/passkeytest"
)

var (
	optionsData = regexp.MustCompile(`data-options="([^"]*)"`)
	challenges  = regexp.MustCompile(`name="challenge" value="([^"]*)"`)
)

// PasskeyOptions returns what a page hands to the authenticator, and the challenge it sends along.
func (p Page) PasskeyOptions() (options []byte, challenge string) {
	o, c := optionsData.FindStringSubmatch(p.Body), challenges.FindStringSubmatch(p.Body)
	if o == nil || c == nil {
		return nil, ""
	}
	return []byte(html.UnescapeString(o[1])), c[1]
}

// Authenticator returns an authenticator in a browser that shows the hub's pages.
func (h *Hub) Authenticator() *passkeytest.Device { return &passkeytest.Device{Origin: h.Issuer} }

// AddPasskey has the authenticator make a passkey under the name, where the card was used a moment ago.
func (b *Browser) AddPasskey(d *passkeytest.Device, name string) Page {
	b.t.Helper()
	return b.Post("/account/passkeys/new", b.NewPasskey(d, name))
}

// NewPasskey is the form that AddPasskey posts.
func (b *Browser) NewPasskey(d *passkeytest.Device, name string) url.Values {
	b.t.Helper()
	page := b.Get("/account/passkeys/new")
	options, challenge := page.PasskeyOptions()
	if options == nil {
		b.t.Fatalf("no page to add a passkey: %d %s %s", page.Status, page.URL, page.Error())
	}
	credential, err := d.Create(options)
	must(b.t, err)
	return url.Values{"challenge": {challenge}, "credential": {string(credential)}, "name": {name}}
}

// PasskeyForm opens the page behind #passkey-login of a login page and returns the form that its script would post.
func (b *Browser) PasskeyForm(login Page, d *passkeytest.Device) url.Values {
	b.t.Helper()
	page := b.Get("/login/passkey?" + url.Values{"tx": {login.Tx()}}.Encode())
	options, challenge := page.PasskeyOptions()
	if options == nil {
		b.t.Fatalf("no page to use a passkey: %d %s %s", page.Status, page.URL, page.Error())
	}
	credential, err := d.Get(options)
	must(b.t, err)
	return url.Values{"tx": {login.Tx()}, "challenge": {challenge}, "credential": {string(credential)}}
}

// PasskeyLogin takes a login page as far as a passkey does.
func (b *Browser) PasskeyLogin(login Page, d *passkeytest.Device) Page {
	b.t.Helper()
	return b.Post("/login/passkey", b.PasskeyForm(login, d))
}

// WithPasskey returns an authenticator that has a passkey of the card's owner, made in a browser that is left signed in.
func (h *Hub) WithPasskey(t testing.TB, card string) (*Browser, *passkeytest.Device) {
	t.Helper()
	b, d := h.Browser(t), h.Authenticator()
	if p := b.SignIn(b.Get("/account"), card); p.URL.Path != "/account" {
		t.Fatalf("signed in to %s", p.URL)
	}
	if p := b.AddPasskey(d, "試験の端末"); p.Status != http.StatusOK || p.URL.Path != "/account/passkeys" {
		t.Fatalf("add a passkey: %d %s %s", p.Status, p.URL, p.Error())
	}
	return b, d
}
