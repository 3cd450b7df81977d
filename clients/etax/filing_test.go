package etax

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/clients/rp"
	"github.com/tsunagu-id/tsunagu/clients/rp/rptest"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
	"github.com/tsunagu-id/tsunagu/internal/sqldb/sqldbtest"
)

// drafted is a browser of somebody who is tied, at the page of a draft.
func drafted(t *testing.T, w *world) (*browser, rptest.Page) {
	t.Helper()
	taro := w.browser()
	taro.bind(demoNumber, demoPassword)
	taro.get("/returns/new")
	page := taro.post("/returns/new", "salary", "５，０００，０００円", "withheld", "120,000", "social", "700 000", "medical", "")
	if !strings.HasPrefix(page.URL.Path, "/returns/") || !page.Has(`id="return-send"`, "課税される所得金額：") {
		t.Fatalf("at %s with %q: %s", page.URL, page.Error(), page.Body)
	}
	return taro, page
}

var receiptNumber = regexp.MustCompile(`<dd>(\d{20})</dd>`)

func receiptOf(t *testing.T, page rptest.Page) string {
	t.Helper()
	m := receiptNumber.FindStringSubmatch(page.Body)
	if m == nil {
		t.Fatalf("no receipt at %s (%q): %s", page.URL, page.Error(), page.Body)
	}
	return m[1]
}

func TestReturnIsSignedAndFiled(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		w := newWorldOn(t, db)
		w.signs(nil)
		taro, draft := drafted(t, w)
		id := draft.URL.Path
		content := taro.get(id + "/document")
		if !strings.HasPrefix(content.Header.Get("Content-Disposition"), "attachment") || content.Header.Get("Content-Type") != "text/plain; charset=utf-8" {
			t.Errorf("headers %v", content.Header)
		}
		taro.get(id)
		page := taro.post(id + "/send")
		receipt := receiptOf(t, page)
		if page.URL.Path != id || !page.Has(`id="accepted"`) || page.Has(`id="return-send"`) {
			t.Errorf("at %s: %s", page.URL, page.Body)
		}
		// What was asked for is the digest of what is shown and downloaded.
		sum := sha256.Sum256([]byte(content.Body))
		var asked []struct {
			Document rp.Document `json:"document"`
		}
		if err := json.Unmarshal([]byte(w.hub.LastRequest().Get("authorization_details")), &asked); err != nil || len(asked) != 1 ||
			asked[0].Document.Digest != base64.RawURLEncoding.EncodeToString(sum[:]) || asked[0].Document.Size != int64(len(content.Body)) {
			t.Errorf("asked %+v, %v", asked, err)
		}
		if shown := taro.get(id); !shown.Has(content.Body) {
			t.Error("shown is not what is downloaded")
		}
		jws := taro.get(id + "/signature")
		if _, err := w.site.rules.check(jws.Body, []byte(content.Body), w.now(), w.now()); err != nil {
			t.Errorf("the signature that is kept: %v", err)
		}
		if home := taro.get("/home"); !home.Has(receipt, `id="new-return"`) {
			t.Error("the list does not show the receipt")
		}
		// Pressing again, and going back, files nothing more.
		taro.get(id)
		if again := taro.post(id+"/send", "for", draft.Hidden(id+"/send").Get("for")); receiptOf(t, again) != receipt {
			t.Error("filed twice")
		}
		w.restart()
		if got := receiptOf(t, taro.get(id)); got != receipt {
			t.Errorf("receipt %s after a restart, was %s", got, receipt)
		}
		// By number, the account's owner reads it and cannot send.
		owner := w.browser()
		owner.post("/number", "number", demoNumber, "password", demoPassword)
		if page := owner.get(id); receiptOf(t, page) != receipt {
			t.Error("not shown by number")
		}
		other := w.browser()
		other.post("/number", "number", otherNumber, "password", "other-password")
		for _, path := range []string{id, id + "/document", id + "/signature"} {
			if page := other.get(path); page.Status != http.StatusNotFound || page.Error() != "return_unknown" {
				t.Errorf("another account at %s: %d", path, page.Status)
			}
		}
	})
}

func TestSignatureThatDoesNotHoldIsRefused(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*world, *signed)
		reason string
	}{
		"other bytes":       {func(_ *world, s *signed) { s.spoil = true }, "signature_invalid"},
		"another document":  {func(_ *world, s *signed) { s.statement["document"] = rp.NewDocument("x", "", []byte("x")) }, "document_other"},
		"digest algorithm":  {func(_ *world, s *signed) { s.statement["document"].(map[string]any)["digest_alg"] = "sha-1" }, "document_other"},
		"no document":       {func(_ *world, s *signed) { delete(s.statement, "document") }, "signature_invalid"},
		"another service":   {func(_ *world, s *signed) { s.statement["client_id"] = "portal" }, "signature_invalid"},
		"another hub":       {func(_ *world, s *signed) { s.statement["aud"] = "https://hub.example" }, "signature_invalid"},
		"another host":      {func(_ *world, s *signed) { s.statement["redirect_host"] = "etax.example" }, "signature_invalid"},
		"another purpose":   {func(_ *world, s *signed) { s.statement["purpose"] = "relink" }, "signature_invalid"},
		"another algorithm": {func(_ *world, s *signed) { s.header["alg"] = "none" }, "signature_invalid"},
		"a login":           {func(_ *world, s *signed) { s.header["typ"] = "card-response+jwt" }, "signature_invalid"},
		"critical":          {func(_ *world, s *signed) { s.header["crit"] = []string{"b64"} }, "signature_invalid"},
		"thumbprint":        {func(_ *world, s *signed) { s.header["x5t#S256"] = "AAAA" }, "signature_invalid"},
		"two certificates":  {func(w *world, s *signed) { s.header["x5c"] = [][]byte{w.signers.ca.Raw, w.signers.ca.Raw} }, "signature_invalid"},
		"of long ago": {func(w *world, s *signed) {
			s.header["iat"] = w.now().Add(-30 * time.Minute).Unix()
		}, "signature_invalid"},
		"of tomorrow": {func(w *world, s *signed) {
			s.header["iat"], s.leaf.NotAfter = w.now().Add(24*time.Hour).Unix(), w.now().Add(48*time.Hour)
		}, "signature_invalid"},
		"expired":       {func(w *world, s *signed) { s.leaf.NotAfter = w.now().Add(-time.Minute) }, "signer_expired"},
		"not yet valid": {func(w *world, s *signed) { s.leaf.NotBefore = w.now().Add(time.Minute) }, "signer_expired"},
		"for logins":    {func(_ *world, s *signed) { s.leaf.KeyUsage = 1 }, "signer_untrusted"},
		"an authority": {func(_ *world, s *signed) {
			s.leaf.IsCA, s.leaf.BasicConstraintsValid = true, true
		}, "signer_untrusted"},
		"another authority": {func(w *world, s *signed) { s.parent = w.signers.other }, "signer_untrusted"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.signs(func(s *signed) {
				var d map[string]any
				if err := json.Unmarshal(s.statement["document"].(json.RawMessage), &d); err != nil {
					t.Error(err)
				}
				s.statement["document"] = d
				tt.change(w, s)
			})
			taro, draft := drafted(t, w)
			page := taro.post(draft.URL.Path + "/send")
			wantAt(t, page, draft.URL.Path, tt.reason)
			if page.Status != http.StatusUnprocessableEntity || !page.Has(`id="refused"`, `id="return-send"`) || page.Has(`id="waiting"`) {
				t.Errorf("%d %s", page.Status, page.Body)
			}
			// The draft remains, and can be signed again.
			w.signs(nil)
			receiptOf(t, taro.post(draft.URL.Path+"/send"))
		})
	}
}

func TestNotSigningLeavesTheDraft(t *testing.T) {
	w := newWorld(t)
	w.signs(nil)
	taro, draft := drafted(t, w)
	w.hub.Set(func(s *rptest.Settings) { s.Deny = "access_denied" })
	page := taro.post(draft.URL.Path + "/send")
	if page.URL.Path != draft.URL.Path || !page.Has(`id="stopped"`, `id="return-send"`) {
		t.Fatalf("at %s: %s", page.URL, page.Body)
	}
	w.hub.Set(func(s *rptest.Settings) { s.Deny = "" })
	receiptOf(t, taro.post(draft.URL.Path+"/send"))
}

// A process that dies before it hears of the signature leaves a draft; one that dies after it leaves a signature to fetch, which needs
// no token of the session.
func TestCrashBetweenSignatureAndFiling(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		w := newWorldOn(t, db)
		w.signs(nil)
		taro, draft := drafted(t, w)
		id := draft.URL.Path
		taro.b.Stop(rp.PathCallback)
		taro.post(id + "/send") // signed at the hub; nobody comes back
		taro.b.Stop("")
		w.restart()
		if page := taro.get(id); !page.Has(`id="return-send"`) || page.Has(`id="waiting"`) {
			t.Fatalf("no draft any more: %s", page.Body)
		}
		w.hub.Set(func(s *rptest.Settings) { s.APIDown = true }) // as if it died when it had asked
		if page := taro.post(id + "/send"); !page.Has(`id="waiting"`, `id="return-collect"`, `id="return-send"`) {
			t.Fatalf("at %s: %s", page.URL, page.Body)
		}
		w.restart()
		w.hub.Set(func(s *rptest.Settings) { s.APIDown = false })
		taro.launch() // with new tokens, which do not name the signature
		taro.get(id)
		signs := w.hub.Count("GET /authorize")
		page := taro.post(id + "/collect")
		receipt := receiptOf(t, page)
		if w.hub.Count("GET /authorize") != signs {
			t.Error("signed once more")
		}
		taro.get(id)
		if got := receiptOf(t, taro.get(id)); got != receipt {
			t.Error("another receipt")
		}
	})
}

func TestChangedReturnIsNotFiledWithAnOldSignature(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		w := newWorldOn(t, db)
		w.signs(nil)
		taro, draft := drafted(t, w)
		taro.b.Stop(rp.PathCallback)
		callback := taro.post(draft.URL.Path + "/send").Header.Get("Location")
		taro.b.Stop("")
		taro.get("/returns/new")
		changed := taro.post("/returns/new", "salary", "6,000,000", "withheld", "0", "social", "0")
		if changed.URL.Path != draft.URL.Path {
			t.Fatalf("another draft: %s", changed.URL)
		}
		page, err := taro.b.Get(callback)
		if err != nil {
			t.Fatal(err)
		}
		wantAt(t, page, draft.URL.Path, "document_other")
		if !page.Has("6,000,000円", `id="return-send"`) {
			t.Error("the draft is not the new one")
		}
	})
}

// Many signatures over one document, and their returns at once, are one filing.
func TestManySignaturesAreOneFiling(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		w := newWorldOn(t, db)
		w.signs(nil)
		taro, draft := drafted(t, w)
		id := strings.TrimPrefix(draft.URL.Path, "/returns/")
		taro.b.Stop(rp.PathCallback)
		var callbacks []string
		for range 20 {
			taro.get(draft.URL.Path)
			callbacks = append(callbacks, taro.post(draft.URL.Path+"/send").Header.Get("Location"))
		}
		taro.b.Stop("")
		var wg sync.WaitGroup
		pages := make([]rptest.Page, len(callbacks))
		for i, address := range callbacks {
			wg.Go(func() {
				r, err := http.NewRequest(http.MethodGet, address, nil)
				if err != nil {
					t.Error(err)
					return
				}
				resp, err := taro.b.Client.Do(r)
				if err != nil {
					t.Error(err)
					return
				}
				defer resp.Body.Close()
				pages[i] = rptest.Page{Status: resp.StatusCode, URL: resp.Request.URL}
			})
		}
		wg.Wait()
		rows, err := listReturns(t.Context(), w.db, demoNumber)
		if err != nil || len(rows) != 1 || rows[0].id != id || rows[0].filed.IsZero() || rows[0].receipt == "" {
			t.Fatalf("%d rows, %v", len(rows), err)
		}
		if got := receiptOf(t, taro.get(draft.URL.Path)); got != rows[0].receipt {
			t.Errorf("receipt %s, stored %s", got, rows[0].receipt)
		}
	})
}

// Many presses on the form make one draft.
func TestManyPressesAreOneDraft(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		w := newWorldOn(t, db)
		ids := make([]string, 40)
		var wg sync.WaitGroup
		for i := range ids {
			wg.Go(func() {
				var err error
				if ids[i], err = w.site.draft(t.Context(), demoNumber, Figures{Salary: 1000}, ""); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		for _, id := range ids {
			if id != ids[0] || id == "" {
				t.Errorf("drafts %q and %q", ids[0], id)
			}
		}
	})
}

// A signature that is no good leaves alone the one that was made meanwhile.
func TestRefusedSignatureLeavesTheNewerOne(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		w := newWorldOn(t, db)
		id, err := w.site.draft(t.Context(), demoNumber, Figures{Salary: 1000}, "")
		if err != nil {
			t.Fatal(err)
		}
		note := func(asked string) *storedReturn {
			t.Helper()
			if err := setAsked(t.Context(), db, id, demoNumber, asked); err != nil {
				t.Fatal(err)
			}
			r, err := findReturn(t.Context(), db, id, demoNumber)
			if err != nil || r == nil {
				t.Fatal(r, err)
			}
			return r
		}
		first := note("first")
		second := note("second")
		for _, c := range []struct {
			refused *storedReturn
			want    string
		}{{first, "second"}, {second, ""}} {
			if err := dropAsked(t.Context(), db, c.refused); err != nil {
				t.Fatal(err)
			}
			if got, err := findReturn(t.Context(), db, id, demoNumber); err != nil || got.asked != c.want {
				t.Errorf("asked %q, want %q: %v", got.asked, c.want, err)
			}
		}
	})
}
