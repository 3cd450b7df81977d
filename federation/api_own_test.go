package federation

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
	"github.com/tsunagu-id/tsunagu/internal/sqldb/sqldbtest"
)

// person gives somebody a name in the sector of both sample services, and the consent to one of them.
func (w *world) person(account AccountID, client clients.ID) string {
	w.t.Helper()
	sub, err := w.names.For(w.t.Context(), account, "localhost:8402")
	if err != nil {
		w.t.Fatal(err)
	}
	w.agreed[string(account)+" "+string(client)] = true
	return sub
}

func (w *world) linked(account AccountID, client clients.ID, tie string) {
	w.t.Helper()
	if _, err := w.links.Confirm(w.t.Context(), account, client, tie); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) wantState(account AccountID, client clients.ID, state State, tie string) {
	w.t.Helper()
	if l, err := w.links.Find(w.t.Context(), account, client); err != nil || l.State != state || l.Tie != tie {
		w.t.Errorf("%s at %s: %s %q, %v; want %s %q", account, client, l.State, l.Tie, err, state, tie)
	}
}

// TestServiceReadsAndChangesItsLinksAlone: the whole surface, and that the other service, of the same sector, neither sees nor changes any of it.
func TestServiceReadsAndChangesItsLinksAlone(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		w := newWorld(t, db)
		taro := w.person("taro", "etax")
		w.linked("taro", "etax", "t1")
		const asBank = nobody + " bank links.own"
		for _, c := range []struct{ method, path, body string }{
			{"GET", "/api/links/" + taro, ""}, {"PUT", "/api/links/" + taro, `{"state":"linked","tie":"t1"}`},
			{"PUT", "/api/links/" + taro, `{"state":"broken"}`}, {"DELETE", "/api/links/" + taro, ""}, {"DELETE", "/api/links/" + taro + "?tie=t1", ""},
		} {
			if status, body := w.call(c.method, c.path, asBank, c.body); status != 404 || !strings.Contains(body, `"subject_unknown"`) {
				t.Errorf("the other service, %s %s: %d %s", c.method, c.path, status, body)
			}
		}
		w.want("GET", "/api/links", asBank, "", 200, `{"links":[],"cursor":"","more":false}`)
		w.wantState("taro", "etax", Linked, "t1")
		if len(w.ended) != 0 {
			t.Errorf("withdrawn: %v", w.ended)
		}

		_, body := w.call("GET", "/api/links", asMachine, "")
		var page struct {
			Links  []ownLink
			Cursor string
		}
		if err := json.Unmarshal([]byte(body), &page); err != nil || len(page.Links) != 1 || page.Links[0].Sub != taro || page.Links[0].Tie != "t1" || page.Links[0].State != Linked {
			t.Fatalf("%s, %v", body, err)
		}
		w.want("GET", "/api/links?since="+page.Cursor, asMachine, "", 200, `{"links":[],"cursor":"`+page.Cursor+`","more":false}`)
		if status, body := w.call("GET", "/api/links?since=999-AAAA", asMachine, ""); status != 409 || !strings.Contains(body, `"cursor_unknown"`) {
			t.Errorf("%d %s", status, body)
		}
		since := `"since":"` + page.Links[0].Since.Format("2006-01-02T15:04:05Z07:00") + `"`
		answer := func(state string) string {
			return `{"sub":"` + taro + `","state":"` + state + `",` + since + `,"tie":"t1"}`
		}
		w.want("PUT", "/api/links/"+taro, asMachine, `{"state":"broken","tie":"t0"}`, 200, answer("linked")) // of another tie
		w.want("PUT", "/api/links/"+taro, asMachine, `{"state":"broken","tie":"t1"}`, 200, answer("broken"))
		w.want("PUT", "/api/links/"+taro, asMachine, `{"tie":"t1","state":"linked"}`, 200, answer("linked"))
		w.want("DELETE", "/api/links/"+taro+"?tie=t0", asMachine, "", 204, "")
		w.wantState("taro", "etax", Linked, "t1")
		w.want("DELETE", "/api/links/"+taro+"?tie=t1", asMachine, "", 204, "")
		w.want("GET", "/api/links/"+taro, asMachine, "", 200, answer("ended"))
		for _, tie := range []string{"t1", "t2"} {
			if status, body := w.call("PUT", "/api/links/"+taro, asMachine, `{"state":"linked","tie":"`+tie+`"}`); status != 409 || !strings.Contains(body, `"link_state"`) {
				t.Errorf("raised what has ended: %d %s", status, body)
			}
		}
		if strings.Join(w.ended, ",") != "taro etax,taro etax" { // the first was rolled back
			t.Errorf("withdrawn: %v", w.ended)
		}
	})
}

// TestNoLinkForWhoNeverSignedIn: a service makes no link for somebody who gave it nothing, though others of its sector know her by that name; nor
// for somebody who has withdrawn.
func TestNoLinkForWhoNeverSignedIn(t *testing.T) {
	w := newWorld(t, sqldbtest.Open(t))
	hanako := w.person("hanako", "bank")
	for name, sub := range map[string]string{"of another service": hanako, "nobody": "NOBODYATALL", "no name": "%00", "long": strings.Repeat("a", 256)} {
		if status, body := w.call("PUT", "/api/links/"+sub, asMachine, `{"state":"linked","tie":"t"}`); status != 404 {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
	if l, err := w.links.List(t.Context(), "hanako"); err != nil || len(l) != 0 {
		t.Errorf("%+v, %v", l, err)
	}
	taro := w.person("taro", "etax")
	w.linked("taro", "etax", "t")
	if _, err := w.links.Break(t.Context(), "taro", "etax", ""); err != nil {
		t.Fatal(err)
	}
	delete(w.agreed, "taro etax")
	if status, body := w.call("PUT", "/api/links/"+taro, asMachine, `{"state":"linked","tie":"t"}`); status != 409 {
		t.Errorf("after she withdrew: %d %s", status, body)
	}
}

// A token that speaks for a person does not open what a service does alone, and the other way round.
func TestOwnLinksNeedTheServicesOwnToken(t *testing.T) {
	w := newWorld(t, sqldbtest.Open(t))
	for _, path := range []string{"GET /api/links", "GET /api/links/x", "PUT /api/links/x", "DELETE /api/links/x", "POST /api/links/census", "POST /api/links/census/1-a", "POST /api/links/census/1-a/end"} {
		method, path, _ := strings.Cut(path, " ")
		for _, token := range []string{"", asPortal, asService, "taro etax links.own", nobody + " etax link"} {
			if status, _ := w.call(method, path, token, ""); status != 401 {
				t.Errorf("%s %s with %q: %d", method, path, token, status)
			}
		}
	}
	if status, _ := w.call("GET", "/api/link", nobody+" etax link", ""); status != 401 {
		t.Errorf("%d", status)
	}
}

func TestCensusOverHTTP(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		w := newWorld(t, db)
		subs := map[AccountID]string{}
		for _, a := range []AccountID{"stands", "lost-here", "ended-here", "moved", "broken", "unheard"} {
			subs[a] = w.person(a, "etax")
			if a != "unheard" {
				w.linked(a, "etax", "t1")
			}
		}
		if _, err := w.links.End(t.Context(), "ended-here", "etax", ByCitizen, WhyAccessRevoked); err != nil {
			t.Fatal(err)
		}
		w.linked("moved", "etax", "t2")
		if _, err := w.links.Break(t.Context(), "broken", "etax", ""); err != nil {
			t.Fatal(err)
		}
		_, body := w.call("POST", "/api/links/census", asMachine, "")
		var begun struct{ Census string }
		if err := json.Unmarshal([]byte(body), &begun); err != nil || begun.Census == "" {
			t.Fatalf("%s, %v", body, err)
		}
		at := "/api/links/census/" + begun.Census
		var ties []string
		for _, a := range []AccountID{"stands", "ended-here", "moved", "broken", "unheard"} {
			ties = append(ties, fmt.Sprintf(`{"sub":%q,"tie":"t1"}`, subs[a]))
		}
		ties = append(ties, `{"sub":"GONE","tie":"t1"}`)
		if status, _ := w.call("POST", at, nobody+" bank links.own", `{"ties":[]}`); status != 409 {
			t.Errorf("another service's census: %d", status)
		}
		w.want("POST", at, asMachine, `{"ties":[`+strings.Join(ties, ",")+`]}`, 200, `{"over":["`+subs["ended-here"]+`","`+subs["moved"]+`","GONE"]}`)
		w.want("POST", at+"/end", asMachine, "", 200, `{"broken":2}`)
		w.wantState("stands", "etax", Linked, "t1")
		w.wantState("lost-here", "etax", Broken, "t1")
		w.wantState("ended-here", "etax", Ended, "t1")
		w.wantState("moved", "etax", Broken, "t2")
		w.wantState("broken", "etax", Linked, "t1")
		w.wantState("unheard", "etax", Linked, "t1")
		if status, _ := w.call("POST", at, asMachine, `{"ties":[]}`); status != 409 {
			t.Errorf("after its end: %d", status)
		}
	})
}

// FuzzDecodeTies: what is accepted means the same to any other JSON parser.
func FuzzDecodeTies(f *testing.F) {
	for _, seed := range []string{
		`{"ties":[]}`, `{"ties":[{"sub":"A","tie":"t"}]}`, `{"ties":[{"tie":"t","sub":"A"},{"sub":"B"}]}`, `{"ties":[{"sub":"A"},{"sub":"A"}]}`, `{"ties":{}}`, `{"ties":[{"sub":"A","Tie":"t"}]}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		r := httptest.NewRequest("POST", "/", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		got, err := decodeTies(r)
		if err != nil {
			if reasonOf(err) != RequestMalformed {
				t.Fatalf("got %v, want RequestMalformed", err)
			}
			return
		}
		var other struct{ Ties []map[string]string }
		if err := json.Unmarshal([]byte(body), &other); err != nil || len(other.Ties) != len(got) {
			t.Fatalf("accepted %q as %d ties, another parser has %d, %v", body, len(got), len(other.Ties), err)
		}
		for i, o := range other.Ties {
			if o["sub"] != got[i].Sub || o["tie"] != got[i].Tie {
				t.Fatalf("%q: %v, another parser %v", body, got[i], o)
			}
		}
	})
}
