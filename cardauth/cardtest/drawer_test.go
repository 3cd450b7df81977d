package cardtest

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

func TestDrawer(t *testing.T) {
	pki := testPKI(t)
	names := map[string]bool{}
	for _, e := range pki.Drawer().Entries() {
		names[e.Name] = true
		card, err := pki.Drawer().Card(e.Name)
		if err != nil {
			t.Fatal(err)
		}
		if again, _ := pki.Drawer().Card(e.Name); again != card {
			t.Errorf("%s: another card the second time", e.Name)
		}
		if e.LabelJA == "" || e.LabelEN == "" {
			t.Errorf("%s has no label", e.Name)
		}
		leaf, err := readBundle(filepath.Join(pki.dir, "cards", e.Name, "auth.key"))
		if err != nil {
			t.Fatal(err)
		}
		cert := leaf.Certificate
		if err = cert.CheckSignatureFrom(pki.auth.cert); err != nil {
			t.Errorf("%s: %v", e.Name, err)
		}
		if expired := noon.After(cert.NotAfter); expired != (e.Name == "expired") {
			t.Errorf("%s ends %v", e.Name, cert.NotAfter)
		}
		if noon.Before(cert.NotBefore) {
			t.Errorf("%s begins %v", e.Name, cert.NotBefore)
		}
		_, revoked, err := pki.auth.reg.revocation(leaf.Serial())
		if err != nil || revoked != (e.Name == "revoked") {
			t.Errorf("%s revoked: %v, %v", e.Name, revoked, err)
		}
		send(t, card, selectJPKI)
		left := []byte{0x63, 0xC3}
		if e.Name == "blocked" {
			left = []byte{0x63, 0xC0}
		}
		if got := send(t, card, "00 20 00 98"); !bytes.Equal(got, left) {
			t.Errorf("%s: %X, want %X", e.Name, got, left)
		}
		free := []byte{0x30, 0x82, 0x90, 0x00}
		if e.Name == "phone" {
			free = status(swSecurity)
		}
		if got := send(t, card, "00 B0 8A 00 02"); !bytes.Equal(got, free) {
			t.Errorf("%s: certificate %X", e.Name, got)
		}
	}
	for _, want := range []string{"taro", "hanako", "taro-renewed", "revoked", "expired", "blocked", "phone"} {
		if !names[want] {
			t.Errorf("no card %s", want)
		}
	}
	if _, err := pki.Drawer().Card("../taro"); !errors.Is(err, ErrNoSuchCard) {
		t.Errorf("got %v", err)
	}
}

func TestRestartKeepsEverything(t *testing.T) {
	dir := t.TempDir()
	first, err := LoadOrCreatePKI(dir, clock, address)
	if err != nil {
		t.Fatal(err)
	}
	card, err := first.Drawer().Card("taro")
	if err != nil {
		t.Fatal(err)
	}
	send(t, card, selectJPKI)
	send(t, card, "00 20 00 98 04 30 30 30 30")
	later := func() time.Time { return noon.AddDate(0, 1, 0) }
	second, err := LoadOrCreatePKI(dir, later, "http://elsewhere/")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first.auth.cert.Raw, second.auth.cert.Raw) || !bytes.Equal(first.sign.cert.Raw, second.sign.cert.Raw) {
		t.Error("another authority after a restart")
	}
	again, err := second.Drawer().Card("taro")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(card.files[fileAuthCertificate].body, again.files[fileAuthCertificate].body) || !card.files[fileSignKey].key.Equal(again.files[fileSignKey].key) {
		t.Error("another card after a restart")
	}
	send(t, again, selectJPKI)
	if got := send(t, again, "00 20 00 98"); !bytes.Equal(got, []byte{0x63, 0xC2}) {
		t.Errorf("counter after a restart: %X", got)
	}
}

// Several programs open the same new directory at once.
func TestTwoProgramsShareADirectory(t *testing.T) {
	dir := t.TempDir()
	var all [4]*PKI
	var cards [4]*Card
	var group sync.WaitGroup
	for i := range all {
		group.Go(func() {
			var err error
			if all[i], err = LoadOrCreatePKI(dir, clock, address); err != nil {
				t.Error(err)
				return
			}
			if cards[i], err = all[i].Drawer().Card("revoked"); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if t.Failed() {
		return
	}
	for i := range all {
		if !bytes.Equal(all[i].auth.cert.Raw, all[0].auth.cert.Raw) || !bytes.Equal(all[i].sign.cert.Raw, all[0].sign.cert.Raw) {
			t.Errorf("program %d has authorities of its own", i)
		}
		if !bytes.Equal(cards[i].files[fileAuthCertificate].body, cards[0].files[fileAuthCertificate].body) {
			t.Errorf("program %d has a card of its own", i)
		}
	}
	leftOver, err := filepath.Glob(filepath.Join(dir, ".*"))
	inCards, err2 := filepath.Glob(filepath.Join(dir, "cards", ".*"))
	if err != nil || err2 != nil || len(leftOver)+len(inCards) != 0 {
		t.Errorf("left over: %v %v", leftOver, inCards)
	}
}

func TestSecretsAreOnlyForTheOwner(t *testing.T) {
	dir := t.TempDir()
	pki, err := LoadOrCreatePKI(dir, clock, address)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = pki.Drawer().Card("hanako"); err != nil {
		t.Fatal(err)
	}
	secret := 0
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if bytes.Contains(content, []byte("PRIVATE KEY")) || filepath.Base(path) == "pins.json" {
			secret++
			if info.Mode().Perm() != 0o600 {
				t.Errorf("%s: %v", path, info.Mode())
			}
		}
		return nil
	})
	if err != nil || secret != 5 {
		t.Errorf("%d secret files, %v", secret, err)
	}
	for _, name := range []string{"auth-ca.pem", "sign-ca.pem"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
}

func TestFifthBirthday(t *testing.T) {
	at := func(s string) time.Time {
		got, err := time.Parse("2006-01-02 15:04:05", s)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	for _, c := range []struct{ birth, issued, ends string }{
		// Seen in real certificates.
		{"1975-12-07", "2020-05-19 00:00:00", "2024-12-07 14:59:59"},
		{"1975-12-07", "2023-05-19 00:00:00", "2027-12-07 14:59:59"},
		{"1980-02-17", "2025-10-27 00:00:00", "2030-02-17 14:59:59"},
		// On the birthday itself, before and after its last second.
		{"1980-02-17", "2025-02-17 14:59:58", "2029-02-17 14:59:59"},
		{"1980-02-17", "2025-02-17 14:59:59", "2030-02-17 14:59:59"},
	} {
		p := Person{Birth: at(c.birth + " 00:00:00")}
		if got := p.FifthBirthday(at(c.issued)); !got.Equal(at(c.ends)) {
			t.Errorf("born %s, issued %s: %v, want %s", c.birth, c.issued, got, c.ends)
		}
	}
}
