package federation

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
	"github.com/tsunagu-id/tsunagu/internal/sqldb/sqldbtest"
)

const seed = `[
	{"client_id": "portal", "client_name": "見本ポータル", "client_name#en": "Sample portal", "operator": "見本庁",
	 "development": true, "redirect_uris": ["http://localhost:8401/callback"], "token_endpoint_auth_method": "none", "scope": "openid links"},
	{"client_id": "etax", "client_name": "見本e-Tax", "client_name#en": "Sample e-Tax", "operator": "見本国税庁",
	 "description": "申告と納税", "description#en": "File and pay", "category": "government", "listed": true,
	 "development": true, "redirect_uris": ["http://localhost:8402/callback"], "initiate_login_uri": "http://localhost:8402/login?from=hub",
	 "token_endpoint_auth_method": "none", "scope": "openid link"},
	{"client_id": "bank", "client_name": "見本銀行", "client_name#en": "Sample bank", "operator": "見本銀行", "development": true,
	 "redirect_uris": ["http://localhost:8402/bank"], "token_endpoint_auth_method": "none", "scope": "openid link"},
	{"client_id": "hidden", "client_name": "隠れたサービス", "client_name#en": "Hidden service", "operator": "見本社",
	 "development": true, "redirect_uris": ["http://localhost:8405/callback"], "initiate_login_uri": "http://localhost:8405/login",
	 "token_endpoint_auth_method": "none", "scope": "openid"}
]`

var errRefused = errors.New("token refused")

// world is the API on a loopback port. A token is "account client scope".
type world struct {
	t     *testing.T
	url   string
	links *Links
	names *Subjects
	ended []string
	fail  error // what OnEnd answers

	agreed map[string]bool // "account client": Knows
}

func newWorld(t *testing.T, db *sqldb.DB) *world {
	t.Helper()
	names, links, _ := open(t, db)
	registry, err := clients.Open(t.Context(), clients.Deps{DB: db, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	if err := registry.Seed(t.Context(), []byte(seed)); err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, links: links, names: names, agreed: map[string]bool{}}
	api, err := NewAPI(APIDeps{
		Issuer: "http://localhost:8400", Links: links, Clients: registry,
		Authorize: func(_ context.Context, r *http.Request, need Need) (Caller, error) {
			f := strings.Fields(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
			if len(f) != 3 || f[2] != need.Scope || need.Machine != (f[0] == nobody) {
				return Caller{}, errRefused
			}
			if need.Machine {
				return Caller{Client: clients.ID(f[1])}, nil
			}
			return Caller{Account: AccountID(f[0]), Client: clients.ID(f[1])}, nil
		},
		Refuse: func(rw http.ResponseWriter, _ *http.Request, err error) {
			if errors.Is(err, errRefused) {
				rw.Header().Set("WWW-Authenticate", "Bearer")
				rw.WriteHeader(http.StatusUnauthorized)
				return
			}
			rw.WriteHeader(http.StatusInternalServerError)
		},
		OnEnd: func(_ context.Context, account AccountID, client clients.ID, _ Actor) error {
			w.ended = append(w.ended, string(account)+" "+string(client))
			return w.fail
		},
		Knows: func(_ context.Context, account AccountID, client clients.ID) (bool, error) {
			return w.agreed[string(account)+" "+string(client)], nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	e := echo.New()
	api.Mount(e)
	server := httptest.NewServer(e)
	t.Cleanup(server.Close)
	w.url = server.URL
	return w
}

const (
	asPortal  = "taro portal links"
	asService = "taro etax link"
	asMachine = nobody + " etax links.own"
	nobody    = "-"
)

// call answers the status and the body of a request.
func (w *world) call(method, path, token, body string) (int, string) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.url+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	if got := res.Header.Get("Cache-Control"); got != "no-store" {
		w.t.Errorf("%s %s: Cache-Control %q", method, path, got)
	}
	return res.StatusCode, strings.TrimSpace(string(b))
}

// want calls and compares.
func (w *world) want(method, path, token, body string, status int, answer string) {
	w.t.Helper()
	gotStatus, got := w.call(method, path, token, body)
	if gotStatus != status || got != answer {
		w.t.Errorf("%s %s %s:\ngot  %d %s\nwant %d %s", method, path, body, gotStatus, got, status, answer)
	}
}

func TestDirectoryAndLifeOfALinkOverHTTP(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		w := newWorld(t, db)
		since := start.UTC().Format(time.RFC3339)
		const launch = "http://localhost:8402/login?from=hub\\u0026iss=http%3A%2F%2Flocalhost%3A8400"
		entry := func(state string) string {
			return `{"services":[{"client_id":"etax","client_name":"見本e-Tax","client_name#en":"Sample e-Tax","operator":"見本国税庁",` +
				`"domain":"localhost:8402","category":"government","description":"申告と納税","description#en":"File and pay","verified":false,` +
				`"state":` + state + `,"launch_uri":"` + launch + `","health":"unknown"}]}`
		}
		w.want("GET", "/api/account/services", asPortal, "", 200, entry(`"none"`))
		w.want("GET", "/api/link", asService, "", 200, `{"state":"none"}`)
		w.want("POST", "/api/account/links", asPortal, `{"client_id":"etax"}`, 200,
			`{"client_id":"etax","state":"offered","since":"`+since+`","launch_uri":"`+launch+`"}`)
		w.want("PUT", "/api/link", asService, `{"state":"linked"}`, 200, `{"state":"linked","since":"`+since+`"}`)
		w.want("GET", "/api/account/services", asPortal, "", 200, entry(`"linked","since":"`+since+`"`))
		w.want("PUT", "/api/link", asService, `{"state":"broken"}`, 200, `{"state":"broken","since":"`+since+`"}`)
		w.want("PUT", "/api/link", asService, `{"state":"linked"}`, 200, `{"state":"linked","since":"`+since+`"}`)
		w.want("DELETE", "/api/account/links/etax", asPortal, "", 204, "")
		w.want("GET", "/api/link", asService, "", 200, `{"state":"ended","since":"`+since+`"}`)
		w.want("PUT", "/api/link", asService, `{"state":"linked"}`, 200, `{"state":"linked","since":"`+since+`"}`)
		w.want("DELETE", "/api/link", asService, "", 204, "")
		if want := []string{"taro etax", "taro etax"}; strings.Join(w.ended, ",") != strings.Join(want, ",") {
			t.Errorf("grants withdrawn for %v, want %v", w.ended, want)
		}
		_, body := w.call("GET", "/api/account/links/etax", asPortal, "")
		var got link
		if err := json.Unmarshal([]byte(body), &got); err != nil || got.State != Ended || len(got.History) != 7 {
			t.Fatalf("got %s, %v; want seven moves to ended", body, err)
		}
		if m := got.History[0]; m.From != Linked || m.To != Ended || m.By != ByService || m.Why != WhyUnbound || !m.At.Equal(start) {
			t.Errorf("newest move %+v", m)
		}
	})
}

func TestAPIRefusals(t *testing.T) {
	w := newWorld(t, sqldbtest.Open(t))
	for name, c := range map[string]struct {
		method, path, token, body string
		status                    int
		word                      string
	}{
		"no token":                      {"GET", "/api/account/services", "", "", 401, ""},
		"scope of the other side":       {"GET", "/api/account/services", asService, "", 401, ""},
		"portal as a service":           {"PUT", "/api/link", asPortal, `{"state":"linked"}`, 401, ""},
		"unknown service":               {"POST", "/api/account/links", asPortal, `{"client_id":"nobody"}`, 404, "service_unknown"},
		"service not in directory":      {"POST", "/api/account/links", asPortal, `{"client_id":"hidden"}`, 404, "service_unknown"},
		"the portal itself":             {"POST", "/api/account/links", asPortal, `{"client_id":"portal"}`, 404, "service_unknown"},
		"ending the portal itself":      {"DELETE", "/api/account/links/portal", asPortal, "", 404, "service_unknown"},
		"no body":                       {"POST", "/api/account/links", asPortal, "", 400, "invalid_request"},
		"unknown member":                {"POST", "/api/account/links", asPortal, `{"client_id":"etax","account":"hanako"}`, 400, "invalid_request"},
		"state that is not a service's": {"PUT", "/api/link", asService, `{"state":"offered"}`, 400, "invalid_request"},
		"broken before it was linked":   {"PUT", "/api/link", asService, `{"state":"broken"}`, 409, "link_state"},
	} {
		t.Run(name, func(t *testing.T) {
			w.t = t
			status, body := w.call(c.method, c.path, c.token, c.body)
			if status != c.status || (c.word != "" && !strings.Contains(body, `"error":"`+c.word+`"`)) {
				t.Errorf("got %d %s, want %d %s", status, body, c.status, c.word)
			}
		})
	}
	if all, err := w.links.List(t.Context(), "taro"); err != nil || len(all) != 0 {
		t.Errorf("refused requests left %+v, %v", all, err)
	}
}

// A link never reads as ended while the service's access lives.
func TestFailureToWithdrawKeepsTheLink(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		w := newWorld(t, db)
		w.want("PUT", "/api/link", asService, `{"state":"linked"}`, 200, `{"state":"linked","since":"`+start.UTC().Format(time.RFC3339)+`"}`)
		w.fail = errors.New("the database went away")
		for path, token := range map[string]string{"/api/account/links/etax": asPortal, "/api/link": asService} {
			w.want("DELETE", path, token, "", 500, "")
		}
		if l, err := w.links.Find(t.Context(), "taro", "etax"); err != nil || l.State != Linked {
			t.Errorf("got %+v, %v; want the link as it was", l, err)
		}
	})
}

func TestAPINeedsEveryPart(t *testing.T) {
	if _, err := NewAPI(APIDeps{}); err == nil {
		t.Error("NewAPI accepted empty APIDeps")
	}
}
