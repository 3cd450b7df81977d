package keys

import (
	"testing"

	"github.com/tsunagu-id/tsunagu/internal/cputime"
	"github.com/tsunagu-id/tsunagu/internal/sqldb/sqldbtest"
)

type benchClaims struct {
	Issuer   string `json:"iss"`
	Subject  string `json:"sub"`
	Audience string `json:"aud"`
	Expires  int64  `json:"exp"`
	Issued   int64  `json:"iat"`
	Nonce    string `json:"nonce"`
	ACR      string `json:"acr"`
}

func benchmarkClaims() benchClaims {
	return benchClaims{"https://hub.example", "Zm9vYmFyYmF6Zm9vYmFyYmF6", "etax", 1_800_000_300, 1_800_000_000, "n-0S6_WzA2Mj-n-0S6_WzA2Mj", "phrh"}
}

func BenchmarkSign(b *testing.B) {
	s := openSet(b, sqldbtest.Open(b), newClock())
	claims := benchmarkClaims()
	for _, alg := range []Alg{ES256, RS256, EdDSA} {
		b.Run(string(alg), func(b *testing.B) {
			cputime.PerOperation(b, func(int) {
				if _, err := s.Sign(alg, "JWT", claims); err != nil {
					b.Fatal(err)
				}
			})
		})
	}
}

func BenchmarkVerify(b *testing.B) {
	s := openSet(b, sqldbtest.Open(b), newClock())
	for _, alg := range []Alg{ES256, RS256, EdDSA} {
		token, err := s.Sign(alg, "JWT", benchmarkClaims())
		if err != nil {
			b.Fatal(err)
		}
		b.Run(string(alg), func(b *testing.B) {
			cputime.PerOperation(b, func(int) {
				if _, err := s.Verify(token, "JWT", alg); err != nil {
					b.Fatal(err)
				}
			})
		})
	}
}
