package idp_test

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/federation"
	"github.com/tsunagu-id/tsunagu/idp"
	"github.com/tsunagu-id/tsunagu/idp/idptest"
	"github.com/tsunagu-id/tsunagu/internal/ephemeral"
	"github.com/tsunagu-id/tsunagu/internal/ephemeral/ephemeraltest"
)

func probeID() string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// appMetadata is a version of the confidential client, under another id if one is given.
func appMetadata(t *testing.T, id string) ([]byte, *clients.Client) {
	t.Helper()
	b, err := json.Marshal(map[string]any{
		"client_id": id, "client_name": "試験サービス", "operator": "試験の運営者", "redirect_uris": []string{idptest.RedirectURI},
		"grant_types": []string{"authorization_code", "refresh_token"}, "scope": "openid offline_access link", "token_endpoint_auth_method": "client_secret_basic",
		"backchannel_logout_uri": "https://app.example/logout", "initiate_login_uri": "https://app.example/start",
	})
	if err != nil {
		t.Fatal(err)
	}
	c, err := clients.Candidate(b)
	if err != nil {
		t.Fatal(err)
	}
	return b, c
}

func beginProbe(t *testing.T, h *idptest.Hub, id string) idp.Probe {
	t.Helper()
	metadata, c := appMetadata(t, id)
	probe, err := h.Prober().BeginProbe(t.Context(), probeID(), c, metadata)
	if err != nil {
		t.Fatal(err)
	}
	return probe
}

// probeCode is a code for a person of the probe.
func probeCode(t *testing.T, h *idptest.Hub, probe idp.Probe, r idptest.Request, flaw idp.ProbeFlaw) string {
	t.Helper()
	asked, err := h.Prober().ReadProbe(t.Context(), probe, h.Issuer+r.Path())
	if err != nil {
		t.Fatal(err)
	}
	code, _, err := h.Prober().ProbeCode(t.Context(), probe, asked, 0, flaw)
	if err != nil {
		t.Fatal(err)
	}
	return code
}

func probedClaims(t *testing.T, token string) (claims struct {
	Subject  string `json:"sub"`
	Audience string `json:"aud"`
	Nonce    string `json:"nonce"`
	Expires  int64  `json:"exp"`
	SID      string `json:"sid"`
}) {
	t.Helper()
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(payload, &claims); err != nil {
		t.Fatal(err)
	}
	return claims
}

// TestOnlyAProbesOwnCodeBecomesASpoiltToken: each flaw is in the token of the code that was made for it; a citizen who signs in to the same
// client meanwhile, and a good code of the same probe, get what is right.
func TestOnlyAProbesOwnCodeBecomesASpoiltToken(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	probe := beginProbe(t, h, idptest.ClientID)
	redeem := func(flaw idp.ProbeFlaw) (idptest.Request, string) {
		r := idptest.NewRequest()
		a := h.Redeem(t, probeCode(t, h, probe, r, flaw), r)
		return r, a.Text("id_token")
	}
	right := func(r idptest.Request, token string) bool {
		c := probedClaims(t, token)
		_, err := h.Keys.Verify(token, "JWT", "ES256")
		return err == nil && c.Nonce == r.Params.Get("nonce") && c.Audience == idptest.ClientID && c.Expires > h.Now().Unix()
	}
	if r, token := redeem(idp.FlawNone); !right(r, token) || !strings.HasPrefix(probedClaims(t, token).Subject, "probe-") {
		t.Error("a good code of a probe did not become a good token about nobody")
	}
	if _, token := redeem(idp.FlawChallenge); token != "" {
		t.Error("a verifier that does not fit was good")
	}
	for _, flaw := range []idp.ProbeFlaw{idp.FlawNonce, idp.FlawAudience, idp.FlawExpired, idp.FlawSignature} {
		if r, token := redeem(flaw); token == "" || right(r, token) {
			t.Errorf("%s: the token is right, or none", flaw)
		}
	}
	if _, token := redeem(idp.FlawAudience); probedClaims(t, token).Audience != federation.NobodysAudience {
		t.Error("the wrong audience is somebody's")
	}
	r := idptest.NewRequest()
	token := h.Redeem(t, h.Code(t, h.Browser(t), r, "taro"), r).Text("id_token")
	if !right(r, token) || strings.HasPrefix(probedClaims(t, token).Subject, "probe-") {
		t.Error("a citizen's token is not as it always is")
	}
}

// TestNoGrantButAProbesIsSpoilt: whoever could write to the store, and marks the grant of a citizen as one of the running probe, has ended that
// grant; no token comes of it.
func TestNoGrantButAProbesIsSpoilt(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	probe := beginProbe(t, h, idptest.ClientID)
	r := idptest.NewRequest()
	code := h.Code(t, h.Browser(t), r, "taro")
	store, err := ephemeral.NewSQL(t.Context(), h.DB, h.Now)
	if err != nil {
		t.Fatal(err)
	}
	key := "grant:1:" + code[4:26]
	rec, err := store.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	var g map[string]any
	if err := json.Unmarshal(rec.Value, &g); err != nil {
		t.Fatal(err)
	}
	g["pb"] = map[string]string{"i": probe.ID, "f": string(idp.FlawNonce)}
	b, err := json.Marshal(g)
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Swap(t.Context(), key, rec.Version, b, time.Minute); err != nil {
		t.Fatal(err)
	}
	if a := h.Redeem(t, code, r); a.Status != http.StatusBadRequest || a.Text("error") != "invalid_grant" {
		t.Errorf("%d %s", a.Status, a.Raw)
	}
}

// TestAProbeEndsWithAllThatCameOfIt: codes, tokens and the right to make more; and while it lasts, its tokens open userinfo and nothing else.
func TestAProbeEndsWithAllThatCameOfIt(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	probe := beginProbe(t, h, idptest.ClientID)
	r, later := idptest.NewRequest("scope", "openid offline_access link"), idptest.NewRequest()
	a := h.Redeem(t, probeCode(t, h, probe, r, idp.FlawNone), r)
	access, unspent := a.Text("access_token"), probeCode(t, h, probe, later, idp.FlawNone)
	if u := h.Bearer(t, http.MethodGet, "/userinfo", access); u.Status != http.StatusOK || u.Text("sub") != probedClaims(t, a.Text("id_token")).Subject {
		t.Errorf("%d %s", u.Status, u.Raw)
	}
	if l := h.JSON(t, http.MethodPut, "/api/link", access, `{"state":"linked","tie":"t1"}`); l.Status != http.StatusForbidden {
		t.Errorf("somebody who does not exist is linked: %d %s", l.Status, l.Raw)
	}
	asked, err := h.Prober().ReadProbe(t.Context(), probe, h.Issuer+idptest.NewRequest().Path())
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Prober().EndProbe(t.Context(), probe); err != nil {
		t.Fatal(err)
	}
	if u := h.Bearer(t, http.MethodGet, "/userinfo", access); u.Status != http.StatusUnauthorized {
		t.Errorf("%d %s", u.Status, u.Raw)
	}
	for _, form := range []url.Values{idptest.CodeForm(unspent, later), idptest.RefreshForm(a.Text("refresh_token"))} {
		if a := h.PostForm(t, "/token", idptest.ClientID, idptest.Secret, form); a.Text("error") != "invalid_grant" {
			t.Errorf("%s: %d %s", form.Get("grant_type"), a.Status, a.Raw)
		}
	}
	for name, do := range map[string]func(ctx context.Context) error{
		"read": func(ctx context.Context) error {
			_, err := h.Prober().ReadProbe(ctx, probe, h.Issuer+later.Path())
			return err
		},
		"code": func(ctx context.Context) error {
			_, _, err := h.Prober().ProbeCode(ctx, probe, asked, 0, "")
			return err
		},
		"answer": func(ctx context.Context) error {
			_, err := h.Prober().ProbeAnswer(ctx, probe, asked, url.Values{})
			return err
		},
		"logout": func(ctx context.Context) error { _, err := h.Prober().ProbeLogout(ctx, probe, 0, ""); return err },
	} {
		if err := do(t.Context()); !errors.Is(err, idp.ErrNoProbe) {
			t.Errorf("%s after its end: %v", name, err)
		}
	}
	// The next probe of the client has no right to what was asked in the last one's time by another client.
	other := beginProbe(t, h, "draft")
	if _, _, err := h.Prober().ProbeCode(t.Context(), other, asked, 0, ""); err == nil {
		t.Error("a code for a request of another client")
	}
	var n int
	if err := h.DB.QueryRow(t.Context(), `SELECT (SELECT COUNT(*) FROM account) + (SELECT COUNT(*) FROM federation_subject) + (SELECT COUNT(*) FROM federation_link)
		+ (SELECT COUNT(*) FROM session_service) + (SELECT COUNT(*) FROM logout_delivery) + (SELECT COUNT(*) FROM signal_event) + (SELECT COUNT(*) FROM notice)
		+ (SELECT COUNT(*) FROM card_watch) + (SELECT COUNT(*) FROM status_entry) + (SELECT COUNT(*) FROM audit_event WHERE account <> '')`).Scan(&n); err != nil || n != 0 {
		t.Errorf("people who do not exist have %d rows, %v", n, err)
	}
}

// TestAClientThatWasNeverLiveIsKnownToItsProbeAlone: nobody is sent to it, and it gets no other token, neither while it is probed nor after.
func TestAClientThatWasNeverLiveIsKnownToItsProbeAlone(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	if _, err := h.Clients.Draft(t.Context(), clients.NewClient{Writing: clients.Writing{Document: first(appMetadata(t, "draft")), By: "hanako"}}); err != nil {
		t.Fatal(err)
	}
	_, made, err := h.Clients.MakeSecret(t.Context(), "draft", clients.NextSecret{By: "hanako"})
	if err != nil {
		t.Fatal(err)
	}
	secret := string(made.Reveal())
	push := func() idptest.Answer {
		return h.PostForm(t, "/par", "draft", secret, idptest.NewRequest("client_id", "draft").Params)
	}
	if a := push(); a.Text("error") != "invalid_client" {
		t.Errorf("before its probe: %d %s", a.Status, a.Raw)
	}
	probe := beginProbe(t, h, "draft")
	a := push()
	if a.Status != http.StatusCreated {
		t.Fatalf("%d %s", a.Status, a.Raw)
	}
	asked, err := h.Prober().ReadProbe(t.Context(), probe, h.Issuer+"/authorize?"+url.Values{"client_id": {"draft"}, "request_uri": {a.Text("request_uri")}}.Encode())
	if err != nil || !asked.Pushed {
		t.Errorf("%+v %v", asked, err)
	}
	r := idptest.NewRequest("client_id", "draft")
	for _, address := range []string{r.Path(), "/authorize?" + url.Values{"client_id": {"draft"}, "request_uri": {a.Text("request_uri")}}.Encode()} {
		if page := h.Browser(t).Get(address); page.Error() != "unknown_client" {
			t.Errorf("a citizen is sent on: %d %s", page.Status, page.Error())
		}
	}
	if a := h.PostForm(t, "/token", "draft", secret, url.Values{"grant_type": {"client_credentials"}}); a.Text("error") != "unauthorized_client" {
		t.Errorf("%d %s", a.Status, a.Raw)
	}
	answer := h.PostForm(t, "/token", "draft", secret, idptest.CodeForm(probeCode(t, h, probe, r, ""), r))
	if answer.Status != http.StatusOK {
		t.Fatalf("%d %s", answer.Status, answer.Raw)
	}
	if a := h.PostForm(t, "/token", "draft", secret, idptest.RefreshForm(answer.Text("refresh_token"))); a.Text("error") != "unauthorized_client" {
		t.Errorf("%d %s", a.Status, a.Raw)
	}
	if a := h.PostForm(t, "/introspect", "draft", secret, url.Values{"token": {answer.Text("access_token")}}); a.Text("error") != "invalid_client" {
		t.Errorf("%d %s", a.Status, a.Raw)
	}
	if a := h.PostForm(t, "/token", "draft", "wrong-"+secret, idptest.CodeForm(probeCode(t, h, probe, idptest.NewRequest("client_id", "draft"), ""), r)); a.Text("error") != "invalid_client" {
		t.Errorf("%d %s", a.Status, a.Raw)
	}
	if err := h.Prober().EndProbe(t.Context(), probe); err != nil {
		t.Fatal(err)
	}
	if a := push(); a.Text("error") != "invalid_client" {
		t.Errorf("after its probe: %d %s", a.Status, a.Raw)
	}
}

func first(b []byte, _ *clients.Client) []byte { return b }

// TestOneProbeOfAClientAtATime: of a hundred that begin at once one does, on every store; and the end of one that is over ends no other.
func TestOneProbeOfAClientAtATime(t *testing.T) {
	ephemeraltest.Each(t, func(t *testing.T, store ephemeral.Store) {
		h := idptest.Start(t, idptest.Options{Transient: store})
		metadata, c := appMetadata(t, idptest.ClientID)
		var began atomic.Int64
		var wg sync.WaitGroup
		probes := make(chan idp.Probe, crowd)
		for range crowd {
			wg.Go(func() {
				probe, err := h.Prober().BeginProbe(t.Context(), probeID(), c, metadata)
				switch {
				case err == nil:
					began.Add(1)
					probes <- probe
				case !errors.Is(err, idp.ErrProbing):
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if began.Load() != 1 {
			t.Fatalf("%d began", began.Load())
		}
		if err := h.Prober().EndProbe(t.Context(), idp.Probe{ID: probeID(), Client: c}); err != nil {
			t.Error(err)
		}
		probe := <-probes
		if _, err := h.Prober().ProbeLogout(t.Context(), probe, 0, ""); err != nil {
			t.Errorf("ended by another: %v", err)
		}
	})
}
