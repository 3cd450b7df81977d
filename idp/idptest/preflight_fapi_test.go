package idptest_test

import (
	"encoding/json"
	"log/slog"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/clients/adminapi"
	"github.com/tsunagu-id/tsunagu/clients/portal"
	"github.com/tsunagu-id/tsunagu/internal/sqldb/sqldbtest"
)

// TestAFAPI2ServiceIsTriedWhole: the portal, of profile fapi2, which pushes its requests and binds its tokens with DPoP, is tried from end to end.
func TestAFAPI2ServiceIsTriedWhole(t *testing.T) {
	t.Parallel()
	h, l := hubFor(t)
	p := newProbed(t, h.Hub, l)
	var err error
	p.metadata, err = portal.Registration("portal-next", p.base, p.key.JWKS(), true)
	must(t, err)
	site, err := portal.New(t.Context(), portal.Config{
		Issuer: p.Issuer, BaseURL: p.base, ClientID: "portal-next", Credential: p.key, DB: sqldbtest.Open(t), Now: time.Now, Log: slog.New(slog.DiscardHandler),
	})
	must(t, err)
	p.answer(t, site.Handler())
	r := p.report(t)
	if r.State != "done" || r.Verdict != adminapi.Green {
		b, _ := json.MarshalIndent(r, "", " ")
		t.Errorf("%s", b)
	}
	for _, f := range r.Findings {
		if f.Verdict != adminapi.Green && !(f.Verdict == adminapi.Skipped && f.Probe == "tls") {
			t.Errorf("%s: %s %s", f.Probe, f.Verdict, f.GotEN)
		}
	}
}
