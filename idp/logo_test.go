package idp_test

import (
	"bytes"
	"image"
	"image/png"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/idp/idptest"
)

// A logo that operators uploaded is on the page where a citizen signs in, from the hub itself, and may be kept by browsers for ever.
func TestUploadedLogoIsServedByTheHub(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	ctx := t.Context()
	var picture bytes.Buffer
	must(t, png.Encode(&picture, image.NewNRGBA(image.Rect(0, 0, 64, 64))))
	saved, err := h.Clients.SetLogo(ctx, idptest.PublicID, 0, picture.Bytes(), "op_1")
	must(t, err)
	must(t, h.Clients.Request(ctx, idptest.PublicID, saved.Draft.Revision, "op_1"))
	must(t, h.Clients.Approve(ctx, idptest.PublicID, clients.Approval{Revision: saved.Draft.Revision, By: "op_2"}))
	c, err := h.Clients.Get(ctx, idptest.PublicID)
	must(t, err)

	login := h.Browser(t).Get(idptest.NewRequest("client_id", idptest.PublicID, "redirect_uri", idptest.PublicURI, "scope", "openid").Path())
	if !strings.Contains(login.Body, `<img class="service-logo" src="`+c.Logo()+`" alt="">`) {
		t.Errorf("no logo on the page: %s", login.Body)
	}
	get := func(path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		h.Handler().ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, path, http.NoBody))
		return w
	}
	w := get(c.Logo())
	if _, err := png.Decode(w.Body); err != nil || w.Code != http.StatusOK || w.Header().Get("Content-Type") != "image/png" ||
		!strings.Contains(w.Header().Get("Cache-Control"), "immutable") || !strings.Contains(w.Header().Get("Content-Security-Policy"), "default-src 'none'") {
		t.Errorf("%d %v, %v", w.Code, w.Header(), err)
	}
	for _, path := range []string{"/logos/" + strings.Repeat("0", 64) + ".png", "/logos/x", strings.TrimSuffix(c.Logo(), ".png")} {
		if w := get(path); w.Code != http.StatusNotFound || strings.Contains(w.Header().Get("Cache-Control"), "max-age") {
			t.Errorf("%s: %d %v", path, w.Code, w.Header())
		}
	}
}
