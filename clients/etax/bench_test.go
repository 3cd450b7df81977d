package etax

import "testing"

func BenchmarkPassword(b *testing.B) {
	p := newPasswords()
	hash := p.hash("etax-demo")
	for b.Loop() {
		if ok, err := p.check(b.Context(), hash, "etax-demo"); !ok || err != nil {
			b.Fatal(ok, err)
		}
	}
}
