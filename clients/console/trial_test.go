package console

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/clients/adminapi"
	"github.com/tsunagu-id/tsunagu/clients/rp/rptest"
)

// twin makes the API give twins of a service, with members of its own.
func (w *world) twin(members string) {
	w.api.HandleFunc("POST /api/clients/svc/test-sign-in", func(rw http.ResponseWriter, r *http.Request) {
		var in adminapi.NewTestSignIn
		if !w.api.read(rw, r, &in) {
			return
		}
		w.api.reply(rw, http.StatusCreated, adminapi.TestSignIn{
			ClientID: "svc~test-1", RedirectURI: in.RedirectURI, Until: w.now().Add(time.Hour),
			Metadata: json.RawMessage(`{"scope":"openid profile","token_endpoint_auth_method":"private_key_jwt"` + members + `}`),
		})
	})
}

// tryOut starts a test sign-in and goes on to the hub.
func (b *browser) tryOut() rptest.Page {
	b.w.t.Helper()
	b.get("/clients/svc/trial")
	page := b.send("/clients/svc/trial", url.Values{"revision": {"7"}})
	_, rest, ok := strings.Cut(page.Body, `id="trial-go"`)
	if !ok {
		return page
	}
	before, _, _ := strings.Cut(page.Body, `" id="trial-go"`)
	_ = rest
	href := before[strings.LastIndex(before, `href="`)+len(`href="`):]
	page, err := b.b.Get(strings.ReplaceAll(href, "&amp;", "&"))
	if err != nil {
		b.w.t.Fatal(err)
	}
	return page
}

// stepsOf are the steps that a trial's page shows, with + for what worked.
func stepsOf(p rptest.Page) []string {
	var all []string
	for _, part := range strings.Split(p.Body, `data-step="`)[1:] {
		name, rest, _ := strings.Cut(part, `"`)
		if strings.HasPrefix(rest, ` data-ok="true"`) {
			name += "+"
		}
		all = append(all, name)
	}
	return all
}

func TestTestSignInExplainsEachStep(t *testing.T) {
	w := newWorld(t)
	w.oversee()
	w.twin(`,"profile":"fapi2"`)
	w.hub.Set(func(s *rptest.Settings) {
		s.Userinfo = func(sub string) map[string]any { return map[string]any{"sub": sub, "name": "港 花子"} }
	})
	b := w.as("o1", adminapi.Editor)
	page := b.tryOut()
	// The sample hub revokes a grant without its access tokens: the last step finds that out.
	if got := stepsOf(page); !slices.Equal(got[:min(5, len(got))], []string{"request+", "return+", "token+", "id_token+", "userinfo+"}) {
		t.Fatalf("at %s: %v: %s", page.URL, got, page.Body)
	}
	if !page.Has("港 花子", "svc~test-1", "要求の値と同じことを確かめた") {
		t.Error(page.Body)
	}
	// Nobody else sees it.
	other := page.URL.Path
	w.hub.Set(func(s *rptest.Settings) { s.Person = "taro" })
	wantAt(t, w.as("o2", adminapi.Roles()...).get(other), other, "not_found")
}

func TestTestSignInEndsAtTheFirstStepThatFails(t *testing.T) {
	for name, tt := range map[string]struct {
		set     func(*rptest.Settings)
		members string
		want    []string
		says    string
	}{
		"refused":          {func(s *rptest.Settings) { s.Deny = "invalid_scope" }, "", []string{"request+", "return"}, "登録していない情報"},
		"stopped":          {func(s *rptest.Settings) { s.Deny = "access_denied" }, "", []string{"request+", "return"}, "同意の画面でやめました"},
		"nonce of another": {func(s *rptest.Settings) { s.Claims = func(c map[string]any) { c["nonce"] = "x" } }, "", []string{"request+", "return+", "token+", "id_token", "end"}, "信じられません"},
		"other person": {func(s *rptest.Settings) {
			s.Userinfo = func(string) map[string]any { return map[string]any{"sub": "x"} }
		}, "", []string{"request+", "return+", "token+", "id_token+", "userinfo", "end"}, "another person"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.oversee()
			w.twin(`,"profile":"fapi2"`)
			b := w.as("o1", adminapi.Editor)
			w.hub.Set(tt.set)
			page := b.tryOut()
			got := stepsOf(page)
			for i := range got {
				got[i] = strings.TrimSuffix(strings.ReplaceAll(got[i], "end+", "end"), " ")
			}
			if !slices.Equal(got, tt.want) || !page.Has(tt.says) {
				t.Errorf("at %s: %v: %s", page.URL, got, page.Body)
			}
		})
	}
}

func TestReturnOfATestSignInIsGoodOnceOfAHundred(t *testing.T) {
	w := newWorld(t)
	w.oversee()
	w.twin(`,"profile":"fapi2"`)
	b := w.as("o1", adminapi.Editor)
	b.b.Stop("/trial/callback")
	back := b.tryOut().Header.Get("Location")
	b.b.Stop("")
	const many = 100
	pages := make(chan rptest.Page, many)
	for range many {
		go func() {
			page, err := b.b.Get(back)
			if err != nil {
				t.Error(err)
			}
			pages <- page
		}()
	}
	taken := 0
	for range many {
		page := <-pages
		if page.Error() == "" && len(stepsOf(page)) >= 5 {
			taken++
		} else if page.Error() != "not_found" {
			t.Errorf("at %s: %q %v", page.URL, page.Error(), stepsOf(page))
		}
	}
	if taken != 1 {
		t.Errorf("taken %d times", taken)
	}
}
