package admin_test

import (
	"net/http"
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
