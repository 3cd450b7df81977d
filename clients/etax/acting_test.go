package etax

import (
	"strings"
	"testing"

	"github.com/tsunagu-id/tsunagu/clients/rp/rptest"
)

// TestRepresentativePreparesAndTheTaxpayerSees: she looks and writes, and signs, sends and unties nothing.
func TestRepresentativePreparesAndTheTaxpayerSees(t *testing.T) {
	w := newWorld(t)
	w.signs(nil)
	taro, draft := drafted(t, w)
	w.hub.Set(func(s *rptest.Settings) {
		s.Claims = func(c map[string]any) { c["act"] = map[string]string{"sub": "hanako-at-etax"} }
	})
	hanako := w.browser()
	home := hanako.get("/login?return=/home")
	if home.URL.Path != "/home" || !home.Has(`data-acting`) || home.Has(`id="unlink"`) {
		t.Fatalf("at %s with %q", home.URL, home.Error())
	}
	hanako.get("/returns/new")
	page := hanako.post("/returns/new", "salary", "6000000", "withheld", "120000", "social", "700000", "medical", "")
	if !strings.HasPrefix(page.URL.Path, "/returns/") || !page.Has(`id="return-herself"`, `data-by="representative"`) || page.Has(`id="return-send"`) {
		t.Fatalf("at %s with %q: %s", page.URL, page.Error(), page.Body)
	}
	for _, at := range []string{draft.URL.Path + "/send", draft.URL.Path + "/collect", "/unlink", "/bind"} {
		if p := hanako.post(at); p.Error() != "only_herself" || p.Status != 403 {
			t.Errorf("%s: %d %q", at, p.Status, p.Error())
		}
	}
	if p := taro.get(draft.URL.Path); !p.Has(`data-by="representative"`, `id="return-send"`) || p.Has(`data-acting`) {
		t.Errorf("the taxpayer sees %s", p.Body)
	}
	// A page of his own that is sent while she acts is not hers.
	if p := taro.get("/home"); p.Has("data-acting") {
		t.Error("the taxpayer is told that he acts for somebody")
	}
}
