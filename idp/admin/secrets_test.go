package admin_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/tsunagu-id/tsunagu/clients/adminapi"
	"github.com/tsunagu-id/tsunagu/idp/admin/admintest"
	"github.com/tsunagu-id/tsunagu/idp/idptest"
)

// TestASecretIsShownOnce: in the answer that made it, and nowhere else; the old one goes on beside it, until it is ended.
func TestASecretIsShownOnce(t *testing.T) {
	h := admintest.Start(t, idptest.Options{})
	hanako, _ := h.Operator(t, "hanako", "", adminapi.Editor)
	const at = "/api/clients/" + admintest.ProgramID
	works := func(secret string) bool {
		a := h.PostForm(t, "/token", admintest.ProgramID, secret, url.Values{"grant_type": {"client_credentials"}})
		return a.Status == http.StatusOK
	}
	var made adminapi.MadeSecret
	h.Call(t, hanako, http.MethodPost, at+"/secrets", adminapi.NewSecret{OverlapHours: 24}).Into(t, &made)
	if len(made.Value) < 43 || made.State != "current" || !works(made.Value) || !works(idptest.Secret) {
		t.Fatalf("%+v", made.Secret)
	}
	shown := h.Call(t, hanako, http.MethodGet, at, nil)
	var d adminapi.ClientDetail
	if shown.Into(t, &d); len(d.Secrets) != 2 || d.Secrets[0].ID != made.ID || d.Secrets[1].State != "ending" || strings.Contains(string(shown.Body), made.Value) {
		t.Fatalf("%s", shown.Body)
	}
	if a := h.Call(t, hanako, http.MethodDelete, at+"/secrets/"+d.Secrets[1].ID, nil); a.Status != http.StatusNoContent || works(idptest.Secret) || !works(made.Value) {
		t.Errorf("the old one is not ended: %d %s", a.Status, a.Body)
	}
	if p := h.Call(t, hanako, http.MethodDelete, at+"/secrets/none", nil).Problem(t); p.Reason != adminapi.NotFound {
		t.Errorf("%+v", p)
	}
}
