package console

import (
	"net/url"
	"testing"

	"github.com/tsunagu-id/tsunagu/clients/adminapi"
)

func TestWhoeverIsNoOperatorTypesAnInvitation(t *testing.T) {
	w := newWorld(t)
	w.api.code = "ABCDEFGH23456789"
	b := w.browser()
	if page := b.get("/"); !page.Has(`id="sign-in"`) {
		t.Fatalf("the first page: %s", page.Body)
	}
	page := b.get("/login")
	wantAt(t, page, "/join", "")
	wantAt(t, b.send("/join", url.Values{"code": {"ABCDEFGH23456780"}}), "/join", "code_wrong")
	wantAt(t, b.send("/join", url.Values{"code": {""}}), "/join", "code_wrong")
	wantAt(t, b.get("/join"), "/join", "")
	if page = b.send("/join", url.Values{"code": {"ＡＢＣＤ EFGH 2345 6789"}}); page.URL.Path == "/join" {
		t.Fatalf("the code was not taken: %s", page.Body)
	}
	if page = b.get("/join"); page.URL.Path == "/join" {
		t.Error("an operator is asked for an invitation")
	}
}

func TestFormsOfSomebodyElseDoNothing(t *testing.T) {
	w := newWorld(t)
	w.api.code = "ABCDEFGH23456789"
	b := w.browser()
	b.get("/login")
	page := b.send("/join", url.Values{"code": {w.api.code}, "for": {"somebody"}})
	wantAt(t, page, "/join", "person_changed")
	if w.api.operator.ID != "" {
		t.Error("the invitation was taken up")
	}
}

func TestRefusalsOfTheAPIAreToldInWords(t *testing.T) {
	for reason := range map[adminapi.Reason]bool{
		adminapi.Malformed: true, adminapi.RoleMissing: true, adminapi.NotYours: true, adminapi.SamePerson: true, adminapi.NotFound: true,
		adminapi.Conflict: true, adminapi.WrongState: true, adminapi.NotReady: true, adminapi.Invalid: true, adminapi.TooLarge: true,
		adminapi.TooMany: true, adminapi.Failed: true, adminapi.WrongType: true, adminapi.NotOperator: true, adminapi.Suspended: true, adminapi.Unauthenticated: true,
	} {
		site := newTestSite(t)
		for _, lang := range []string{"ja", "en"} {
			for _, part := range []string{"title", "text", "next"} {
				key := "error." + reasonWord(reason) + "." + part
				if site.TextIn(lang, key) == key {
					t.Errorf("%s: no words for %s", lang, key)
				}
			}
		}
	}
}
