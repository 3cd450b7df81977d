package ades

import (
	"bytes"
	"crypto/sha256"
	"os"
	"strings"
	"testing"
	"time"
)

func TestDocumentIsSomethingThatCanBeShown(t *testing.T) {
	sum := sha256.Sum256([]byte("x"))
	good := NewDocument("申告書", sum)
	if err := good.Check(); err != nil || good.Sum() != sum {
		t.Fatal(err)
	}
	good.MediaType, good.Size = "application/vnd.ms-excel", 12
	if err := good.Check(); err != nil {
		t.Error(err)
	}
	for name, alter := range map[string]func(*Document){
		"no name":         func(d *Document) { d.Name = "" },
		"long name":       func(d *Document) { d.Name = strings.Repeat("あ", 101) },
		"turned name":     func(d *Document) { d.Name = "a\u202eb" },
		"line break":      func(d *Document) { d.Name = "a\nb" },
		"other algorithm": func(d *Document) { d.DigestAlg = "sha-1" },
		"short digest":    func(d *Document) { d.Digest = d.Digest[:42] },
		"loose digest":    func(d *Document) { d.Digest = d.Digest[:42] + "\n" },
		"stray bits":      func(d *Document) { d.Digest = d.Digest[:42] + "_" },
		"media type":      func(d *Document) { d.MediaType = "pdf" },
		"two slashes":     func(d *Document) { d.MediaType = "a/b/c" },
		"parameters":      func(d *Document) { d.MediaType = "text/plain; charset=utf-8" },
		"negative size":   func(d *Document) { d.Size = -1 },
	} {
		d := good
		if alter(&d); d.Check() == nil {
			t.Errorf("%s: %+v", name, d)
		}
	}
}

func TestBothFormsAreFunctionsOfWhatIsSigned(t *testing.T) {
	// Any certificate does: nothing of it is judged here.
	cert := certificate(t)
	at := time.Date(2026, 4, 1, 9, 0, 0, 0, time.FixedZone("JST", 9*3600))
	d := NewDocument("申告書", sha256.Sum256([]byte("x")))
	s := Statement{Audience: "https://hub.example", Purpose: PurposeDocument, Document: &d}
	one, err := NewJWS(s, cert, at)
	two, err2 := NewJWS(s, cert, at.UTC())
	if err != nil || err2 != nil || one != two {
		t.Errorf("%v, %v", err, err2)
	}
	a, err := NewCMS(d.Sum(), cert, at)
	b, err2 := NewCMS(d.Sum(), cert, at.UTC().Add(time.Millisecond))
	if err != nil || err2 != nil || a.Digest() != b.Digest() || !bytes.Equal(a.Seal([]byte{1}), b.Seal([]byte{1})) {
		t.Errorf("%v, %v", err, err2)
	}
	if later, err := NewCMS(d.Sum(), cert, at.Add(time.Second)); err != nil || later.Digest() == a.Digest() {
		t.Error("the time is not signed")
	}
	if other, err := NewCMS([32]byte{}, cert, at); err != nil || other.Digest() == a.Digest() {
		t.Error("the document is not signed")
	}
	if _, err := NewCMS(d.Sum(), []byte("no certificate"), at); err == nil {
		t.Error("no certificate")
	}
	if _, err := NewCMS(d.Sum(), cert, time.Date(12000, 1, 1, 0, 0, 0, 0, time.UTC)); err == nil {
		t.Error("a year of five digits")
	}
	if late, err := NewCMS(d.Sum(), cert, time.Date(2050, 1, 1, 0, 0, 0, 0, time.UTC)); err != nil || !bytes.Contains(late.attributes, []byte("20500101000000Z")) {
		t.Error("2050 is not GeneralizedTime")
	}
}

func FuzzCMS(f *testing.F) {
	cert := certificate(f)
	f.Add(cert)
	f.Add(cert[:100])
	f.Add([]byte{0x30, 0x00})
	f.Fuzz(func(t *testing.T, certificate []byte) {
		c, err := NewCMS([32]byte{1}, certificate, time.Unix(1e9, 0))
		if err != nil {
			return
		}
		if out := c.Seal(make([]byte, 256)); !bytes.Contains(out, certificate) {
			t.Fatal("the certificate is not in it")
		}
	})
}

func certificate(t testing.TB) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/certificate.der")
	if err != nil {
		t.Fatal(err)
	}
	return b
}
