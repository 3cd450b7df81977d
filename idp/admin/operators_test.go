package admin_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/tsunagu-id/tsunagu/clients/adminapi"
	"github.com/tsunagu-id/tsunagu/idp/admin"
	"github.com/tsunagu-id/tsunagu/idp/admin/admintest"
	"github.com/tsunagu-id/tsunagu/idp/idptest"
)

// TestOperatorsComeByInvitation: the first by the database, the next by the API, each code once, and a program by its client.
func TestOperatorsComeByInvitation(t *testing.T) {
	h := admintest.Start(t, idptest.Options{})
	stranger := h.Token(t, "taro")
	if p := h.Call(t, stranger, http.MethodGet, "/api/me", nil).Problem(t); p.Status != 403 || p.Reason != adminapi.NotOperator {
		t.Fatalf("a stranger: %+v", p)
	}
	hanako, o := h.Operator(t, "hanako", "", adminapi.Roles()...)
	var me adminapi.Me
	h.Call(t, hanako, http.MethodGet, "/api/me", nil).Into(t, &me)
	if me.Operator.ID != o.ID || me.Issuer != h.Issuer || len(me.Operator.Roles) != 4 || me.Operator.LastSeen.IsZero() {
		t.Errorf("%+v", me)
	}
	var i adminapi.Invitation
	h.Call(t, hanako, http.MethodPost, "/api/operators", adminapi.NewOperator{Name: "Taro", Roles: []adminapi.Role{adminapi.Viewer}}).Into(t, &i)
	if p := h.Call(t, hanako, http.MethodPost, "/api/join", adminapi.Join{Code: i.Code}).Problem(t); p.Reason != adminapi.WrongState {
		t.Errorf("an operator joins again: %+v", p)
	}
	for _, code := range []string{"BBBB-BBBB-BBBB-BBBB-BBBB", "not a code at all", i.Code + "B"} {
		if p := h.Call(t, stranger, http.MethodPost, "/api/join", adminapi.Join{Code: code}).Problem(t); p.Reason != adminapi.Invalid || len(p.Errors) != 1 || p.Errors[0].Field != "code" {
			t.Errorf("%s: %+v", code, p)
		}
	}
	var taro adminapi.Operator
	h.Call(t, stranger, http.MethodPost, "/api/join", adminapi.Join{Code: i.Code}).Into(t, &taro)
	if taro.ID != i.Operator.ID || !taro.InvitedUntil.IsZero() {
		t.Errorf("%+v", taro)
	}
	program := h.Program(t, adminapi.Editor)
	h.Call(t, program, http.MethodGet, "/api/me", nil).Into(t, &me)
	if me.Operator.Client != admintest.ProgramID {
		t.Errorf("%+v", me)
	}
	if _, err := admin.Invite(t.Context(), h.DB, h.Now, adminapi.NewOperator{Name: "robot", Roles: []adminapi.Role{adminapi.Approver}, Client: admintest.ProgramID}); err == nil {
		t.Error("a program approves")
	}
	var list adminapi.OperatorList
	h.Call(t, stranger, http.MethodGet, "/api/operators", nil).Into(t, &list)
	if len(list.Items) != 3 {
		t.Errorf("%+v", list)
	}
}

// TestNobodyChangesHerself, no program gets a role that takes judgement, and what is changed counts at the next call.
func TestNobodyChangesHerself(t *testing.T) {
	h := admintest.Start(t, idptest.Options{})
	hanako, o := h.Operator(t, "hanako", "", adminapi.Security)
	taro, other := h.Operator(t, "taro", "", adminapi.Viewer)
	change := func(token, id string, c adminapi.OperatorChange) admintest.Answer {
		c.Reason = "a test"
		return h.Call(t, token, http.MethodPatch, "/api/operators/"+id, c)
	}
	if p := change(hanako, o.ID, adminapi.OperatorChange{Roles: adminapi.Roles()}).Problem(t); p.Reason != adminapi.SamePerson {
		t.Errorf("took roles: %+v", p)
	}
	if p := change(hanako, "op-none", adminapi.OperatorChange{}).Problem(t); p.Reason != adminapi.NotFound {
		t.Errorf("%+v", p)
	}
	change(hanako, other.ID, adminapi.OperatorChange{Roles: []adminapi.Role{adminapi.Security, adminapi.Editor}}).Into(t, &other)
	if len(other.Roles) != 2 {
		t.Errorf("%+v", other)
	}
	yes, no := true, false
	change(taro, o.ID, adminapi.OperatorChange{Suspended: &yes}).Into(t, nil)
	if p := h.Call(t, hanako, http.MethodGet, "/api/me", nil).Problem(t); p.Reason != adminapi.Suspended {
		t.Errorf("suspended, and goes on: %+v", p)
	}
	change(taro, o.ID, adminapi.OperatorChange{Suspended: &no}).Into(t, nil)
	h.Call(t, hanako, http.MethodGet, "/api/me", nil).Into(t, nil)

	h.Program(t, adminapi.Viewer)
	var list adminapi.OperatorList
	h.Call(t, hanako, http.MethodGet, "/api/operators?limit=100", nil).Into(t, &list)
	for _, program := range list.Items {
		if program.Client == "" {
			continue
		}
		if p := change(hanako, program.ID, adminapi.OperatorChange{Roles: []adminapi.Role{adminapi.Approver}}).Problem(t); p.Reason != adminapi.Invalid || p.Errors[0].Field != "roles" {
			t.Errorf("a program approves: %+v", p)
		}
	}
}

// TestAnOrganisationsOperatorSeesItsOwn services and nothing else, and what makes a program the hub's own is not hers to approve.
func TestAnOrganisationsOperatorSeesItsOwn(t *testing.T) {
	h := admintest.Start(t, idptest.Options{})
	hanako, _ := h.Operator(t, "hanako", "", adminapi.Roles()...)
	for _, id := range []string{"ward", "city"} {
		h.Call(t, hanako, http.MethodPost, "/api/organisations", adminapi.Organisation{ID: id, Name: id, Contacts: []string{"it@" + id + ".example"}}).Into(t, nil)
	}
	taro, _ := h.Operator(t, "taro", "ward", adminapi.Editor, adminapi.Approver)
	h.Call(t, hanako, http.MethodPost, "/api/clients", adminapi.NewClient{Metadata: shop(nil), Organisation: "city"}).Into(t, nil)
	var saved adminapi.Saved
	h.Call(t, taro, http.MethodPost, "/api/clients", adminapi.NewClient{Metadata: shop(map[string]any{"client_id": "stall"})}).Into(t, &saved)
	if saved.Client.Organisation != "ward" {
		t.Errorf("%+v", saved.Client.Client)
	}
	var list adminapi.ClientList
	h.Call(t, taro, http.MethodGet, "/api/clients", nil).Into(t, &list)
	if list.Total != 1 || list.Items[0].ClientID != "stall" {
		t.Errorf("%+v", list)
	}
	var organisations adminapi.OrganisationList
	h.Call(t, taro, http.MethodGet, "/api/organisations", nil).Into(t, &organisations)
	if len(organisations.Items) != 1 || organisations.Items[0].ID != "ward" {
		t.Errorf("%+v", organisations)
	}
	for _, c := range []struct {
		method, path string
		body         any
	}{
		{http.MethodGet, "/api/clients?organisation=city", nil},
		{http.MethodGet, "/api/clients/shop", nil},
		{http.MethodPut, "/api/clients/shop", adminapi.Apply{Metadata: shop(nil)}},
		{http.MethodPut, "/api/clients/new", adminapi.Apply{Metadata: shop(map[string]any{"client_id": "new"}), Organisation: "city"}},
		{http.MethodPost, "/api/clients", adminapi.NewClient{Metadata: shop(map[string]any{"client_id": "new"}), Organisation: "city"}},
		{http.MethodPost, "/api/clients/shop/secrets", adminapi.NewSecret{}},
	} {
		if p := h.Call(t, taro, c.method, c.path, c.body).Problem(t); p.Reason != adminapi.NotYours {
			t.Errorf("%s %s: %+v", c.method, c.path, p)
		}
	}
	var applied adminapi.Applied
	own := map[string]any{"client_id": "stall", "first_party": true}
	h.Call(t, hanako, http.MethodPut, "/api/clients/stall/draft", adminapi.SaveDraft{Revision: saved.Client.Draft.Revision, Metadata: shop(own)}).Into(t, &saved)
	h.Call(t, hanako, http.MethodPut, "/api/clients/stall", adminapi.Apply{Metadata: shop(own), Request: true}).Into(t, &applied)
	if p := h.Call(t, taro, http.MethodPost, "/api/clients/stall/approve", adminapi.Approve{Revision: applied.Client.Draft.Revision, Exception: "we know what we do"}).Problem(t); p.Reason != adminapi.NotYours {
		t.Errorf("%+v", p)
	}
}

// TestTheHubsWordIsTheHubsToGive: somebody of one organisation neither brings back what made a service the hub's own, nor has the hub vouch for it.
func TestTheHubsWordIsTheHubsToGive(t *testing.T) {
	h := admintest.Start(t, idptest.Options{})
	hanako, _ := h.Operator(t, "hanako", "", adminapi.Roles()...)
	h.Call(t, hanako, http.MethodPost, "/api/organisations", adminapi.Organisation{ID: "ward", Name: "ward", Contacts: []string{"it@ward.example"}}).Into(t, nil)
	taro, _ := h.Operator(t, "taro", "ward", adminapi.Approver)
	h.Call(t, hanako, http.MethodPost, "/api/clients", adminapi.NewClient{Metadata: shop(map[string]any{"client_id": "stall"}), Organisation: "ward"}).Into(t, nil)
	secret := strings.Repeat("0123abcd", 8)
	for _, own := range []bool{true, false, false} {
		entry := map[string]any{"client_id": "stall", "first_party": own, "client_secret_sha256": secret, "description": fmt.Sprint(own)}
		if err := h.Clients.Seed(t.Context(), []byte("["+string(shop(entry))+"]")); err != nil {
			t.Fatal(err)
		}
	}
	back := func(as string, version int64) adminapi.Problem {
		return h.Call(t, as, http.MethodPost, "/api/clients/stall/go-back", adminapi.GoBack{Version: version, Reason: "it was better"}).Problem(t)
	}
	if p := back(taro, 1); p.Reason != adminapi.NotYours {
		t.Errorf("first_party comes back: %+v", p)
	}
	for _, change := range []map[string]any{
		{"verified": true}, {"session_class": "government"}, {"serves": []string{"https://stall.example/api"}}, {"first_party": true},
	} {
		change["client_id"] = "stall"
		var applied adminapi.Applied
		h.Call(t, hanako, http.MethodPut, "/api/clients/stall", adminapi.Apply{Metadata: shop(change), Request: true}).Into(t, &applied)
		approval := adminapi.Approve{Revision: applied.Client.Draft.Revision, Exception: "we know what we do"}
		if p := h.Call(t, taro, http.MethodPost, "/api/clients/stall/approve", approval).Problem(t); p.Reason != adminapi.NotYours {
			t.Errorf("%v: %+v", change, p)
		}
	}
	if p := back(hanako, 1); p.Reason != "" {
		t.Errorf("an operator of the hub: %+v", p)
	}
}
