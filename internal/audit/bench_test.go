package audit_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/internal/audit"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
	"github.com/tsunagu-id/tsunagu/internal/sqldb/sqldbtest"
)

func BenchmarkAppend(b *testing.B) {
	for name, dsn := range map[string]func(testing.TB) string{"sqlite": sqldbtest.SQLite, "postgres": sqldbtest.Postgres} {
		event := audit.Event{
			Kind: "login.succeeded", Account: "acc_0123456789abcdef", Client: "etax", Session: "0123456789abcdef",
			Trace: "7F3A-21C9", Facts: map[string]string{"source": "ocsp", "acr": "phrh"},
		}
		b.Run(name, func(b *testing.B) {
			l := open(b, sqldbtest.OpenDSN(b, dsn(b)))
			b.Run("alone", func(b *testing.B) {
				for b.Loop() {
					if err := l.Append(b.Context(), event); err != nil {
						b.Fatal(err)
					}
				}
			})
			b.Run("many", func(b *testing.B) {
				b.SetParallelism(16)
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						if err := l.Append(b.Context(), event); err != nil {
							b.Error(err)
							return
						}
					}
				})
			})
		})
	}
}

func BenchmarkVerify(b *testing.B) {
	l := open(b, sqldbtest.Open(b))
	fill(b, l, 1000)
	for b.Loop() {
		if err := l.Verify(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/row")
}

// million writes a log of a million rows with the spread of a real one: two hundred services of which few have most of the logins, half a
// million people, one row in a thousand by an operator. The rows are no chain; a search does not ask.
func million(b *testing.B, db *sqldb.DB) *audit.Log {
	b.Helper()
	l := open(b, db)
	const rows, batch = 1_000_000, 500
	kinds := []string{"login.succeeded", "service.entered", "login.succeeded", "service.entered", "session.ended", "token.exchanged", "login.card_refused", "consent.granted"}
	zero := make([]byte, 32)
	for at := 0; at < rows; at += batch {
		err := db.Tx(b.Context(), func(ctx context.Context) error {
			var values strings.Builder
			var args []any
			for seq := at + 1; seq <= at+batch; seq++ {
				kind, client, actor := kinds[seq%len(kinds)], fmt.Sprint("service-", (seq%200)*(seq%7)/6), ""
				if seq%1000 == 0 {
					kind, actor = "client.saved", fmt.Sprint("op", seq%9)
				}
				args = append(args, []any{seq, int64(seq) * 1_000_000, kind, fmt.Sprint("account-", seq*7919%500_000), client, actor, fmt.Sprintf("%04X-%04X", seq*31337%65536, seq%65536), zero}...)
				n := len(args) - 8
				fmt.Fprintf(&values, ", ($%d, $%d, $%d, $%d, $%d, '', $%d, '', $%d, '{\"acr\":\"phrh\"}', $%d, $%d)", n+1, n+2, n+3, n+4, n+5, n+6, n+7, n+8, n+8)
			}
			_, err := db.Exec(ctx, `INSERT INTO audit_event (seq, at_us, kind, account, client, session, actor, reason, trace, facts, prev, hash) VALUES `+values.String()[2:], args...)
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	if _, err := db.Exec(b.Context(), `UPDATE audit_head SET seq = $1, hash = $2`, rows, zero); err != nil {
		b.Fatal(err)
	}
	return l
}

// BenchmarkSearch is one page of a hundred rows with the count beside it, of a log of a million; and appending to such a log.
func BenchmarkSearch(b *testing.B) {
	second := func(n int64) time.Time { return time.UnixMicro(n * 1_000_000) }
	for name, dsn := range map[string]func(testing.TB) string{"sqlite": sqldbtest.SQLite, "postgres": sqldbtest.Postgres} {
		b.Run(name, func(b *testing.B) {
			l := million(b, sqldbtest.OpenDSN(b, dsn(b)))
			for _, f := range []struct {
				name string
				audit.Filter
			}{
				{"everything", audit.Filter{}},
				{"period", audit.Filter{From: second(400_000), To: second(403_600)}},
				{"kind", audit.Filter{Kind: "login.succeeded"}},
				{"kind-and-period", audit.Filter{Kind: "login.succeeded", From: second(400_000), To: second(403_600)}},
				{"client", audit.Filter{Client: "service-12"}},
				{"client-and-kind", audit.Filter{Client: "service-12", Kind: "login.card_refused"}},
				{"client-and-rare-kind", audit.Filter{Client: "service-0", Kind: "client.saved"}},
				{"nothing-in-common", audit.Filter{Client: "service-0", Kind: "login.nothing"}},
				{"actor", audit.Filter{Actor: "op3"}},
				{"actor-and-kind", audit.Filter{Actor: "op3", Kind: "login.succeeded"}},
				{"account", audit.Filter{Account: "account-77"}},
				{"trace", audit.Filter{Trace: "0A31-1234"}},
			} {
				b.Run(f.name, func(b *testing.B) {
					for b.Loop() {
						if _, err := l.Search(b.Context(), f.Filter, "", 100); err != nil {
							b.Fatal(err)
						}
						if _, _, err := l.Count(b.Context(), f.Filter); err != nil {
							b.Fatal(err)
						}
					}
				})
			}
			b.Run("append", func(b *testing.B) {
				for i := 0; b.Loop(); i++ {
					if err := l.Append(b.Context(), audit.Event{Kind: "login.succeeded", Account: "account-77", Client: "service-12", Trace: fmt.Sprintf("%04X-0000", i%65536)}); err != nil {
						b.Fatal(err)
					}
				}
			})
		})
	}
}
