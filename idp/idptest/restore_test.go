package idptest_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/clients/etax"
	"github.com/tsunagu-id/tsunagu/clients/postbox"
	"github.com/tsunagu-id/tsunagu/clients/rp"
	"github.com/tsunagu-id/tsunagu/idp/idptest"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
)

const (
	firstNumber  = "1234567890123456"
	secondNumber = "6543210987654321"
	taxPassword  = "etax-demo"
)

// site is a service that keeps ties.
type site interface {
	Handler() http.Handler
	Reconcile(ctx context.Context, now bool) error
	Run(ctx context.Context) error
}

// kind is what makes a site.
type kind struct {
	client       clients.ID
	registration func(client, base string, jwks []byte, development bool) ([]byte, error)
	open         func(ctx context.Context, w *two) (site, error)
}

func taxSite(ctx context.Context, w *two) (site, error) {
	return etax.New(ctx, etax.Config{
		Issuer: w.hub.Issuer, BaseURL: w.base, ClientID: "etax", Credential: w.key, DB: w.taxDB, Now: time.Now, Follow: time.Hour,
		Log:      slog.New(slog.DiscardHandler),
		Accounts: []etax.Account{{Number: firstNumber, Password: rp.NewSecret(taxPassword)}, {Number: secondNumber, Password: rp.NewSecret(taxPassword)}},
	})
}

func boxSite(ctx context.Context, w *two) (site, error) {
	return postbox.New(ctx, postbox.Config{
		Issuer: w.hub.Issuer, BaseURL: w.base, ClientID: "postbox", Credential: w.key, DB: w.taxDB, Now: time.Now, Follow: time.Hour,
		Log: slog.New(slog.DiscardHandler),
	})
}

// two is a hub and a site, each with a database file of its own that can be put back to what it was.
type two struct {
	t       *testing.T
	dir     string
	hub     *idptest.Hub
	hubDB   *sqldb.DB
	taxDB   *sqldb.DB
	kind    kind
	key     *rp.Key
	site    atomic.Pointer[site]
	browser *idptest.Browser
	atTax   *http.Client
	base    string
}

func (w *two) file(name string) string { return filepath.Join(w.dir, name) }

func (w *two) open(name string) *sqldb.DB {
	w.t.Helper()
	db, err := sqldb.Open(w.t.Context(), "sqlite:"+w.file(name))
	must(w.t, err)
	return db
}

func newTwo(t *testing.T, reachable bool) *two {
	t.Helper()
	return newTwoOf(t, kind{"etax", etax.Registration, taxSite}, reachable)
}

func newTwoOf(t *testing.T, k kind, reachable bool) *two {
	t.Helper()
	w := &two{t: t, dir: t.TempDir(), kind: k}
	w.hubDB, w.taxDB = w.open("hub.db"), w.open("tax.db")
	t.Cleanup(func() { must(t, errors.Join(w.hubDB.Close(), w.taxDB.Close())) })
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		(*w.site.Load()).Handler().ServeHTTP(rw, r)
	}))
	w.base = "http://" + server.Listener.Addr().String()
	key, err := rp.OpenKey(w.file("key.pem"))
	must(t, err)
	w.key = key
	b, err := k.registration(string(k.client), w.base, key.JWKS(), true)
	must(t, err)
	var registration map[string]any
	must(t, json.Unmarshal(b, &registration))
	options := idptest.Options{DB: w.hubDB, Clients: []map[string]any{registration}}
	if reachable {
		options.Reachable = []string{server.Listener.Addr().String()}
	}
	w.hub = idptest.Start(t, options)
	w.startTax()
	server.Start()
	t.Cleanup(server.Close)
	w.visitor()
	return w
}

func (w *two) startTax() {
	w.t.Helper()
	s, err := w.kind.open(w.t.Context(), w)
	must(w.t, err)
	w.site.Store(&s)
}

// visitor is taro at a computer without cookies.
func (w *two) visitor() {
	w.t.Helper()
	jar, err := cookiejar.New(nil)
	must(w.t, err)
	w.browser, w.atTax = w.hub.Browser(w.t), idptest.Client()
	w.atTax.Jar = jar
}

func (w *two) copyFile(from, to string) {
	w.t.Helper()
	b, err := os.ReadFile(w.file(from))
	must(w.t, err)
	must(w.t, os.WriteFile(w.file(to), b, 0o600))
}

// backup copies both files. A database that is closed is one file.
func (w *two) backup() {
	w.t.Helper()
	must(w.t, errors.Join(w.hubDB.Close(), w.taxDB.Close()))
	w.copyFile("hub.db", "hub.backup")
	w.copyFile("tax.db", "tax.backup")
	w.reopen()
}

func (w *two) reopen() {
	w.t.Helper()
	w.hubDB, w.taxDB = w.open("hub.db"), w.open("tax.db")
	w.hub.Replace(w.t, w.hubDB)
	w.startTax()
}

// restore puts one of the two back, "hub" or "tax".
func (w *two) restore(side string) {
	w.t.Helper()
	must(w.t, errors.Join(w.hubDB.Close(), w.taxDB.Close()))
	w.copyFile(side+".backup", side+".db")
	w.reopen()
	w.visitor()
}

// reconcile is one turn of what the tax site does on its own.
func (w *two) reconcile() {
	w.t.Helper()
	must(w.t, (*w.site.Load()).Reconcile(w.t.Context(), true))
}

func (w *two) tax(method, path string, form url.Values) (status int, body, to string) {
	w.t.Helper()
	if strings.HasPrefix(path, "/") {
		path = w.base + path
	}
	req, err := http.NewRequestWithContext(w.t.Context(), method, path, strings.NewReader(form.Encode()))
	must(w.t, err)
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	resp, err := w.atTax.Do(req)
	must(w.t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	must(w.t, err)
	return resp.StatusCode, string(b), resp.Header.Get("Location")
}

// launch enters the tax site as the portal's tile does, and returns the page that taro ends at there.
func (w *two) launch() string {
	w.t.Helper()
	_, _, to := w.tax(http.MethodGet, rp.PathInitiate+"?iss="+url.QueryEscape(w.hub.Issuer), nil)
	page := w.browser.Get(to)
	if strings.Contains(page.Body, `id="card-login"`) {
		page = w.browser.SignIn(page, "taro")
	} else if page.Body != "" {
		page = w.browser.Finish(page)
	}
	if page.Body != "" {
		w.t.Fatalf("stopped at %s: %s", page.URL, page.Error())
	}
	_, _, to = w.tax(http.MethodGet, page.URL.String(), nil)
	return to
}

var markOf = regexp.MustCompile(`name="for" value="([^"]+)"`)

// bind launches, is asked, and ties the account.
func (w *two) bind(number string) {
	w.t.Helper()
	if to := w.launch(); to != "/bind" {
		w.t.Fatalf("launched to %s", to)
	}
	_, body, _ := w.tax(http.MethodGet, "/bind", nil)
	m := markOf.FindStringSubmatch(body)
	if m == nil {
		w.t.Fatal(body)
	}
	if _, body, to := w.tax(http.MethodPost, "/bind", url.Values{"number": {number}, "password": {taxPassword}, "for": {m[1]}}); !strings.HasPrefix(to, "/home") {
		w.t.Fatalf("not tied: %s %s", to, body)
	}
}

func (w *two) unlinkAtTax() {
	w.t.Helper()
	_, body, _ := w.tax(http.MethodGet, "/unlink", nil)
	m := markOf.FindStringSubmatch(body)
	if m == nil {
		w.t.Fatal(body)
	}
	if _, _, to := w.tax(http.MethodPost, "/unlink", url.Values{"for": {m[1]}}); to != "/unlinked" {
		w.t.Fatal(to)
	}
}

// endAtHub ends the link as the portal does.
func (w *two) endAtHub() {
	w.t.Helper()
	r := idptest.NewRequest("scope", "openid links")
	token := w.hub.Redeem(w.t, w.hub.Code(w.t, w.browser, r, "taro"), r).Text("access_token")
	if a := w.hub.Bearer(w.t, http.MethodDelete, "/api/account/links/"+string(w.kind.client), token); a.Status != http.StatusNoContent {
		w.t.Fatalf("%d %s", a.Status, a.Raw)
	}
}

// agree asks both databases how the tie stands: the hub's state, and the number at the tax site, "" for none. A link that is linked and a tie
// that stands have one name.
func (w *two) agree(state, number string) {
	w.t.Helper()
	var gotState, hubTie, gotNumber, taxTie string
	if err := w.hubDB.QueryRow(w.t.Context(), `SELECT state, tie FROM federation_link WHERE client = 'etax'`).Scan(&gotState, &hubTie); err != nil {
		gotState = "none"
	}
	if err := w.taxDB.QueryRow(w.t.Context(), `SELECT number, tie FROM etax_binding`).Scan(&gotNumber, &taxTie); err != nil {
		gotNumber = ""
	}
	if gotState != state || gotNumber != number || number != "" && hubTie != taxTie {
		w.t.Errorf("the hub says %s, the tax site %q, want %s and %q; one tie: %v", gotState, gotNumber, state, number, hubTie == taxTie)
	}
	if (gotState == "linked") != (gotNumber != "") {
		w.t.Error("the two sides do not agree")
	}
}

// TestBothSidesAgreeAfterARestore: what both sides say after one of them was put back to yesterday, and that the way back leads there.
func TestBothSidesAgreeAfterARestore(t *testing.T) {
	nothing := func(*two) {}
	bound := func(w *two) { w.bind(firstNumber) }
	for name, tt := range map[string]struct {
		yesterday, today func(*two)
		restore          string
		state, number    string
	}{
		"end at the hub":     {bound, (*two).endAtHub, "", "ended", ""},
		"end at the service": {bound, (*two).unlinkAtTax, "", "ended", ""},

		"service restored, nothing happened": {bound, nothing, "tax", "linked", firstNumber},
		"service restored, tied today":       {nothing, bound, "tax", "broken", ""},
		"service restored, ended at the hub": {bound, (*two).endAtHub, "tax", "ended", ""},
		"service restored, ended there":      {bound, (*two).unlinkAtTax, "tax", "ended", ""},
		"service restored, tied to another account today": {bound, func(w *two) {
			w.unlinkAtTax()
			w.bind(secondNumber)
		}, "tax", "broken", ""},

		"hub restored, nothing happened":         {bound, nothing, "hub", "linked", firstNumber},
		"hub restored, she came today first":     {nothing, bound, "hub", "none", ""},
		"hub restored, tied today, known before": {func(w *two) { w.launch() }, bound, "hub", "linked", firstNumber},
		"hub restored, ended there":              {bound, func(w *two) { w.endAtHub(); w.reconcile() }, "hub", "ended", ""},
		"hub restored, ended at the service":     {bound, (*two).unlinkAtTax, "hub", "ended", ""},
		"hub restored, tied to another account today": {bound, func(w *two) {
			w.unlinkAtTax()
			w.bind(secondNumber)
		}, "hub", "linked", secondNumber},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newTwo(t, false)
			tt.yesterday(w)
			w.reconcile()
			w.backup()
			tt.today(w)
			if tt.restore != "" {
				w.reconcile()
				w.restore(tt.restore)
			}
			for range 2 { // and it stays so
				w.reconcile()
				w.agree(tt.state, tt.number)
			}
			if tt.number == "" {
				w.visitor()
				w.bind(firstNumber)
				w.reconcile()
				w.agree("linked", firstNumber)
			} else if to := w.launch(); !strings.HasPrefix(to, "/home") {
				t.Errorf("launched to %s", to)
			}
			must(t, w.hub.Audit.Verify(t.Context()))
		})
	}
}

// TestServiceHearsWithinSecondsThatItsLinkEnded: the hub's sign-out wakes a service that would ask within the hour only.
func TestServiceHearsWithinSecondsThatItsLinkEnded(t *testing.T) {
	w := newTwo(t, true)
	w.bind(firstNumber)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- (*w.site.Load()).Run(ctx) }()
	t.Cleanup(func() {
		stop()
		must(t, <-done)
	})
	w.endAtHub()
	for range 250 {
		var n int
		must(t, w.taxDB.QueryRow(t.Context(), `SELECT COUNT(*) FROM etax_binding`).Scan(&n))
		if n == 0 {
			w.agree("ended", "")
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Error("the tie stands at the service after 5 seconds")
}
