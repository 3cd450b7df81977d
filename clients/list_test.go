package clients

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/tsunagu-id/tsunagu/internal/sqldb"
	"github.com/tsunagu-id/tsunagu/internal/sqldb/sqldbtest"
)

func idsIn(p Page) string {
	var out []string
	for _, l := range p.Items {
		out = append(out, string(l.ID))
	}
	return strings.Join(out, " ")
}

func TestSearchFindsWhatPeopleType(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		ctx, r := t.Context(), openRegistry(t, db, newClock(), nil)
		_, err := r.AddOrganisation(ctx, Organisation{ID: "nta", Name: "国税庁"}, taro)
		must(t, err)
		_, err = r.Draft(ctx, NewClient{Organisation: "nta", Writing: writing(t, "tax", 0, hanako, map[string]any{"client_name": "ｅ－Ｔａｘ 100%", "operator": "国税庁"})})
		must(t, err)
		live(t, r, "ward", map[string]any{"client_name": "区の窓口", "client_name#en": "Ward_desk", "operator": "渋谷区", "category": "government"})
		live(t, r, "batch", map[string]any{"grant_types": []string{"client_credentials"}, "redirect_uris": []string{}, "scope": "service",
			"token_endpoint_auth_method": "private_key_jwt", "jwks": jwks(t, newECKey(t, "k"))})
		must(t, r.Suspend(ctx, "ward", Because{By: taro, Reason: "a test"}))
		_, err = r.Put(ctx, metadata(t, "own", map[string]any{"token_endpoint_auth_method": "none"}), nil, Origin{By: "hub", Hidden: true})
		must(t, err)
		for _, c := range []struct {
			q    Query
			want string
		}{
			{Query{}, "batch tax ward"},
			{Query{Text: "E-TAX 1"}, "tax"}, // width and case
			{Query{Text: "窓口"}, "ward"},
			{Query{Text: "渋谷"}, "ward"},
			{Query{Text: "d_d"}, "ward"},
			{Query{Text: "%"}, "tax"},
			{Query{Text: `\`}, ""},
			{Query{Text: "ward.example"}, "ward"},
			{Query{Text: " tax "}, "batch tax"}, // batch is called e-Tax in English
			{Query{Text: "own"}, ""},
			{Query{Text: "\x00\xff"}, "batch tax ward"},
			{Query{State: StateSuspended}, "ward"},
			{Query{State: StateDraft}, "tax"},
			{Query{Kind: KindMachine}, "batch"},
			{Query{Kind: KindBrowser}, "tax ward"},
			{Query{Organisation: "nta"}, "tax"},
			{Query{Limit: 2}, "batch tax"},
			{Query{Limit: 2, After: "tax"}, "ward"},
		} {
			p, err := r.Search(ctx, c.q)
			if err != nil || idsIn(p) != c.want {
				t.Errorf("%+v: %q, %v; want %q", c.q, idsIn(p), err, c.want)
			}
			if c.q.Limit == 2 && (p.Total != 3 || (p.Next != "") != (c.q.After == "")) {
				t.Errorf("%+v: total %d, next %q", c.q, p.Total, p.Next)
			}
		}
	})
}

// crowd registers n clients, and returns what is asked of the list of them, with what has to come out.
func crowd(t testing.TB, n int) map[string]func() (got, want int64, err error) {
	ctx, db := t.Context(), sqldbtest.Open(t)
	r := openRegistry(t, db, newClock(), nil)
	must(t, db.Tx(ctx, func(ctx context.Context) error {
		for i := range n {
			m := metadata(t, ID(fmt.Sprintf("c%05d", i)), map[string]any{"token_endpoint_auth_method": "none", "client_name": fmt.Sprintf("窓口 %d", i)})
			if _, err := r.store(ctx, entry{m: m}); err != nil {
				return err
			}
		}
		return nil
	}))
	all := int64(n)
	search := func(q Query, want int64) func() (int64, int64, error) {
		return func() (int64, int64, error) { p, err := r.Search(ctx, q); return p.Total, want, err }
	}
	return map[string]func() (int64, int64, error){
		"list":      search(Query{Limit: 20}, all),
		"last page": search(Query{Limit: 20, After: fmt.Sprintf("c%05d", n-21)}, all),
		"search":    search(Query{Text: "窓口 99", Limit: 20}, 11+all/10_000*100),
		"no result": search(Query{Text: "nowhere"}, 0),
		"filter":    search(Query{State: StateLive, Kind: KindBrowser}, all),
		"one":       func() (int64, int64, error) { d, err := r.Detail(ctx, "c00500"); return d.Listing.Version, 1, err },
	}
}

func TestAThousandClientsAreListedAndFound(t *testing.T) {
	for name, ask := range crowd(t, 1000) {
		if got, want, err := ask(); err != nil || got != want {
			t.Errorf("%s: %d, want %d, %v", name, got, want, err)
		}
	}
}

// BenchmarkTenThousandClients is what an operator waits for: a page of the list, of a search, one client.
func BenchmarkTenThousandClients(b *testing.B) {
	for name, ask := range crowd(b, 10_000) {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if got, want, err := ask(); err != nil || got != want {
					b.Fatalf("%d, want %d, %v", got, want, err)
				}
			}
		})
	}
}
