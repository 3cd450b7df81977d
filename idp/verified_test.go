package idp_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/cardauth"
	"github.com/tsunagu-id/tsunagu/cardauth/cardtest"
	"github.com/tsunagu-id/tsunagu/idp/idptest"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
	"github.com/tsunagu-id/tsunagu/internal/sqldb/sqldbtest"
)

const (
	jpkiFramework = "urn:tsunagu:trust-framework:jpki"
	everyVerified = "verified:name verified:address verified:birthdate verified:gender"
	// askEvery asks for all there is, and all there is to know of it, in one place of a claims parameter.
	askEvery = `{"verified_claims":{"verification":{"trust_framework":null,"time":null,"evidence":[{"type":{"value":"electronic_signature"},` +
		`"signature_type":null,"issuer":null,"serial_number":null,"created_at":null}]},` +
		`"claims":{"name":null,"address":null,"birthdate":null,"gender":null,"urn:tsunagu:claim:substitutes":null,"nickname":null}}}`
)

// verifyingClient may be given what the card says.
func verifyingClient(changes map[string]any) map[string]any {
	m := map[string]any{"scope": "openid profile offline_access " + everyVerified}
	for k, v := range changes {
		m[k] = v
	}
	return detailsClient(m)
}

// confirmed has a browser's citizen confirm with a card, and returns the note of the page she comes back to.
func confirmed(t testing.TB, b *idptest.Browser, card string) string {
	t.Helper()
	p := b.Post("/account/details/confirmed", nil)
	at := p.URL.Query().Get("request")
	if at == "" {
		t.Fatalf("not asked to confirm: %d %s %s", p.Status, p.URL, p.Error())
	}
	back := b.Get(b.CardSign(at, card))
	if back.URL.Path != "/account/details/confirmed" || back.Status != http.StatusOK {
		t.Fatalf("back at %d %s", back.Status, back.URL)
	}
	return back.URL.Query().Get("note")
}

// verifiedIn returns verified claims of an answer: the element, its verification and its claims. All nil: there are none.
func verifiedIn(t testing.TB, answer map[string]any) (how, claims map[string]any) {
	t.Helper()
	raw, there := answer["verified_claims"]
	if !there {
		return nil, nil
	}
	one, ok := raw.(map[string]any)
	how, okHow := one["verification"].(map[string]any)
	claims, okClaims := one["claims"].(map[string]any)
	if !ok || !okHow || !okClaims || len(one) != 2 || len(claims) == 0 {
		t.Fatalf("verified_claims %v", raw)
	}
	return how, claims
}

func in(place, asks string) string { return `{"` + place + `":` + asks + `}` }

// TestVerifiedClaimsAsTheCertificateStatesThem: confirmed once, asked for, agreed to: exactly what was asked for is in the place where it was
// asked for, and what the citizen wrote of herself is not in it.
func TestVerifiedClaimsAsTheCertificateStatesThem(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		h := idptest.Start(t, idptest.Options{DB: db, Clients: []map[string]any{verifyingClient(nil)}})
		s := signedInAt{t, h, atHome(t, h, "taro")}
		s.b.Post("/account/details", detailsForm("name", "自称 太郎", "birthdate", "2001-01-01", "gender", "other"))
		if note := confirmed(t, s.b, "taro"); note != "done" {
			t.Fatalf("confirmed: %q", note)
		}
		tokens := s.tokens(detailsRequest("openid profile", "claims", `{"userinfo":`+askEvery+`,"id_token":`+askEvery+`}`))
		info := h.Bearer(t, http.MethodGet, "/userinfo", tokens.Text("access_token")).JSON
		for place, answer := range map[string]map[string]any{"userinfo": info, "ID token": idClaims(t, tokens.Text("id_token"))} {
			how, claims := verifiedIn(t, answer)
			if got := jsonOf(t, claims); !strings.HasPrefix(got, `{"address":{"formatted":"`) || len(claims) != 5 || claims["birthdate"] != "1980-02-17" ||
				claims["gender"] != "male" || !strings.Contains(got, `"urn:tsunagu:claim:substitutes":{"address":false,"name":false}`) || strings.Contains(got, "自称") {
				t.Errorf("%s: claims %s", place, got)
			}
			evidence, _ := how["evidence"].([]any)
			if len(how) != 3 || how["trust_framework"] != jpkiFramework || len(evidence) != 1 {
				t.Fatalf("%s: verification %v", place, how)
			}
			one, _ := evidence[0].(map[string]any)
			issuer, _ := one["issuer"].(string)
			if len(one) != 4 || one["type"] != "electronic_signature" || one["signature_type"] != "urn:tsunagu:signature-type:jpki-sign" ||
				!strings.Contains(issuer, "JPKI for digital signature") {
				t.Errorf("%s: evidence %v", place, one)
			}
			for _, moment := range []any{how["time"], one["created_at"]} {
				text, _ := moment.(string)
				if at, err := time.Parse("2006-01-02T15:04:05Z", text); err != nil || time.Since(at).Abs() > 5*time.Minute {
					t.Errorf("%s: %v", place, moment)
				}
			}
		}
		if info["name"] != "自称 太郎" || info["birthdate"] != "2001-01-01" || info["gender"] != "other" {
			t.Errorf("what the citizen wrote became %v", info)
		}
		if n := auditedTimes(t, h.DB, "account.attributes_confirmed"); n != 1 {
			t.Errorf("%d audit rows", n)
		}
	})
}

// TestVerifiedClaimsOnlyAsAsked: not asked, not given; each restriction is kept, and none is an error (OpenID Connect for Identity
// Assurance 1.0 §5.5, §5.7).
func TestVerifiedClaimsOnlyAsAsked(t *testing.T) {
	c := newClock()
	h := idptest.Start(t, idptest.Options{Now: c.now, Clients: []map[string]any{verifyingClient(nil)}})
	s := signedInAt{t, h, atHome(t, h, "taro")}
	if note := confirmed(t, s.b, "taro"); note != "done" {
		t.Fatalf("confirmed: %q", note)
	}
	c.advance(time.Minute)
	how := func(members, claims string) string {
		return `{"verified_claims":{"verification":{` + members + `},"claims":{` + claims + `}}}`
	}
	const plain = `"trust_framework":null`
	for _, tt := range []struct{ name, asks, want string }{
		{"nothing", `{}`, ``},
		{"one claim", how(plain, `"birthdate":null`), `{"claims":{"birthdate":"1980-02-17"},"verification":{"trust_framework":"` + jpkiFramework + `"}}`},
		{"the framework by name", how(`"trust_framework":{"value":"`+jpkiFramework+`"}`, `"gender":{"essential":true}`), `{"claims":{"gender":"male"},"verification":{"trust_framework":"` + jpkiFramework + `"}}`},
		{"one of two frameworks", how(`"trust_framework":{"values":["eidas","`+jpkiFramework+`"]}`, `"gender":{"purpose":"tax"}`), `{"claims":{"gender":"male"},"verification":{"trust_framework":"` + jpkiFramework + `"}}`},
		{"another framework", how(`"trust_framework":{"value":"jp_aml"}`, `"gender":null`), ``},
		{"the value it is", how(plain, `"gender":{"value":"male"}`), `{"claims":{"gender":"male"},"verification":{"trust_framework":"` + jpkiFramework + `"}}`},
		{"another value", how(plain, `"gender":{"value":"female"},"birthdate":null`), `{"claims":{"birthdate":"1980-02-17"},"verification":{"trust_framework":"` + jpkiFramework + `"}}`},
		{"another value alone", how(plain, `"gender":{"value":"female"}`), ``},
		{"a claim that nobody has", how(plain, `"nationalities":null,"place_of_birth":{"essential":true},"given_name":null`), ``},
		{"young enough", how(plain+`,"time":{"max_age":61}`, `"gender":null`), `"time":"`},
		{"too old", how(plain+`,"time":{"max_age":59}`, `"gender":null`), ``},
		{"evidence too old", how(plain+`,"evidence":[{"type":{"value":"electronic_signature"},"created_at":{"max_age":1}}]`, `"gender":null`), ``},
		{"other evidence", how(plain+`,"evidence":[{"type":{"value":"document"},"method":null}]`, `"gender":null`), ``},
		{"either evidence", how(plain+`,"evidence":[{"type":{"value":"document"}},{"type":{"value":"electronic_signature"}}]`, `"gender":null`), `"evidence":[{"type":"electronic_signature"}]`},
		{"another kind of signature", how(plain+`,"evidence":[{"type":{"value":"electronic_signature"},"signature_type":{"value":"qes"}}]`, `"gender":null`), ``},
		{"a certain certificate", how(plain+`,"evidence":[{"type":{"value":"electronic_signature"},"serial_number":{"value":"1"}}]`, `"gender":null`), ``},
		{"a level", how(plain+`,"assurance_level":{"value":"high"}`, `"gender":null`), ``},
		{"a level, if there is one", how(plain+`,"assurance_level":null,"assurance_process":{"policy":null}`, `"gender":null`), `{"claims":{"gender":"male"},"verification":{"trust_framework":"` + jpkiFramework + `"}}`},
		{"a policy, deep inside", how(plain+`,"assurance_process":{"policy":{"value":"x"}}`, `"gender":null`), ``},
		{"a list", `{"verified_claims":[{"verification":{"trust_framework":null},"claims":{"gender":null}},{"verification":{"trust_framework":{"value":"eidas"}},"claims":{"name":null}}]}`,
			`[{"claims":{"gender":"male"},"verification":{"trust_framework":"` + jpkiFramework + `"}}]`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, place := range []string{"userinfo", "id_token"} {
				s := signedInAt{t, h, s.b}
				tokens := s.tokens(detailsRequest("openid", "claims", in(place, tt.asks)))
				answers := map[string]map[string]any{"userinfo": h.Bearer(t, http.MethodGet, "/userinfo", tokens.Text("access_token")).JSON, "id_token": idClaims(t, tokens.Text("id_token"))}
				got := ""
				if v, there := answers[place]["verified_claims"]; there {
					got = jsonOf(t, v)
				}
				if (tt.want == "") != (got == "") || !strings.Contains(got, tt.want) || strings.HasPrefix(tt.want, "{") && got != tt.want {
					t.Errorf("%s: %s, want %s", place, got, tt.want)
				}
				for elsewhere, answer := range answers {
					if elsewhere != place && answer["verified_claims"] != nil {
						t.Errorf("asked for in %s, given in %s", place, elsewhere)
					}
				}
			}
		})
	}
}

// TestVerifiedClaimsNeedConsent: of the citizen, for each claim and each service; the page shows the very values, and prompt=none asks nobody.
func TestVerifiedClaimsNeedConsent(t *testing.T) {
	other := verifyingClient(map[string]any{"client_id": "less", "scope": "openid verified:gender offline_access"})
	h := idptest.Start(t, idptest.Options{Clients: []map[string]any{verifyingClient(map[string]any{"purposes": map[string]any{"verified:gender": "統計のため"}}), other}})
	s := signedInAt{t, h, atHome(t, h, "taro")}
	if note := confirmed(t, s.b, "taro"); note != "done" {
		t.Fatalf("confirmed: %q", note)
	}
	one := detailsRequest("openid", "claims", `{"userinfo":{"verified_claims":{"verification":{"trust_framework":null},"claims":{"gender":null}}}}`)
	if p := s.b.Get(one.Path() + "&prompt=none"); p.URL.Query().Get("error") != "consent_required" {
		t.Errorf("prompt=none before consent: %s", p.URL)
	}
	p := s.b.Get(one.Path())
	if p.URL.Path != "/consent" || !strings.Contains(p.Body, `data-verified="good"`) || !strings.Contains(p.Body, `<p class="verified-value">男性</p>`) ||
		!strings.Contains(p.Body, "統計のため") || strings.Contains(p.Body, "1980-02-17") {
		t.Fatalf("consent: %d %s", p.Status, p.URL)
	}
	if p = s.b.Post("/consent", url.Values{"tx": {p.Tx()}, "decision": {"deny"}}); p.URL.Query().Get("error") != "access_denied" {
		t.Errorf("denied: %s", p.URL)
	}
	info := s.userinfo(one).JSON
	if _, claims := verifiedIn(t, info); len(claims) != 1 || claims["gender"] != "male" {
		t.Errorf("agreed: %v", info)
	}
	if p := s.b.Get(one.Path()); p.Body != "" {
		t.Errorf("asked again for the same: %s", p.URL)
	}
	both := detailsRequest("openid", "claims", `{"id_token":{"verified_claims":{"verification":{"trust_framework":null},"claims":{"gender":null,"name":null}}}}`)
	if p := s.b.Get(both.Path()); p.URL.Path != "/consent" {
		t.Errorf("not asked for another claim: %s", p.URL)
	}
	// Another service: not agreed to, and of what it is not registered for not asked.
	less := detailsRequest("openid", "client_id", "less", "claims", in("userinfo", askEvery))
	p = s.b.Get(less.Path())
	if p.URL.Path != "/consent" || strings.Contains(p.Body, "1980-02-17") || !strings.Contains(p.Body, "男性") {
		t.Fatalf("consent of the other service: %s", p.URL)
	}
	if got := h.PostForm(t, "/token", "less", "", idptest.CodeForm(s.b.Post("/consent", url.Values{"tx": {p.Tx()}, "decision": {"allow"}}).URL.Query().Get("code"), less)); got.Status == http.StatusOK {
		if _, claims := verifiedIn(t, h.Bearer(t, http.MethodGet, "/userinfo", got.Text("access_token")).JSON); len(claims) != 1 {
			t.Errorf("given more than registered for: %v", claims)
		}
	} else {
		t.Errorf("token: %d %s", got.Status, got.Raw)
	}
	// Taken from the registration, it is given no more, whatever was agreed to.
	tokens := s.tokens(one)
	reregister(t, h, verifyingClient(map[string]any{"scope": "openid profile offline_access"}))
	if got := h.Bearer(t, http.MethodGet, "/userinfo", tokens.Text("access_token")).JSON; got["verified_claims"] != nil {
		t.Errorf("after the registration shrank: %v", got)
	}
}

// TestVerifiedClaimsOfARevokedCertificate: a person who moves has her signature certificate revoked. From then on nothing is passed on, nor
// while nobody can say; the citizen's page says why and how to go on, and a new certificate replaces the old.
func TestVerifiedClaimsOfARevokedCertificate(t *testing.T) {
	c := newClock()
	h := idptest.Start(t, idptest.Options{Now: c.now, Own: true, Clients: []map[string]any{verifyingClient(nil)}})
	s := signedInAt{t, h, atHome(t, h, "taro")}
	if note := confirmed(t, s.b, "taro"); note != "done" {
		t.Fatalf("confirmed: %q", note)
	}
	r := detailsRequest("openid offline_access", "claims", `{"userinfo":`+askEvery+`,"id_token":`+askEvery+`}`)
	tokens := s.tokens(r)
	refresh := tokens.Text("refresh_token")
	given := func() bool {
		t.Helper()
		a := h.PostForm(t, "/token", detailsID, "", idptest.RefreshForm(refresh))
		if a.Status != http.StatusOK {
			t.Fatalf("refresh: %d %s", a.Status, a.Raw)
		}
		if next := a.Text("refresh_token"); next != "" {
			refresh = next
		}
		inToken := idClaims(t, a.Text("id_token"))["verified_claims"] != nil
		if atUserinfo := h.Bearer(t, http.MethodGet, "/userinfo", a.Text("access_token")).JSON["verified_claims"] != nil; atUserinfo != inToken {
			t.Errorf("userinfo %v, ID token %v", atUserinfo, inToken)
		}
		return inToken
	}
	if !given() {
		t.Fatal("not given at all")
	}
	_, serial, err := h.PKI.Drawer().Serials("taro")
	if err != nil {
		t.Fatal(err)
	}
	c.advance(time.Hour) // what the authority said before does not count any more
	h.Responder.BehaveOCSP(cardtest.OCSPServerError)
	h.Responder.BehaveCRL(cardtest.CRLMissing)
	if given() {
		t.Error("given while nobody can say whether the certificate counts")
	}
	h.Responder.BehaveOCSP(cardtest.OCSPGood)
	h.Responder.BehaveCRL(cardtest.CRLGood)
	c.advance(time.Hour)
	if !given() {
		t.Error("not given although the authority answers again")
	}
	if err := h.PKI.Sign().Revoke(serial, int(cardauth.AffiliationChanged)); err != nil {
		t.Fatal(err)
	}
	c.advance(time.Hour)
	if given() {
		t.Error("given although the certificate is revoked")
	}
	s.b = atHome(t, h, "taro")
	if p := s.b.Get("/account/details/confirmed"); !strings.Contains(p.Body, `data-standing="over"`) || !strings.Contains(p.Body, "市区町村の窓口で新しい署名用電子証明書") {
		t.Error("the page does not say what happened")
	}
}
