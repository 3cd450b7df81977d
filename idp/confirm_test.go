package idp_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/cardauth/cardtest"
	"github.com/tsunagu-id/tsunagu/idp/idptest"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
	"github.com/tsunagu-id/tsunagu/internal/sqldb/sqldbtest"
)

// TestOnlyTheOwnersCardConfirms: another person's signature certificate, a card that never signed in, and a time in which nobody can say whose
// card it is leave nothing behind; nor does a signature that comes back to another browser or another session.
func TestOnlyTheOwnersCardConfirms(t *testing.T) {
	c := newClock()
	h := idptest.Start(t, idptest.Options{Now: c.now})
	b := atHome(t, h, "taro")
	records := func() int { return rowsOf(t, h.DB, `SELECT count(*) FROM attestation`) }
	if note := confirmed(t, b, "hanako"); note != "signer_unknown" {
		t.Errorf("a card that never signed in: %q", note)
	}
	stranger := atHome(t, h, "hanako")
	if note := confirmed(t, b, "hanako"); note != "signer_other" {
		t.Errorf("another person's card: %q", note)
	}
	at := b.CardSign(b.Post("/account/details/confirmed", nil).URL.Query().Get("request"), "taro")
	if p := stranger.Get(at); p.Error() != "other_browser" {
		t.Errorf("another browser: %s %s", p.URL, p.Error())
	}
	at = b.CardSign(b.Post("/account/details/confirmed", nil).URL.Query().Get("request"), "taro")
	c.advance(time.Second)
	h.Code(t, b, idptest.NewRequest("prompt", "login"), "taro")
	if p := b.Get(at); p.Error() != "login_expired" {
		t.Errorf("another session: %s %s", p.URL, p.Error())
	}
	h.PKI.Linkage().Behave(cardtest.LinkageDown)
	if note := confirmed(t, b, "taro"); note != "signer_unchecked" {
		t.Errorf("linkage down: %q", note)
	}
	if n := records(); n != 0 {
		t.Fatalf("%d records", n)
	}
	h.PKI.Linkage().Behave(cardtest.LinkageGood)
	c.advance(10 * time.Second) // it was left alone
	if note := confirmed(t, b, "taro"); note != "done" || records() != 1 {
		t.Errorf("her own card: %q", note)
	}
	if p := stranger.Get("/account/details/confirmed"); strings.Contains(p.Body, "太郎") {
		t.Error("another citizen reads it")
	}
}

// TestConfirmedIsSealedShownAndRemoved: the database and the audit log hold no word of it; the page shows it beside what the citizen wrote, each
// with its source; one press takes it away.
func TestConfirmedIsSealedShownAndRemoved(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		h := idptest.Start(t, idptest.Options{DB: db})
		b := atHome(t, h, "taro")
		b.Post("/account/details", detailsForm("name", "自称 太郎", "birthdate", "1980-02-17", "address-region", "東京都", "address-locality", "千代田区",
			"address-street_address", "見本町1丁目2番3号"))
		for range 2 { // the newer replaces the older
			if note := confirmed(t, b, "taro"); note != "done" {
				t.Fatalf("confirmed: %q", note)
			}
		}
		p := b.Get("/account/details/confirmed")
		for _, want := range []string{`data-standing="good"`, "見本　太郎", "自称 太郎", "署名用電子証明書", "自分で書いたもの", "1980-02-17"} {
			if !strings.Contains(p.Body, want) {
				t.Errorf("the page lacks %s", want)
			}
		}
		if n := strings.Count(p.Body, "違いあり"); n != 1 { // the name; width and spaces make no difference
			t.Errorf("%d differences", n)
		}
		var source string
		var record []byte
		if err := db.QueryRow(t.Context(), `SELECT source, record FROM attestation`).Scan(&source, &record); err != nil || source != "jpki-sign" {
			t.Fatalf("%q, %v", source, err)
		}
		for _, word := range []string{"見本", "太郎", "東京都", "1980", "Year"} {
			if strings.Contains(string(record), word) {
				t.Errorf("%s lies open", word)
			}
		}
		if n := rowsOf(t, db, `SELECT count(*) FROM audit_event WHERE facts LIKE '%太郎%' OR facts LIKE '%1980%'`); n != 0 {
			t.Errorf("%d audit rows tell", n)
		}
		// In another person's place it does not open.
		stranger := atHome(t, h, "hanako")
		if _, err := db.Exec(t.Context(), `INSERT INTO attestation (account, source, record) SELECT account.id, attestation.source, attestation.record
			FROM account, attestation WHERE account.id <> attestation.account`); err != nil {
			t.Fatal(err)
		}
		if p := stranger.Get("/account/details/confirmed"); p.Status != http.StatusInternalServerError || strings.Contains(p.Body, "太郎") {
			t.Errorf("a moved record: %d", p.Status)
		}
		if p := b.Post("/account/details/confirmed/remove", nil); p.URL.Query().Get("note") != "removed" || strings.Contains(p.Body, "太郎") {
			t.Errorf("removed: %s", p.URL)
		}
		if n := rowsOf(t, db, `SELECT count(*) FROM attestation`); n != 1 { // the stranger's
			t.Errorf("%d records", n)
		}
	})
}

// TestConfirmedWhenAServiceAsks: what was never confirmed can be confirmed on the page where a service asks; without it the service gets
// nothing and the citizen goes on. Who insists has her asked again, once in a login, and never behind her back.
func TestConfirmedWhenAServiceAsks(t *testing.T) {
	h := idptest.Start(t, idptest.Options{Clients: []map[string]any{verifyingClient(nil)}})
	s := signedInAt{t, h, atHome(t, h, "taro")}
	wish := detailsRequest("openid", "claims", in("userinfo", askEvery))
	p := s.b.Get(wish.Path())
	if p.URL.Path != "/consent" || !strings.Contains(p.Body, `data-verified="none"`) || !strings.Contains(p.Body, `id="consent-confirm"`) {
		t.Fatalf("consent: %s", p.URL)
	}
	if info := s.userinfo(wish).JSON; info["verified_claims"] != nil {
		t.Fatalf("given without a card: %v", info)
	}
	insist := detailsRequest("openid", "claims", strings.Replace(in("userinfo", askEvery), `"name":null`, `"name":{"essential":true}`, 1))
	if q := s.b.Get(insist.Path() + "&prompt=none").URL.Query(); q.Get("code") == "" {
		t.Errorf("prompt=none: %v", q)
	}
	p = s.b.Get(insist.Path())
	if p.URL.Path != "/consent" {
		t.Fatalf("not asked: %s", p.URL)
	}
	request := func() string {
		t.Helper()
		at := s.b.Post("/consent/confirm", url.Values{"tx": {p.Tx()}}).URL.Query().Get("request")
		if at == "" {
			t.Fatal("not led to the card app")
		}
		return at
	}
	atHome(t, h, "hanako")
	if back := s.b.Get(s.b.CardSign(request(), "hanako")); back.URL.Path != "/consent" || back.URL.Query().Get("note") != "signer_other" {
		t.Fatalf("another's card: %s", back.URL)
	}
	back := s.b.Get(s.b.CardSign(request(), "taro"))
	if back.URL.Path != "/consent" || !strings.Contains(back.Body, `data-verified="good"`) || !strings.Contains(back.Body, "見本　太郎") {
		t.Fatalf("the values are not shown before they are given: %s", back.URL)
	}
	if q := s.b.Post("/consent", url.Values{"tx": {back.Tx()}, "decision": {"allow"}}).URL.Query(); q.Get("code") == "" {
		t.Fatalf("agreed: %v", q)
	}
	if info := s.userinfo(insist).JSON; info["verified_claims"] == nil {
		t.Errorf("confirmed, and not given: %v", info)
	}
	if p := s.b.Get(insist.Path()); p.URL.Query().Get("code") == "" {
		t.Errorf("asked again: %s", p.URL)
	}
}

// TestVerifiedClaimsParameterSyntax: what cannot be read is refused, before anybody is asked.
func TestVerifiedClaimsParameterSyntax(t *testing.T) {
	h := idptest.Start(t, idptest.Options{Clients: []map[string]any{verifyingClient(nil)}})
	b := h.Browser(t)
	h.Code(t, b, idptest.NewRequest(), "taro")
	wrap := func(how, claims string) string {
		return `{"verified_claims":{"verification":` + how + `,"claims":` + claims + `}}`
	}
	deep := strings.Repeat(`{"a":`, 9) + `null` + strings.Repeat(`}`, 9)
	for name, bad := range map[string]string{
		"null": `{"verified_claims":null}`, "text": `{"verified_claims":"x"}`, "empty list": `{"verified_claims":[]}`, "list of lists": `{"verified_claims":[[]]}`,
		"five of them":    `{"verified_claims":[` + strings.TrimSuffix(strings.Repeat(`{"verification":{"trust_framework":null},"claims":{"name":null}},`, 5), ",") + `]}`,
		"no verification": `{"verified_claims":{"claims":{"name":null}}}`, "no claims": `{"verified_claims":{"verification":{"trust_framework":null}}}`,
		"claims null": wrap(`{"trust_framework":null}`, `null`), "claims empty": wrap(`{"trust_framework":null}`, `{}`), "no framework": wrap(`{"time":null}`, `{"name":null}`),
		"framework is text": wrap(`{"trust_framework":"x"}`, `{"name":null}`), "member twice": wrap(`{"trust_framework":null,"trust_framework":null}`, `{"name":null}`),
		"claim twice": wrap(`{"trust_framework":null}`, `{"name":null,"name":null}`), "negative age": wrap(`{"trust_framework":null,"time":{"max_age":-1}}`, `{"name":null}`),
		"age is text": wrap(`{"trust_framework":null,"time":{"max_age":"1"}}`, `{"name":null}`), "age is a fraction": wrap(`{"trust_framework":null,"time":{"max_age":1.5}}`, `{"name":null}`),
		"evidence is an object": wrap(`{"trust_framework":null,"evidence":{}}`, `{"name":null}`), "evidence without type": wrap(`{"trust_framework":null,"evidence":[{}]}`, `{"name":null}`),
		"evidence of several types": wrap(`{"trust_framework":null,"evidence":[{"type":{"value":"a","values":["a"]}}]}`, `{"name":null}`),
		"too deep":                  wrap(`{"trust_framework":null,"x":`+deep+`}`, `{"name":null}`),
	} {
		for _, place := range []string{"userinfo", "id_token"} {
			if q := b.Get(idptest.NewRequest("claims", in(place, bad)).Path()).URL.Query(); q.Get("error") != "invalid_request" {
				t.Errorf("%s in %s: %v", name, place, q)
			}
		}
	}
	// A service that is not registered for it is not asked about it, as with every claim.
	if q := b.Get(idptest.NewRequest("claims", in("id_token", askEvery)).Path()).URL.Query(); q.Get("code") == "" {
		t.Errorf("not registered: %v", q)
	}
	// Sent as a scope it is one that nobody has heard of.
	s := signedInAt{t, h, b}
	if got := s.tokens(detailsRequest("openid verified:name")).Text("scope"); got != "openid" {
		t.Errorf("scope %q", got)
	}
}

// TestVerifiedClaimsInJWTAndEncrypted: as registered, signed or encrypted, like every other claim.
func TestVerifiedClaimsInJWTAndEncrypted(t *testing.T) {
	h := idptest.Start(t, idptest.Options{Clients: []map[string]any{verifyingClient(map[string]any{"userinfo_signed_response_alg": "ES256"})}})
	s := signedInAt{t, h, atHome(t, h, "taro")}
	if note := confirmed(t, s.b, "taro"); note != "done" {
		t.Fatalf("confirmed: %q", note)
	}
	a := s.userinfo(detailsRequest("openid", "claims", in("userinfo", askEvery)))
	if _, claims := verifiedIn(t, part(t, a.Raw, 1)); claims["gender"] != "male" {
		t.Errorf("signed: %s", a.Raw)
	}
	reader := newRecipient(t)
	reregister(t, h, verifyingClient(map[string]any{"jwks": reader.jwks(t), "id_token_encrypted_response_alg": "ECDH-ES"}))
	_, token := reader.open(t, s.tokens(detailsRequest("openid", "claims", in("id_token", askEvery))).Text("id_token"), "ECDH-ES", "A128CBC-HS256")
	if _, claims := verifiedIn(t, part(t, token, 1)); claims["gender"] != "male" {
		t.Error("encrypted: not there")
	}
}
