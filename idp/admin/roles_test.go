package admin_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/tsunagu-id/tsunagu/clients/adminapi"
	"github.com/tsunagu-id/tsunagu/idp/admin/admintest"
	"github.com/tsunagu-id/tsunagu/idp/idptest"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
)

// What an operation takes, as the table below writes it.
const (
	public   = "public"   // nothing
	signedIn = "signedIn" // a token, of an operator or not
	anyone   = "any"      // being an operator
	whole    = " whole"   // and not for one organisation only
	editor   = string(adminapi.Editor)
	approver = string(adminapi.Approver)
	security = string(adminapi.Security)
)

// permissions says of every operation what it takes. It is written by hand, so that a role that is wrong in the code is wrong here too
// only if two people err.
var permissions = map[string]string{
	"GET /api/openapi.json":                     public,
	"GET /api/me":                               anyone,
	"POST /api/join":                            signedIn,
	"GET /api/clients":                          anyone,
	"POST /api/clients":                         editor,
	"GET /api/clients/{id}":                     anyone,
	"PUT /api/clients/{id}":                     editor,
	"PUT /api/clients/{id}/draft":               editor,
	"DELETE /api/clients/{id}/draft":            editor,
	"POST /api/clients/{id}/request":            editor,
	"POST /api/clients/{id}/approve":            approver,
	"POST /api/clients/{id}/reject":             approver,
	"POST /api/clients/{id}/go-back":            approver,
	"POST /api/clients/{id}/suspend":            security,
	"POST /api/clients/{id}/resume":             security,
	"POST /api/clients/{id}/retire":             security,
	"GET /api/clients/{id}/versions":            anyone,
	"GET /api/clients/{id}/versions/{version}":  anyone,
	"GET /api/clients/{id}/diff":                anyone,
	"PUT /api/clients/{id}/logo":                editor,
	"DELETE /api/clients/{id}/logo":             editor,
	"POST /api/clients/{id}/secrets":            editor,
	"DELETE /api/clients/{id}/secrets/{secret}": editor,
	"GET /api/clients/{id}/impact":              anyone,
	"GET /api/clients/{id}/figures":             anyone,
	"GET /api/clients/{id}/deliveries":          anyone,
	"GET /api/clients/{id}/sessions":            anyone,
	"GET /api/clients/{id}/preflights":          anyone,
	"POST /api/clients/{id}/preflights":         editor,
	"GET /api/clients/{id}/preflights/{report}": anyone,
	"POST /api/clients/{id}/test-sign-in":       editor,
	"GET /api/registration-tokens":              anyone,
	"POST /api/registration-tokens":             security + whole,
	"DELETE /api/registration-tokens/{id}":      security + whole,
	"GET /api/organisations":                    anyone,
	"POST /api/organisations":                   security + whole,
	"PUT /api/organisations/{id}":               security + whole,
	"GET /api/audit":                            anyone + whole,
	"GET /api/audit/export":                     security + whole,
	"POST /api/audit/verify":                    anyone + whole,
	"GET /api/audit/checkpoints":                anyone + whole,
	"POST /api/audit/checkpoints":               security + whole,
	"GET /api/audit/retention":                  anyone + whole,
	"GET /api/keys":                             anyone + whole,
	"POST /api/keys/rotate":                     security + whole,
	"GET /api/status":                           anyone + whole,
	"POST /api/citizens/find":                   security + whole,
	"POST /api/citizens/{case}/end-sessions":    security + whole,
	"GET /api/operators":                        anyone,
	"POST /api/operators":                       security + whole,
	"PATCH /api/operators/{id}":                 security + whole,
}

// TestEveryOperationTakesItsRole calls every operation that is described with every role, as nobody, as somebody who is suspended, and as
// somebody of one organisation, and looks whether anything changed when a viewer called them all.
func TestEveryOperationTakesItsRole(t *testing.T) {
	h := admintest.Start(t, idptest.Options{})
	hanako, _ := h.Operator(t, "hanako", "", adminapi.Roles()...)
	taro, o := h.Operator(t, "taro", "", adminapi.Roles()...)
	h.Call(t, hanako, http.MethodPost, "/api/organisations", adminapi.Organisation{ID: "ward", Name: "A ward"}).Into(t, nil)
	stock(t, h, hanako, taro)
	_, parsed := document(t, h)
	described := newTally(parsed).never()
	if want := slices.Sorted(maps.Keys(permissions)); !slices.Equal(described, want) {
		t.Fatalf("described and not in the table, or the other way: %v", difference(described, want))
	}
	call := func(token, operation string) adminapi.Problem {
		method, path, _ := strings.Cut(operation, " ")
		path = strings.NewReplacer("{version}", "1", "{id}", "shop", "{secret}", "s", "{report}", "r", "{case}", "c").Replace(path)
		return h.Call(t, token, method, path, struct{}{}).Problem(t)
	}
	as := func(words, organisation string, suspended bool) {
		execute(t, h.DB, `UPDATE admin_operator SET roles = $2, organisation = $3, suspended = $4 WHERE id = $1`, o.ID, words, organisation, suspended)
	}
	as("viewer", "", false)
	before := dump(t, h.DB)
	for _, operation := range described {
		takes := permissions[operation]
		role, forWhole := strings.CutSuffix(takes, whole)
		if p := call("", operation); (p.Status == http.StatusUnauthorized) != (takes != public) {
			t.Errorf("%s without a token: %+v", operation, p)
		}
		as("viewer editor approver security", "", true)
		if p := call(taro, operation); (p.Reason == adminapi.Suspended) != (takes != public && takes != signedIn) {
			t.Errorf("%s, suspended: %+v", operation, p)
		}
		as("viewer editor approver security", "ward", false)
		if p := call(taro, operation); forWhole && p.Reason != adminapi.NotYours || strings.Contains(operation, "/clients/{id}") && p.Status < http.StatusBadRequest {
			t.Errorf("%s, of an organisation: %+v", operation, p)
		}
		for _, r := range adminapi.Roles() {
			as(string(r), "", false)
			p := call(taro, operation)
			if refused := p.Reason == adminapi.RoleMissing; refused != (takes != public && takes != signedIn && role != anyone && role != string(r)) {
				t.Errorf("%s as %s: %+v", operation, r, p)
			}
			if r == adminapi.Viewer && role == anyone && p.Status >= http.StatusInternalServerError {
				t.Errorf("%s fails: %+v", operation, p)
			}
		}
	}
	as("viewer", "", false)
	if after := dump(t, h.DB); after != before {
		t.Errorf("something changed:\n%s\n%s", before, after)
	}
}

func difference(a, b []string) (out []string) {
	for _, s := range a {
		if !slices.Contains(b, s) {
			out = append(out, "+"+s)
		}
	}
	for _, s := range b {
		if !slices.Contains(a, s) {
			out = append(out, "-"+s)
		}
	}
	return out
}

func execute(t *testing.T, db *sqldb.DB, statement string, args ...any) {
	t.Helper()
	if _, err := db.Exec(t.Context(), statement, args...); err != nil {
		t.Fatal(err)
	}
}

// dump writes down what operators can change, but who was here when.
func dump(t *testing.T, db *sqldb.DB) string {
	t.Helper()
	var out strings.Builder
	for _, q := range []string{
		`SELECT id || status || version || organisation || kind FROM client ORDER BY id`,
		`SELECT client || version || metadata FROM client_version ORDER BY client, version`,
		`SELECT client || revision || state || metadata || authors || answer FROM client_draft ORDER BY client`,
		`SELECT id || name || contacts FROM organisation ORDER BY id`,
		`SELECT id || name || roles || organisation FROM admin_operator ORDER BY id`,
	} {
		rows, err := db.Query(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			var s string
			if err := rows.Scan(&s); err != nil {
				t.Fatal(err)
			}
			fmt.Fprintln(&out, s)
		}
		if err := rows.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return out.String()
}
