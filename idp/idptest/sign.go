package idptest

import (
	"errors"
	"net/url"
	"strings"

	"github.com/tsunagu-id/tsunagu/cardauth/agent"
	"github.com/tsunagu-id/tsunagu/cardauth/cardtest"
	"github.com/tsunagu-id/tsunagu/cardauth/jpki"
)

// SignatureRequest presses the button on the page that asks for a signature, and returns the request's address.
func (b *Browser) SignatureRequest(p Page) string {
	b.t.Helper()
	to := b.Post("/sign/card", url.Values{"tx": {p.Tx()}})
	at := to.URL.Query().Get("request")
	if at == "" || !strings.HasPrefix(to.URL.String(), b.hub.AgentURL+"/sign?") {
		b.t.Fatalf("no signature request: %d %s %s", to.Status, to.URL, to.Error())
	}
	return at
}

// CardSign lets a card sign what a request asks for, and returns the address the card app sends the browser to.
func (b *Browser) CardSign(request, card string) string {
	b.t.Helper()
	password, err := jpki.ParsePassword(cardtest.DemoPassword)
	must(b.t, err)
	uri, err := b.hub.Agent.Sign(b.t.Context(), request, card, password)
	must(b.t, err)
	return uri
}

// RefusedSign lets a card sign what the hub then refuses, and returns the hub's word and the address it sends the browser to.
func (b *Browser) RefusedSign(request, card string) (word, returnURI string) {
	b.t.Helper()
	password, err := jpki.ParsePassword(cardtest.DemoPassword)
	must(b.t, err)
	_, err = b.hub.Agent.Sign(b.t.Context(), request, card, password)
	refused, ok := errors.AsType[*agent.Refusal](err)
	if !ok {
		b.t.Fatalf("not refused by the hub: %v", err)
	}
	return refused.Word, refused.ReturnURI
}
