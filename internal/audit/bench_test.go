package audit_test

import (
	"testing"

	"github.com/tsunagu-id/tsunagu/internal/audit"
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
