package idp_test

import (
	"net/http"
	"testing"

	"github.com/tsunagu-id/tsunagu/idp"
	"github.com/tsunagu-id/tsunagu/idp/idptest"
)

// TestAProbesTokenIsNotExchanged: a live service that may exchange tokens and is being probed gets none for another service, and nobody who does not
// exist gets a name there.
func TestAProbesTokenIsNotExchanged(t *testing.T) {
	h := idptest.Start(t, idptest.Options{Clients: resourceClients()})
	front, err := h.Clients.Get(t.Context(), "front")
	if err != nil {
		t.Fatal(err)
	}
	probe, err := h.Prober().BeginProbe(t.Context(), probeID(), front, []byte(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	r := frontRequest()
	tokens := h.PostForm(t, "/token", "front", idptest.Secret, idptest.CodeForm(probeCode(t, h, probe, r, idp.FlawNone), r))
	if tokens.Status != http.StatusOK {
		t.Fatalf("%d %s", tokens.Status, tokens.Raw)
	}
	a := h.PostForm(t, "/token", "front", idptest.Secret, exchangeForm(tokens.Text("access_token"), healthAPI))
	if a.Status != http.StatusBadRequest || a.Text("error") != "invalid_request" {
		t.Errorf("%d %s", a.Status, a.Raw)
	}
	if told := h.PostForm(t, "/introspect", "health", idptest.Secret, map[string][]string{"token": {tokens.Text("access_token")}}); told.JSON["active"] != false {
		t.Errorf("another service is told of it: %s", told.Raw)
	}
	var n int
	if err := h.DB.QueryRow(t.Context(), `SELECT (SELECT COUNT(*) FROM federation_subject) + (SELECT COUNT(*) FROM audit_event WHERE kind = 'token.exchanged')`).Scan(&n); err != nil || n != 0 {
		t.Errorf("people who do not exist left %d rows, %v", n, err)
	}
}
