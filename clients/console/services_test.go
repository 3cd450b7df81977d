package console

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/tsunagu-id/tsunagu/clients/adminapi"
	"github.com/tsunagu-id/tsunagu/clients/rp/rptest"
)

// hasService gives the API one service: live in version 3, with a draft in revision 7 if metadata is given.
func (w *world) hasService(live, draft string) *adminapi.ClientDetail {
	d := &adminapi.ClientDetail{
		Client: adminapi.Client{ClientID: "library", Name: "図書館", Kind: adminapi.KindWeb, State: adminapi.StateLive, Version: 3, Changed: w.now()},
		Live:   &adminapi.Version{Version: 3, Metadata: json.RawMessage(live), By: "seed", At: w.now()}, Previous: 2,
	}
	if draft != "" {
		d.Draft = &adminapi.Draft{Revision: 7, BaseVersion: 3, State: "open", Metadata: json.RawMessage(draft), By: "o9", ByName: "次郎", At: w.now(), Authors: []string{"o9"}}
		d.Client.Draft = "open"
	}
	w.api.HandleFunc("GET /api/clients/{id}", func(rw http.ResponseWriter, r *http.Request) {
		if r.PathValue("id") != d.ClientID {
			w.api.refuse(rw, adminapi.Problem{Status: http.StatusNotFound, Reason: adminapi.NotFound})
			return
		}
		w.api.reply(rw, http.StatusOK, d)
	})
	w.api.HandleFunc("PUT /api/clients/{id}/draft", func(rw http.ResponseWriter, r *http.Request) {
		var in adminapi.SaveDraft
		if !w.api.read(rw, r, &in) {
			return
		}
		revision := int64(0)
		if d.Draft != nil {
			revision = d.Draft.Revision
		}
		if in.Revision != revision {
			w.api.refuse(rw, adminapi.Problem{Status: http.StatusConflict, Reason: adminapi.Conflict, Current: d.Draft})
			return
		}
		d.Draft = &adminapi.Draft{Revision: revision + 1, BaseVersion: 3, State: "open", Metadata: in.Metadata, By: w.api.operator.ID, ByName: w.api.operator.Name, At: w.now(), Note: in.Note}
		d.Client.Draft = "open"
		saved := adminapi.Saved{Client: *d}
		m, _ := parseMetadata(in.Metadata)
		for i, u := range m.list("redirect_uris") {
			if strings.Contains(u, "#") {
				saved.Errors = append(saved.Errors, adminapi.FieldError{Field: "redirect_uris[" + string(rune('0'+i)) + "]", Problem: "contains a fragment (#)", Remedy: "write an absolute https address as the client will send it, byte for byte"})
			}
		}
		w.api.reply(rw, http.StatusOK, saved)
	})
	w.api.HandleFunc("GET /api/clients/{id}/diff", func(rw http.ResponseWriter, r *http.Request) {
		w.api.reply(rw, http.StatusOK, adminapi.Diff{From: r.FormValue("from"), To: r.FormValue("to"), Changes: []adminapi.Change{
			{Member: "description", From: json.RawMessage(`null`), To: json.RawMessage(`"新"`)},
			{Member: "redirect_uris", From: json.RawMessage(`["https://a.example.jp/"]`), To: json.RawMessage(`["https://b.example.jp/","https://c.example.jp/"]`)},
		}})
	})
	return d
}

const libraryMetadata = `{"client_name":"図書館","operator":"見本市","redirect_uris":["https://a.example.jp/"],"scope":"openid admin","grant_types":["authorization_code"],"x_new":{"a":1}}`

func TestASectionChangesItsOwnMembersOnly(t *testing.T) {
	w := newWorld(t)
	d := w.hasService(libraryMetadata, "")
	b := w.as("hanako", adminapi.Editor)
	b.get("/clients/library/edit/names")
	page := b.send("/clients/library/edit/names", url.Values{"client_name": {"市立図書館"}, "operator": {"見本市"}, "contacts": {" a@example.jp \r\n\r\nｂ@example.jp"}})
	wantAt(t, page, "/clients/library/draft", "")
	m, err := parseMetadata(d.Draft.Metadata)
	if err != nil {
		t.Fatal(err)
	}
	if m.text("client_name") != "市立図書館" || string(m["x_new"]) != `{"a":1}` || m.text("scope") != "openid admin" || len(m.list("redirect_uris")) != 1 {
		t.Errorf("the draft is %s", d.Draft.Metadata)
	}
	if c := m.list("contacts"); len(c) != 2 || c[1] != "b@example.jp" {
		t.Errorf("contacts %q", c)
	}
	b.get("/clients/library/edit/data")
	b.send("/clients/library/edit/data", url.Values{"scope": {"openid", "offline_access"}, "purposes-offline_access": {"続けるため"}})
	if m, _ = parseMetadata(d.Draft.Metadata); m.text("scope") != "openid offline_access admin" || strings.Join(m.list("grant_types"), " ") != "authorization_code refresh_token" {
		t.Errorf("scopes that the console does not offer are lost, or the grant does not follow: %s", d.Draft.Metadata)
	}
	b.get("/clients/library/edit/data")
	b.send("/clients/library/edit/data", url.Values{})
	if m, _ = parseMetadata(d.Draft.Metadata); m.text("scope") != "openid admin" || len(m.purposes()) != 0 || len(m.list("grant_types")) != 1 {
		t.Errorf("what was unchecked stays: %s", d.Draft.Metadata)
	}
}

func TestFaultsStandAtTheirFieldsAndNothingTypedIsLost(t *testing.T) {
	w := newWorld(t)
	w.hasService(libraryMetadata, "")
	b := w.as("hanako", adminapi.Editor)
	b.get("/clients/library/edit/addresses")
	page := b.send("/clients/library/edit/addresses", url.Values{"redirect_uris": {"https://a.example.jp/\nhttps://a.example.jp/#x"}, "listed": {"yes"}})
	wantAt(t, page, "/clients/library/edit/addresses", "invalid")
	if !page.Has("data-error-summary", `href="#redirect_uris"`, `id="redirect_uris-error"`, "2行目", "「#」が入っています", "https://a.example.jp/#x</textarea>", `id="listed" name="listed" value="yes" checked`) {
		t.Errorf("the page: %s", page.Body)
	}
	if page.Status != http.StatusUnprocessableEntity || page.Hidden("/clients/library/edit/addresses").Get("revision") != "1" {
		t.Errorf("%d, revision %q", page.Status, page.Hidden("/clients/library/edit/addresses").Get("revision"))
	}
	b.get("/clients/library/edit/proof")
	page = b.send("/clients/library/edit/proof", url.Values{"jwks": {"{not json"}, "token_endpoint_auth_method": {"private_key_jwt"}})
	if wantAt(t, page, "/clients/library/edit/proof", "invalid"); !page.Has("{not json</textarea>", "JSONとして読めません") {
		t.Errorf("the page: %s", page.Body)
	}
}

func TestAConflictShowsBothAndSavesWhatIsSentAgain(t *testing.T) {
	w := newWorld(t)
	d := w.hasService(libraryMetadata, libraryMetadata)
	b := w.as("hanako", adminapi.Editor)
	b.get("/clients/library/edit/names")
	d.Draft.Revision, d.Draft.Metadata = 8, json.RawMessage(`{"client_name":"次郎の名前","operator":"見本市","redirect_uris":["https://new.example.jp/"]}`)
	page := b.send("/clients/library/edit/names", url.Values{"client_name": {"花子の名前"}, "operator": {"見本市"}})
	wantAt(t, page, "/clients/library/edit/names", "conflict")
	if page.Status != http.StatusConflict || !page.Has("次郎さん", `value="花子の名前"`, `data-theirs="client_name"`, "次郎の名前") || page.Has(`data-theirs="operator"`) {
		t.Errorf("%d: %s", page.Status, page.Body)
	}
	wantAt(t, b.send("/clients/library/edit/names", url.Values{"client_name": {"花子の名前"}, "operator": {"見本市"}}), "/clients/library/draft", "")
	m, _ := parseMetadata(d.Draft.Metadata)
	if m.text("client_name") != "花子の名前" || m.list("redirect_uris")[0] != "https://new.example.jp/" {
		t.Errorf("the other's change of another page is lost: %s", d.Draft.Metadata)
	}
}

func TestWhatIsSentTooLateIsKeptForItsAuthor(t *testing.T) {
	w := newWorld(t)
	d := w.hasService(libraryMetadata, "")
	b := w.as("hanako", adminapi.Editor)
	b.get("/clients/library/edit/names")
	w.hub.RevokeAll()
	w.api.refuseToken()
	page := b.send("/clients/library/edit/names", url.Values{"client_name": {"遅れた名前"}, "operator": {"見本市"}})
	wantAt(t, page, "/clients/library/edit/names", "")
	// Browsers hold the whole chain of redirects after a form against form-action, as far as the hub.
	if policy := page.Header.Get("Content-Security-Policy"); strings.Contains(policy, "form-action") {
		t.Errorf("neither the form nor signing out comes as far as the hub: %s", policy)
	}
	if !page.Has(`value="遅れた名前"`, "先ほど送れなかった入力です") || d.Draft != nil {
		t.Fatalf("not shown again, or saved by itself: %s", page.Body)
	}
	if page = b.get("/clients/library/edit/names"); page.Has("遅れた名前") {
		t.Error("kept for ever")
	}
}

func TestWhatIsKeptIsNotShownToSomebodyElse(t *testing.T) {
	w := newWorld(t)
	w.hasService(libraryMetadata, "")
	b := w.as("hanako", adminapi.Editor)
	b.get("/clients/library/edit/names")
	w.hub.RevokeAll()
	w.api.refuseToken()
	w.hub.Set(func(s *rptest.Settings) { s.Person = "taro" })
	page := b.send("/clients/library/edit/names", url.Values{"client_name": {"花子が書いた名前"}, "operator": {"見本市"}})
	wantAt(t, page, "/clients/library/edit/names", "")
	if page.Has("花子が書いた名前") || b.get("/clients/library/edit/names").Has("花子が書いた名前") {
		t.Error("another person sees it")
	}
}

func TestAViewerIsOfferedNoChange(t *testing.T) {
	w := newWorld(t)
	w.hasService(libraryMetadata, libraryMetadata)
	w.api.HandleFunc("GET /api/clients", func(rw http.ResponseWriter, _ *http.Request) {
		w.api.reply(rw, http.StatusOK, adminapi.ClientList{Items: []adminapi.Client{{ClientID: "library", Name: "図書館", Kind: adminapi.KindWeb, State: adminapi.StateLive, Version: 3}}, Total: 21, Next: "n1"})
	})
	b := w.as("viewer", adminapi.Viewer)
	for _, path := range []string{"/clients", "/clients/library", "/clients/library/settings", "/clients/library/draft"} {
		page := b.get(path)
		wantAt(t, page, path, "")
		for _, act := range []string{"/clients/new", "/edit/", "/suspend", "/retire", "/back?", `id="request"`, `id="approve"`} {
			if page.Has(act) {
				t.Errorf("%s offers %s to a viewer", path, act)
			}
		}
	}
	if page := b.get("/clients?q=%E5%9B%B3&state=live&kind=nonsense"); !page.Has(`href="/clients?after=n1&amp;q=%E5%9B%B3&amp;state=live" rel="next"`, `value="図"`) {
		t.Errorf("the list: %s", page.Body)
	}
}

func TestASecretIsSeenOnce(t *testing.T) {
	w := newWorld(t)
	d := w.hasService(libraryMetadata, "")
	made := 0
	w.api.HandleFunc("POST /api/clients/{id}/secrets", func(rw http.ResponseWriter, r *http.Request) {
		var in adminapi.NewSecret
		if !w.api.read(rw, r, &in) {
			return
		}
		made++
		s := adminapi.Secret{ID: "s2", Created: w.now(), State: "current", By: "hanako"}
		d.Secrets = append(d.Secrets, s)
		w.api.reply(rw, http.StatusCreated, adminapi.MadeSecret{Secret: s, Value: "the-secret-value"})
	})
	b := w.as("hanako", adminapi.Editor)
	d.Secrets = []adminapi.Secret{{ID: "s1", Created: w.now(), State: "current", Used: w.now()}}
	b.get("/clients/library/secrets/new")
	wantAt(t, b.send("/clients/library/secrets/new", url.Values{}), "/clients/library/secrets/new", "invalid")
	page := b.send("/clients/library/secrets/new", url.Values{"overlap_hours": {"168"}, "lives_days": {"365"}})
	if page.Status != http.StatusCreated || !page.Has("the-secret-value") || page.Header.Get("Cache-Control") != "no-store" || made != 1 {
		t.Errorf("%d, made %d: %s", page.Status, made, page.Body)
	}
	if page = b.get("/clients/library/secrets"); page.Has("the-secret-value") || !page.Has(`data-secret="s2"`, "secrets/s2/end") {
		t.Errorf("the list: %s", page.Body)
	}
	if page = b.get("/clients/library/secrets/s1/end"); !page.Has("この24時間に使われています") || page.Has("ほかに使える値がありません") {
		t.Errorf("ending: %s", page.Body)
	}
}

func TestAnApproverSeesWhatReachesCitizensFirst(t *testing.T) {
	w := newWorld(t)
	d := w.hasService(libraryMetadata, libraryMetadata)
	d.Draft.State, d.Client.Draft = "requested", "requested"
	b := w.as("hanako", adminapi.Approver)
	page := b.get("/clients/library/draft")
	if strings.Index(page.Body, `data-member="redirect_uris"`) > strings.Index(page.Body, `data-member="description"`) || !page.Has(`id="approve"`) {
		t.Errorf("the draft: %s", page.Body)
	}
	w.api.HandleFunc("POST /api/clients/{id}/approve", func(rw http.ResponseWriter, r *http.Request) {
		w.api.refuse(rw, adminapi.Problem{Status: http.StatusConflict, Reason: adminapi.NotReady})
	})
	page = b.send("/clients/library/draft/approve", url.Values{"revision": {"7"}, "exception": {""}})
	if wantAt(t, page, "/clients/library/draft/approve", "invalid"); !page.Has(`id="exception-error"`) {
		t.Errorf("refused without a word at the field: %s", page.Body)
	}
	d.Draft.Authors = append(d.Draft.Authors, "hanako")
	if page = b.get("/clients/library/draft"); page.Has(`id="approve"`) || !page.Has(`id="own-draft"`) {
		t.Error("an author is offered to approve")
	}
}

// Somebody presses approve without a reason, is told, mends it, and finds her sign-in over: the page that told her is no dead end.
func TestWhatIsSentTooLateFromAPageWithFaultsIsKept(t *testing.T) {
	w := newWorld(t)
	d := w.hasService(libraryMetadata, libraryMetadata)
	d.Draft.State, d.Client.Draft = "requested", "requested"
	b := w.as("hanako", adminapi.Approver)
	b.get("/clients/library/draft")
	wantAt(t, b.send("/clients/library/draft/reject", url.Values{"reason": {"x"}}), "/clients/library/draft/reject", "invalid")
	w.hub.RevokeAll()
	w.api.refuseToken()
	page := b.send("/clients/library/draft/reject", url.Values{"reason": {"戻り先が違います"}})
	if wantAt(t, page, "/clients/library/draft/reject", ""); strings.Count(page.Body, "先ほど送れなかった入力です") != 1 || !page.Has("戻り先が違います</textarea>") {
		t.Errorf("the draft: %s", page.Body)
	}

	b.get("/clients/library/back?version=2")
	wantAt(t, b.send("/clients/library/back", url.Values{"reason": {""}}), "/clients/library/back", "invalid")
	w.hub.RevokeAll()
	w.api.refuseToken()
	page = b.send("/clients/library/back", url.Values{"reason": {"ログインできない人がいます"}})
	if wantAt(t, page, "/clients/library/back", ""); !page.Has("ログインできない人がいます</textarea>", `name="version" value="2"`) {
		t.Errorf("going back: %s", page.Body)
	}
}

func TestWhatIsSentWhileTheHubFailsIsKept(t *testing.T) {
	w := newWorld(t)
	w.hasService(libraryMetadata, "")
	b := w.as("hanako", adminapi.Editor)
	b.get("/clients/library/edit/names")
	w.api.fail(true)
	wantAt(t, b.send("/clients/library/edit/names", url.Values{"client_name": {"届かなかった名前"}, "operator": {"見本市"}}), "/clients/library/edit/names", "api_failed")
	w.api.fail(false)
	if page := b.get("/clients/library/edit/names"); !page.Has(`value="届かなかった名前"`, "先ほど送れなかった入力です") {
		t.Errorf("lost: %s", page.Body)
	}
}

// The draft that one operator saved was asked for and approved while another one had the page open: there is no draft again, as she saw it, and
// still it is not what she saw.
func TestWhatWentLiveMeanwhileIsAConflict(t *testing.T) {
	w := newWorld(t)
	d := w.hasService(libraryMetadata, "")
	b := w.as("hanako", adminapi.Editor)
	b.get("/clients/library/edit/names")
	d.Version, d.Live = 4, &adminapi.Version{
		Version: 4, Metadata: json.RawMessage(`{"client_name":"次郎の名前","operator":"見本市"}`), By: "o9", ByName: "次郎", At: w.now(),
	}
	page := b.send("/clients/library/edit/names", url.Values{"client_name": {"花子の名前"}, "operator": {"見本市"}})
	wantAt(t, page, "/clients/library/edit/names", "conflict")
	if !page.Has("次郎さん", `value="花子の名前"`, "次郎の名前") || d.Draft != nil {
		t.Errorf("%s", page.Body)
	}
	wantAt(t, b.send("/clients/library/edit/names", url.Values{"client_name": {"花子の名前"}, "operator": {"見本市"}}), "/clients/library/draft", "")
}

func TestAMemberThatStandsTwiceIsNotDroppedInSilence(t *testing.T) {
	w := newWorld(t)
	d := w.hasService(libraryMetadata, "")
	b := w.as("hanako", adminapi.Editor)
	b.get("/clients/library/edit/whole")
	page := b.send("/clients/library/edit/whole", url.Values{"document": {`{"client_name":"一","operator":"見本市","client_name":"二"}`}})
	if wantAt(t, page, "/clients/library/edit/whole", "invalid"); d.Draft != nil || !page.Has("JSONとして読めません") {
		t.Errorf("%s", page.Body)
	}
}

func TestAddressesThatNameNothingAskNothing(t *testing.T) {
	w := newWorld(t)
	b := w.as("hanako", adminapi.Editor)
	w.api.asked = nil
	for _, id := range []string{"%2e%2e", "%2e", "a%2fb", "a%3fb", "a%25b", "a;b", "%E5%9B%B3", "a%00b"} {
		for _, path := range []string{"/clients/" + id, "/clients/library/secrets/" + id + "/end"} {
			if page := b.get(path); page.Status != http.StatusNotFound || page.Error() != "not_found" || len(w.api.asked) > 0 {
				t.Errorf("%s: %d at %s, asked %q", path, page.Status, page.URL, w.api.asked)
			}
		}
	}
}

func TestAnOperatorOfOneOrganisationIsOfferedNoneToChange(t *testing.T) {
	w := newWorld(t)
	w.api.HandleFunc("GET /api/organisations", func(rw http.ResponseWriter, _ *http.Request) {
		w.api.reply(rw, http.StatusOK, adminapi.OrganisationList{Items: []adminapi.Organisation{{ID: "city", Name: "見本市"}}})
	})
	b := w.as("hanako", adminapi.Security)
	if page := b.get("/organisations"); !page.Has(`href="/organisations/city"`, `id="new-organisation"`) {
		t.Errorf("everywhere: %s", page.Body)
	}
	w.api.enter(adminapi.Operator{ID: "hanako", Name: "hanako", Roles: []adminapi.Role{adminapi.Security}, Organisation: "city"})
	if page := b.get("/organisations"); page.Has(`href="/organisations/city"`) || page.Has(`id="new-organisation"`) || !page.Has("見本市") {
		t.Errorf("of one: %s", page.Body)
	}
}
