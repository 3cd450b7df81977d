package idp_test

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/cardauth/ades"
	"github.com/tsunagu-id/tsunagu/cardauth/cardtest"
	"github.com/tsunagu-id/tsunagu/idp/idptest"
	"github.com/tsunagu-id/tsunagu/internal/ephemeral"
	"github.com/tsunagu-id/tsunagu/internal/ephemeral/ephemeraltest"
)

const (
	notaryID  = "notary"
	notaryURI = "https://notary.example/callback"
)

var contract = ades.NewDocument("賃貸借契約書", sha256.Sum256([]byte("contract")))

// notaryOptions add a client that may ask for signatures.
func notaryOptions() idptest.Options {
	digest := sha256.Sum256([]byte(idptest.Secret))
	return idptest.Options{Clients: []map[string]any{{
		"client_id": notaryID, "client_name": "電子契約サービス", "operator": "契約の運営者", "redirect_uris": []string{notaryURI},
		"grant_types": []string{"authorization_code", "refresh_token"}, "scope": "openid offline_access", "token_endpoint_auth_method": "client_secret_basic",
		"client_secret_sha256": hexOf(digest[:]), "authorization_details_types": []string{"signature", "application"},
	}}}
}

func hexOf(b []byte) string {
	const digits = "0123456789abcdef"
	out := make([]byte, 0, 2*len(b))
	for _, c := range b {
		out = append(out, digits[c>>4], digits[c&15])
	}
	return string(out)
}

func wanting(t testing.TB, d ades.Document) string {
	t.Helper()
	b, err := json.Marshal([]any{map[string]any{"type": "signature", "document": d}})
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func signatureRequest(t testing.TB, d ades.Document, changes ...string) idptest.Request {
	return idptest.NewRequest(append([]string{"client_id", notaryID, "redirect_uri", notaryURI, "authorization_details", wanting(t, d)}, changes...)...)
}

// toSign brings a browser to the page that asks for the signature.
func toSign(t testing.TB, b *idptest.Browser, r idptest.Request, card string) idptest.Page {
	t.Helper()
	p := b.Get(r.Path())
	if strings.Contains(p.Body, `id="card-login"`) {
		p = b.Get(b.CardLogin(p, card))
	}
	if p = b.Finish(p); p.URL.Path != "/sign" || p.Status != http.StatusOK {
		t.Fatalf("not asked to sign: %d %s %s", p.Status, p.URL, p.Error())
	}
	return p
}

// signature returns what a service reads about a code's signature.
func signatureFor(t testing.TB, h *idptest.Hub, r idptest.Request, code string) (idptest.Answer, string) {
	t.Helper()
	tokens := h.PostForm(t, "/token", notaryID, idptest.Secret, idptest.CodeForm(code, r))
	if tokens.Status != http.StatusOK {
		t.Fatalf("token: %d %s", tokens.Status, tokens.Raw)
	}
	details, _ := tokens.JSON["authorization_details"].([]any)
	if len(details) != 1 {
		t.Fatalf("authorization_details %v", tokens.JSON["authorization_details"])
	}
	id, _ := details[0].(map[string]any)["identifier"].(string)
	return h.Bearer(t, http.MethodGet, "/api/signatures/"+id, tokens.Text("access_token")), id
}

func TestServiceGetsASignatureThatAnybodyCanVerify(t *testing.T) {
	h := idptest.Start(t, notaryOptions())
	b := h.Browser(t)
	r := signatureRequest(t, contract)
	consent := b.Get(b.CardLogin(b.Get(r.Path()), "taro"))
	if strings.Contains(consent.Body, `id="open-folder"`) {
		consent = b.Post("/folder/open", url.Values{"tx": {consent.Tx()}})
	}
	for _, want := range []string{contract.Name, contract.Groups(), `data-detail="signature"`} {
		if !strings.Contains(consent.Body, want) {
			t.Errorf("the consent page does not show %q", want)
		}
	}
	p := b.Finish(consent)
	back := b.Get(b.CardSign(b.SignatureRequest(p), "taro"))
	code := back.URL.Query().Get("code")
	if code == "" || !strings.HasPrefix(back.URL.String(), notaryURI) || len(back.URL.Query()) != 3 {
		t.Fatalf("not back at the service: %d %s", back.Status, back.URL)
	}
	a, id := signatureFor(t, h, r, code)
	if a.Status != http.StatusOK || a.Text("id") != id {
		t.Fatalf("%d %s", a.Status, a.Raw)
	}
	verifyJWS(t, h, a.Text("jws"), contract)
	if cms, err := base64.StdEncoding.DecodeString(a.Text("cms")); err != nil || !bytes.Contains(cms, contractSum()) {
		t.Errorf("cms: %v", err)
	}
	if a.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("Cache-Control %q", a.Header.Get("Cache-Control"))
	}
}

func contractSum() []byte { sum := contract.Sum(); return sum[:] }

// verifyJWS believes the standard library and the authority only.
func verifyJWS(t testing.TB, h *idptest.Hub, compact string, d ades.Document) {
	t.Helper()
	parts := strings.Split(compact, ".")
	var header struct {
		X5C [][]byte `json:"x5c"`
	}
	var statement ades.Statement
	for i, into := range []any{&header, &statement} {
		raw, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil || json.Unmarshal(raw, into) != nil {
			t.Fatalf("part %d of %q", i, compact)
		}
	}
	_, card, err := h.PKI.Drawer().Leaves("taro")
	if err != nil {
		t.Fatal(err)
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if err != nil || rsa.VerifyPKCS1v15(&card.Key.PublicKey, crypto.SHA256, sum[:], signature) != nil || !bytes.Equal(header.X5C[0], card.Certificate.Raw) {
		t.Errorf("not signed by the card: %v", err)
	}
	if statement.Audience != h.Issuer || statement.ClientID != notaryID || *statement.Document != d {
		t.Errorf("statement %+v", statement)
	}
}

func TestSignatureIsForOneTokenOnly(t *testing.T) {
	h := idptest.Start(t, notaryOptions())
	b := h.Browser(t)
	r := signatureRequest(t, contract)
	back := b.Get(b.CardSign(b.SignatureRequest(toSign(t, b, r, "taro")), "taro"))
	a, id := signatureFor(t, h, r, back.URL.Query().Get("code"))
	if a.Status != http.StatusOK {
		t.Fatal(a.Raw)
	}
	// A second signature's token does not open the first, nor does a token of another service.
	again := signatureRequest(t, contract)
	back = b.Get(b.CardSign(b.SignatureRequest(toSign(t, b, again, "taro")), "taro"))
	tokens := h.PostForm(t, "/token", notaryID, idptest.Secret, idptest.CodeForm(back.URL.Query().Get("code"), again))
	if got := h.Bearer(t, http.MethodGet, "/api/signatures/"+id, tokens.Text("access_token")); got.Status != http.StatusForbidden {
		t.Errorf("another signature's token: %d", got.Status)
	}
	other := idptest.NewRequest()
	token := h.Redeem(t, h.Code(t, b, other, "taro"), other).Text("access_token")
	if got := h.Bearer(t, http.MethodGet, "/api/signatures/"+id, token); got.Status != http.StatusForbidden {
		t.Errorf("another service's token: %d", got.Status)
	}
	if got := h.Bearer(t, http.MethodGet, "/api/signatures/"+id, "nonsense"); got.Status != http.StatusUnauthorized {
		t.Errorf("no token: %d", got.Status)
	}
}

func TestSignatureIsMadeEveryTime(t *testing.T) {
	h := idptest.Start(t, notaryOptions())
	b := h.Browser(t)
	r := signatureRequest(t, contract)
	b.Get(b.CardSign(b.SignatureRequest(toSign(t, b, r, "taro")), "taro"))
	// Consent and session are there: prompt=none still cannot sign, and a new request asks anew.
	none := signatureRequest(t, contract, "prompt", "none")
	if p := b.Get(none.Path()); p.URL.Query().Get("error") != "consent_required" {
		t.Errorf("prompt=none: %s", p.URL)
	}
	toSign(t, b, signatureRequest(t, contract), "taro")
}

func TestRefusedSignaturesSayWhy(t *testing.T) {
	h := idptest.Start(t, notaryOptions())
	hanako := h.Browser(t)
	hanako.SignIn(hanako.Get(idptest.NewRequest().Path()), "hanako")
	t.Run("another person's card", func(t *testing.T) {
		b := h.Browser(t)
		p := b.Get(b.CardSign(b.SignatureRequest(toSign(t, b, signatureRequest(t, contract), "taro")), "hanako"))
		if p.Status != http.StatusForbidden || p.Error() != "signer_other" {
			t.Errorf("%d %s", p.Status, p.Error())
		}
		// And then the right one.
		if back := b.Get(b.CardSign(b.SignatureRequest(p), "taro")); back.URL.Query().Get("code") == "" {
			t.Errorf("%d %s", back.Status, back.URL)
		}
	})
	t.Run("nobody can say whose", func(t *testing.T) {
		h.PKI.Linkage().Behave(cardtest.LinkageDown)
		defer h.PKI.Linkage().Behave(cardtest.LinkageGood)
		b := h.Browser(t)
		p := b.Get(b.CardSign(b.SignatureRequest(toSign(t, b, signatureRequest(t, contract), "taro")), "taro"))
		if p.Status != http.StatusServiceUnavailable || p.Error() != "signer_unchecked" {
			t.Errorf("%d %s", p.Status, p.Error())
		}
	})
	t.Run("revoked after moving house", func(t *testing.T) {
		_, card, err := h.PKI.Drawer().Leaves("hanako")
		if err != nil {
			t.Fatal(err)
		}
		if err := h.PKI.Sign().Revoke(card.Serial(), 3); err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := h.PKI.Sign().Release(card.Serial()); err != nil {
				t.Error(err)
			}
		}()
		b := h.Browser(t)
		sign := toSign(t, b, signatureRequest(t, contract), "hanako") // the login is as good as ever
		word, back := b.RefusedSign(b.SignatureRequest(sign), "hanako")
		p := b.Get(back)
		if word != "cert_revoked" || p.Status != http.StatusForbidden || p.Error() != "cert_revoked" || !strings.Contains(p.Body, "引っ越し") {
			t.Errorf("%s: %d %s", word, p.Status, p.Error())
		}
		// The citizen gives up: the service is told.
		if back := b.Post("/sign/cancel", url.Values{"tx": {p.Tx()}}); back.URL.Query().Get("error") != "access_denied" {
			t.Errorf("%s", back.URL)
		}
	})
}

// Somebody else's browser gains nothing by the return address, and the browser that asked nothing by a used one.
func TestSignatureReturnsToTheBrowserThatAsked(t *testing.T) {
	h := idptest.Start(t, notaryOptions())
	b, stranger := h.Browser(t), h.Browser(t)
	stranger.Get(idptest.NewRequest().Path())
	p := toSign(t, b, signatureRequest(t, contract), "taro")
	uri := b.CardSign(b.SignatureRequest(p), "taro")
	if got := stranger.Get(uri); got.Status != http.StatusForbidden || got.Error() != "other_browser" {
		t.Errorf("stranger: %d %s", got.Status, got.Error())
	}
	if got := b.Get(uri); got.Status != http.StatusGone || got.Error() != "return_used" {
		t.Errorf("used address: %d %s", got.Status, got.Error())
	}
	if got := b.Get("/sign/return?code=" + strings.Repeat("A", 43)); got.Status != http.StatusGone || got.Error() != "return_unknown" {
		t.Errorf("invented address: %d %s", got.Status, got.Error())
	}
	if got := stranger.Get("/sign?tx=" + p.Tx()); got.Status != http.StatusForbidden {
		t.Errorf("stranger at the page: %d", got.Status)
	}
}

func TestSignatureDoesNotLogIn(t *testing.T) {
	h := idptest.Start(t, notaryOptions())
	b := h.Browser(t)
	uri := b.CardSign(b.SignatureRequest(toSign(t, b, signatureRequest(t, contract), "taro")), "taro")
	code := strings.TrimPrefix(uri, h.Issuer+"/sign/return?code=")
	if got := b.Get("/login/return?code=" + code); got.Error() != "return_unknown" {
		t.Errorf("at the login: %d %s", got.Status, got.Error())
	}
}

func TestOnlyRegisteredClientsAskForSignatures(t *testing.T) {
	h := idptest.Start(t, notaryOptions())
	b := h.Browser(t)
	for name, details := range map[string]string{
		"not registered": "",
		"two":            `[` + strings.Trim(wanting(t, contract), "[]") + `,` + strings.Trim(wanting(t, contract), "[]") + `]`,
		"no document":    `[{"type":"signature"}]`,
		"no digest":      `[{"type":"signature","document":{"name":"x","digest_alg":"sha-256"}}]`,
		"sha-1":          `[{"type":"signature","document":{"name":"x","digest_alg":"sha-1","digest":"` + contract.Digest + `"}}]`,
		"strange member": `[{"type":"signature","document":{"name":"x","digest_alg":"sha-256","digest":"` + contract.Digest + `","url":"https://x.example"}}]`,
		"turned name":    `[{"type":"signature","document":{"name":"a\u202eb","digest_alg":"sha-256","digest":"` + contract.Digest + `"}}]`,
		"identifier":     strings.Replace(wanting(t, contract), `"type"`, `"identifier":"x","type"`, 1),
	} {
		r := signatureRequest(t, contract, "authorization_details", details)
		if details == "" {
			r = idptest.NewRequest("authorization_details", wanting(t, contract))
		}
		if p := b.Get(r.Path()); p.URL.Query().Get("error") != "invalid_authorization_details" {
			t.Errorf("%s: %d %s", name, p.Status, p.URL)
		}
	}
}

func TestSignedTwiceAtOnceIsOneLogin(t *testing.T) {
	ephemeraltest.Each(t, func(t *testing.T, store ephemeral.Store) {
		o := notaryOptions()
		o.Transient = store
		h := idptest.Start(t, o)
		b := h.Browser(t)
		p := toSign(t, b, signatureRequest(t, contract), "taro")
		uri := b.CardSign(b.SignatureRequest(p), "taro")
		var codes sync.Map
		var ok atomic.Int32
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				req := b.Request(http.MethodGet, uri, nil)
				resp, err := h.Client().Do(req)
				if err != nil {
					t.Error(err)
					return
				}
				defer func() { _ = resp.Body.Close() }()
				if to, err := resp.Location(); err == nil && to.Query().Get("code") != "" {
					ok.Add(1)
					codes.Store(to.Query().Get("code"), true)
				}
			})
		}
		all.Wait()
		n := 0
		codes.Range(func(any, any) bool { n++; return true })
		if n != 1 || ok.Load() != 1 {
			t.Errorf("%d codes in %d answers", n, ok.Load())
		}
	})
}

// The hub is not where contracts are kept.
func TestSignaturesAreDeletedAfterAWeek(t *testing.T) {
	var mu sync.Mutex
	var plus time.Duration
	o := notaryOptions()
	o.Now = func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		return time.Now().Add(plus)
	}
	h := idptest.Start(t, o)
	sign := func() {
		b := h.Browser(t)
		b.Get(b.CardSign(b.SignatureRequest(toSign(t, b, signatureRequest(t, contract), "taro")), "taro"))
	}
	count := func() (n int) {
		if err := h.DB.QueryRow(t.Context(), `SELECT COUNT(*) FROM signature`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	sign()
	if count() != 1 {
		t.Fatal("no signature is kept")
	}
	mu.Lock()
	plus = 8 * 24 * time.Hour
	mu.Unlock()
	sign()
	if n := count(); n != 1 {
		t.Errorf("%d signatures are kept", n)
	}
}

// A document is signed where it was shown, and a device shows it elsewhere.
func TestDevicesAskForNoSignature(t *testing.T) {
	o := notaryOptions()
	o.Clients[0]["grant_types"] = []string{"authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"}
	h := idptest.Start(t, o)
	ask := func(details string) idptest.Answer {
		return h.PostForm(t, "/device_authorization", notaryID, idptest.Secret, url.Values{"scope": {"openid"}, "authorization_details": {details}})
	}
	if a := ask(`[{"type":"application","identifier":"x","actions":["read"]}]`); a.Status != http.StatusOK {
		t.Fatalf("%d %s", a.Status, a.Raw)
	}
	if a := ask(wanting(t, contract)); a.Status != http.StatusBadRequest || a.Text("error") != "invalid_authorization_details" {
		t.Errorf("%d %s", a.Status, a.Raw)
	}
}
