package admin_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/tsunagu-id/tsunagu/clients/adminapi"
	"github.com/tsunagu-id/tsunagu/idp/admin/admintest"
	"github.com/tsunagu-id/tsunagu/idp/idptest"
	"github.com/tsunagu-id/tsunagu/internal/audit"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
	"github.com/tsunagu-id/tsunagu/internal/sqldb/sqldbtest"
)

var numberOnPage = regexp.MustCompile(`[0-9A-F]{4}-[0-9A-F]{4}`)

// citizen signs somebody in, has her see a page of an error, and returns her browser, the number that she reads there, and the service's name
// for her.
func citizen(t *testing.T, h *admintest.Hub, card string) (b *idptest.Browser, number, sub string) {
	t.Helper()
	b = h.Browser(t)
	r := idptest.NewRequest("scope", "openid")
	tokens := h.Hub.Redeem(t, h.Hub.Code(t, b, r, card), r)
	sub = h.Bearer(t, http.MethodGet, "/userinfo", tokens.Text("access_token")).Text("sub")
	if sub == "" {
		t.Fatalf("%s", tokens.Raw)
	}
	p := b.Get("/account/representing/no-such-mandate")
	if p.Status != http.StatusNotFound {
		t.Fatalf("%d %s", p.Status, p.Body)
	}
	return b, numberOnPage.FindString(p.Body), sub
}

// TestCitizenReadsThatAnOperatorLooked: by either way, with role and reason, on her page, in her notices and in the audit log; nothing says who
// she is; and it is her sessions that the operator can end, and nobody else's.
func TestCitizenReadsThatAnOperatorLooked(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		h := admintest.Start(t, idptest.Options{DB: db})
		hanako, o := h.Operator(t, "hanako", "", adminapi.Roles()...)
		her, number, sub := citizen(t, h, "taro")
		find := func(in adminapi.FindCitizen) (c adminapi.Citizen) {
			t.Helper()
			in.Reason = "she called & asked <why>"
			h.Call(t, hanako, http.MethodPost, "/api/citizens/find", in).Into(t, &c)
			return c
		}
		byNumber := find(adminapi.FindCitizen{Trouble: strings.ToLower(number)})
		if len(byNumber.Troubles) != 1 || byNumber.Troubles[0].Kind != "page.trouble" || byNumber.Troubles[0].Reason != "not_found" || byNumber.Troubles[0].Account != "" {
			t.Errorf("%+v", byNumber.Troubles)
		}
		found := find(adminapi.FindCitizen{ClientID: idptest.ClientID, Subject: sub})
		if len(found.Logins) != 1 || found.Logins[0].ACR == "" || found.Logins[0].Client != idptest.ClientID || len(found.Sessions) != 1 ||
			found.Sessions[0].Services[0] != idptest.ClientID || found.Since.IsZero() || found.Case == "" || found.Case == byNumber.Case {
			t.Errorf("%+v", found)
		}

		page := her.Get("/account").Body
		for _, want := range []string{`data-look="account.looks.way.number"`, `data-look="account.looks.way.subject"`, "セキュリティ担当", "she called &amp; asked &lt;why&gt;"} {
			if !strings.Contains(page, want) {
				t.Errorf("her page lacks %s", want)
			}
		}
		if strings.Contains(page, o.ID) || strings.Contains(page, `"hanako"`) {
			t.Error("her page names the operator")
		}
		if en := her.Get("/account?lang=en").Body; !strings.Contains(en, "Role: security") || !strings.Contains(en, "by a reference number") {
			t.Error("her page says nothing in English")
		}
		if n := strings.Count(her.Get("/account/notices").Body, `data-notice="looked-at"`); n != 2 {
			t.Errorf("%d notices", n)
		}
		rows, err := h.Audit.Search(t.Context(), audit.Filter{Kind: "citizen.looked_at", Actor: o.ID}, "", 10)
		if err != nil || len(rows.Rows) != 2 || rows.Rows[0].Account == "" || rows.Rows[0].Facts["role"] != "security" {
			t.Fatalf("%+v %v", rows, err)
		}
		for _, r := range rows.Rows {
			for _, v := range r.Facts {
				if strings.Contains(v, "called") {
					t.Error("the operator's own words are in the audit log")
				}
			}
		}

		// Another operator's case is nobody's.
		h.Call(t, hanako, http.MethodPost, "/api/operators", adminapi.NewOperator{Name: "Robot", Roles: []adminapi.Role{adminapi.Editor}, Client: admintest.ProgramID}).Into(t, nil)
		end := "/api/citizens/" + found.Case + "/end-sessions"
		execute(t, h.DB, `UPDATE admin_operator SET roles = 'security' WHERE client = $1`, admintest.ProgramID)
		if p := h.Call(t, h.ProgramToken(t), http.MethodPost, end, adminapi.Because{Reason: "hers"}).Problem(t); p.Status == http.StatusNoContent || p.Status == 0 {
			t.Errorf("%+v", p)
		}
		if p := h.Call(t, hanako, http.MethodPost, "/api/citizens/"+strings.Repeat("A", 22)+"/end-sessions", adminapi.Because{Reason: "hers"}).Problem(t); p.Reason != adminapi.NotFound {
			t.Errorf("%+v", p)
		}
		if p := her.Get("/account"); !strings.Contains(p.Body, "data-signed-in") {
			t.Fatal("she was signed out")
		}
		if a := h.Call(t, hanako, http.MethodPost, end, adminapi.Because{Reason: "she lost her computer"}); a.Status != http.StatusNoContent {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
		if p := her.Get("/account"); strings.Contains(p.Body, "data-signed-in") {
			t.Error("she is still signed in")
		}
		h.Call(t, hanako, http.MethodGet, "/api/me", nil).Into(t, nil) // the operator is
		rows, err = h.Audit.Search(t.Context(), audit.Filter{Kind: "citizen.sessions_ended"}, "", 10)
		if err != nil || len(rows.Rows) != 1 || rows.Rows[0].Actor != o.ID {
			t.Errorf("%+v %v", rows, err)
		}
		again := h.Browser(t)
		if p := again.Get(again.CardLogin(again.Get(idptest.NewRequest("scope", "openid").Path()), "taro")); p.Status >= http.StatusInternalServerError {
			t.Fatalf("%d %s", p.Status, p.Body)
		}
		if p := again.Get("/account"); !strings.Contains(p.Body, "she lost her computer") || !strings.Contains(p.Body, `data-look="account.looks.way.end"`) {
			t.Error("she does not read that her sign-ins were ended")
		}
		if err := h.Audit.Verify(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// TestNobodyIsFoundBySearchingAround: what fits nobody is refused, and that somebody tried is in the audit log.
func TestNobodyIsFoundBySearchingAround(t *testing.T) {
	h := admintest.Start(t, idptest.Options{})
	hanako, o := h.Operator(t, "hanako", "", adminapi.Roles()...)
	_, number, sub := citizen(t, h, "taro")
	refused := func(in adminapi.FindCitizen, want adminapi.Reason) {
		t.Helper()
		in.Reason = "looking around"
		if p := h.Call(t, hanako, http.MethodPost, "/api/citizens/find", in).Problem(t); p.Reason != want {
			t.Errorf("%+v: %+v", in, p)
		}
	}
	refused(adminapi.FindCitizen{Trouble: "0000-0000"}, adminapi.NotFound)
	refused(adminapi.FindCitizen{ClientID: idptest.ClientID, Subject: sub + "x"}, adminapi.NotFound)
	refused(adminapi.FindCitizen{ClientID: admintest.ConsoleID, Subject: sub}, adminapi.NotFound) // another service's name
	refused(adminapi.FindCitizen{ClientID: "Yamada Taro", Subject: sub}, adminapi.NotFound)
	refused(adminapi.FindCitizen{}, adminapi.Invalid)
	refused(adminapi.FindCitizen{Trouble: number, ClientID: idptest.ClientID, Subject: sub}, adminapi.Invalid)
	refused(adminapi.FindCitizen{Trouble: "山田太郎"}, adminapi.Invalid)
	rows, err := h.Audit.Search(t.Context(), audit.Filter{Kind: "citizen.not_found", Actor: o.ID}, "", 10)
	if err != nil || len(rows.Rows) != 4 {
		t.Errorf("%+v %v", rows, err)
	}
	for _, r := range rows.Rows {
		if r.Client != "" {
			t.Errorf("what an operator typed is in the audit log: %q", r.Client)
		}
	}

	// A number that was given to several people tells nothing of either.
	citizen(t, h, "hanako")
	execute(t, h.DB, `UPDATE audit_event SET trace = $1 WHERE kind = 'page.trouble'`, number)
	refused(adminapi.FindCitizen{Trouble: number}, adminapi.WrongState)

	for range 60 {
		h.Call(t, hanako, http.MethodPost, "/api/citizens/find", adminapi.FindCitizen{Trouble: "0000-0000", Reason: "looking around"})
	}
	refused(adminapi.FindCitizen{Trouble: "0000-0000"}, adminapi.TooMany)
}

// TestNumberOfAStrangersPageIsKnown: nobody was signed in, and the operator reads what happened all the same.
func TestNumberOfAStrangersPageIsKnown(t *testing.T) {
	h := admintest.Start(t, idptest.Options{})
	hanako, _ := h.Operator(t, "hanako", "", adminapi.Roles()...)
	p := h.Browser(t).Get("/authorize?" + url.Values{"client_id": {"no-such-service"}}.Encode())
	var found adminapi.Citizen
	h.Call(t, hanako, http.MethodPost, "/api/citizens/find", adminapi.FindCitizen{Trouble: numberOnPage.FindString(p.Body), Reason: "somebody called"}).Into(t, &found)
	if found.Case != "" || len(found.Troubles) == 0 || found.Troubles[0].Reason != "unknown_client" {
		t.Errorf("%+v", found)
	}
}

// TestReadingTheAuditLogOfAPersonIsShownToHer: once an hour for each operator, and for whoever exports.
func TestReadingTheAuditLogOfAPersonIsShownToHer(t *testing.T) {
	h := admintest.Start(t, idptest.Options{})
	hanako, _ := h.Operator(t, "hanako", "", adminapi.Viewer)
	her, _, _ := citizen(t, h, "taro")
	rows, err := h.Audit.Search(t.Context(), audit.Filter{Kind: "page.trouble"}, "", 1)
	if err != nil || len(rows.Rows) != 1 {
		t.Fatal(rows, err)
	}
	for _, around := range []string{"", "&kind=page.trouble", "&trace=" + rows.Rows[0].Trace} {
		var list adminapi.AuditList
		h.Call(t, hanako, http.MethodGet, "/api/audit?limit=100"+around, nil).Into(t, &list)
		if len(list.Items) == 0 {
			t.Errorf("%s: no rows", around)
		}
		for _, r := range list.Items {
			if r.Account != "" || r.Session != "" {
				t.Errorf("%s: row %d leads to a person who is not told", around, r.Seq)
			}
		}
	}
	for range 3 {
		h.Call(t, hanako, http.MethodGet, "/api/audit?account="+rows.Rows[0].Account, nil).Into(t, nil)
		h.Call(t, hanako, http.MethodGet, "/api/audit?account=nobody-at-all", nil).Into(t, nil)
	}
	if page := her.Get("/account").Body; strings.Count(page, `data-look="account.looks.way.audit"`) != 1 || !strings.Contains(page, "閲覧担当") {
		t.Error("she does not read of it once")
	}
}
