package idp_test

import (
	"net/http"
	"sync"
	"testing"

	"github.com/tsunagu-id/tsunagu/idp/idptest"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
	"github.com/tsunagu-id/tsunagu/internal/sqldb/sqldbtest"
)

// TestDayOnEveryDatabase: folder, consent, tokens, refresh and an intact audit log on SQLite and PostgreSQL.
func TestDayOnEveryDatabase(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		h := idptest.Start(t, idptest.Options{DB: db})
		b := h.Browser(t)
		r := idptest.NewRequest()
		tokens := h.Redeem(t, h.Code(t, b, r, "taro"), r)
		if a := h.PostForm(t, "/token", idptest.ClientID, idptest.Secret, idptest.RefreshForm(tokens.Text("refresh_token"))); a.Status != http.StatusOK {
			t.Errorf("refresh: %d %s", a.Status, a.Raw)
		}
		if p := b.Get("/account"); p.Status != http.StatusOK {
			t.Errorf("account page: %d", p.Status)
		}
		if err := h.Audit.Verify(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// TestOneFolderForOneCard: the same new card in eight browsers that open the folder at once opens one, and all eight are in it.
func TestOneFolderForOneCard(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		h := idptest.Start(t, idptest.Options{DB: db})
		var wg sync.WaitGroup
		subjects := make([]string, 8)
		pages := make([]idptest.Page, len(subjects))
		browsers := make([]*idptest.Browser, len(subjects))
		requests := make([]idptest.Request, len(subjects))
		for i := range subjects {
			browsers[i], requests[i] = h.Browser(t), idptest.NewRequest()
			pages[i] = browsers[i].Get(browsers[i].CardLogin(browsers[i].Get(requests[i].Path()), "hanako"))
		}
		for i := range subjects {
			wg.Go(func() { pages[i] = browsers[i].Finish(pages[i]) })
		}
		wg.Wait()
		for i := range subjects {
			subjects[i] = subjectOf(t, h, pages[i].URL.Query().Get("code"), requests[i])
			if subjects[i] == "" || subjects[i] != subjects[0] {
				t.Errorf("browser %d is %q, browser 0 is %q", i, subjects[i], subjects[0])
			}
		}
		rows, err := db.Query(t.Context(), `SELECT count(*) FROM account`)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		for rows.Next() {
			var n int
			if err := rows.Scan(&n); err != nil || n != 1 {
				t.Errorf("%d folders, %v", n, err)
			}
		}
		if rows.Err() != nil {
			t.Error(rows.Err())
		}
	})
}
