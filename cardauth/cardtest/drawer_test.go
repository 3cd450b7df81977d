package cardtest

import (
	"testing"
	"time"
)

func at(s string) func() time.Time {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		panic(err)
	}
	return func() time.Time { return t }
}

func TestDrawerTime(t *testing.T) {
	start := time.Now()
	pki, err := LoadOrCreatePKI(t.TempDir(), at("2026-04-01T09:00:00Z"), "http://localhost:8406/ocsp")
	if err != nil {
		t.Fatal(err)
	}
	t.Log(time.Since(start))
	for _, e := range pki.Drawer().Entries() {
		start = time.Now()
		c, err := pki.Drawer().Card(e.Name)
		if err != nil {
			t.Fatal(err)
		}
		t.Log(e.Name, time.Since(start), len(c.files[fileAuthCertificate].body))
	}
}
