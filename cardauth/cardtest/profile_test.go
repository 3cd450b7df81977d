package cardtest

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"strings"
	"testing"
	"unicode/utf8"
)

// layout is the extensions of a certificate, in order: "oid critical value",
// the value left out where it differs from certificate to certificate.
type layout []string

var (
	authLayout = layout{
		"2.5.29.15 critical 03020780",
		"2.5.29.37 300A06082B06010505070302",
		"2.5.29.32 critical 303D303B060B2A83088C9B55080501031E302C302A06082B06010505070201161E687474703A2F2F7777772E6A706B692E676F2E6A702F6370732E68746D6C",
		"2.5.29.18", "2.5.29.31", "1.3.6.1.5.5.7.1.1", "2.5.29.35", "2.5.29.14",
	}
	signLayout = layout{
		"2.5.29.15 critical 030206C0",
		"2.5.29.32 critical 303D303B060B2A83088C9B550805010114302C302A06082B06010505070201161E687474703A2F2F7777772E6A706B692E676F2E6A702F6370732E68746D6C",
		"2.5.29.17", "2.5.29.18", "2.5.29.31", "1.3.6.1.5.5.7.1.1", "2.5.29.35", "2.5.29.14",
	}
	authorityLayout = layout{"2.5.29.15 critical 03020106", "2.5.29.17", "2.5.29.19 critical 30030101FF", "2.5.29.31", "2.5.29.14"}
)

func (l layout) check(t *testing.T, c *x509.Certificate) {
	t.Helper()
	if len(c.Extensions) != len(l) {
		t.Fatalf("%d extensions, want %d", len(c.Extensions), len(l))
	}
	for i, e := range c.Extensions {
		got := e.Id.String()
		if e.Critical {
			got += " critical"
		}
		if strings.Count(l[i], " ") > strings.Count(got, " ") {
			got += " " + strings.ToUpper(hex.EncodeToString(e.Value))
		}
		if got != l[i] {
			t.Errorf("extension %d is %s, want %s", i, got, l[i])
		}
	}
}

func TestProfiles(t *testing.T) {
	pki := testPKI(t)
	for name, c := range map[string]struct {
		cert *x509.Certificate
		layout
	}{
		"auth": {shared.auth.Certificate, authLayout}, "sign": {shared.sign.Certificate, signLayout},
		"auth authority": {pki.auth.cert, authorityLayout}, "sign authority": {pki.sign.cert, authorityLayout},
	} {
		t.Run(name, func(t *testing.T) {
			c.check(t, c.cert)
			key, isRSA := c.cert.PublicKey.(*rsa.PublicKey)
			if c.cert.Version != 3 || c.cert.SignatureAlgorithm != x509.SHA256WithRSA || !isRSA || key.N.BitLen() != 2048 || key.E != 65537 {
				t.Error("version, algorithm or key")
			}
			if c.cert.SerialNumber.Sign() <= 0 || c.cert.SerialNumber.BitLen() > 31 {
				t.Errorf("serial %v", c.cert.SerialNumber)
			}
			if !strings.Contains(c.cert.Issuer.String(), "TEST") {
				t.Errorf("issuer %s could be taken for real", c.cert.Issuer)
			}
		})
	}
	if cn := shared.auth.Certificate.Subject.CommonName; len(cn) != 23 || !strings.HasPrefix(cn, "TEST") || !strings.HasSuffix(cn, "A") || cn[14:19] != "13101" {
		t.Errorf("common name %s", cn)
	}
	// Package x509 sees no address in a directory name.
	if len(shared.auth.Certificate.CRLDistributionPoints) != 0 || shared.auth.Certificate.OCSPServer[0] != address {
		t.Error("distribution point or responder")
	}
	if !bytes.Equal(shared.auth.Certificate.AuthorityKeyId, pki.auth.cert.SubjectKeyId) {
		t.Error("authority key identifier")
	}
	if n := len(shared.auth.Certificate.Raw); n < 1500 || n > 1700 {
		t.Errorf("%d bytes; real ones have 1586", n)
	}
}

func TestNamesAreUTF8ExceptTheCountry(t *testing.T) {
	testPKI(t)
	raw := shared.auth.Certificate.RawSubject
	if !bytes.Contains(raw, []byte{0x06, 0x03, 0x55, 0x04, 0x06, 0x13, 0x02, 'J', 'P'}) || !bytes.Contains(raw, []byte{0x06, 0x03, 0x55, 0x04, 0x03, 0x0C, 0x17}) {
		t.Errorf("%X", raw)
	}
}

func TestPersonalAttributes(t *testing.T) {
	person := drawerContents()[0].person
	value := person.altName().Value
	for _, want := range []string{person.Name, person.Address, "319800217", strings.Repeat("0", utf8.RuneCountInString(person.Name))} {
		if !bytes.Contains(value, append([]byte{0x0C, byte(len(want))}, want...)) {
			t.Errorf("no %q", want)
		}
	}
	person.Birth = person.Birth.AddDate(20, 0, 0)
	if got := eraBirth(person.Birth); got != "420000217" {
		t.Errorf("born in Heisei: %s", got)
	}
	person.Birth = person.Birth.AddDate(20, 0, 0)
	if got := eraBirth(person.Birth); got != "520200217" {
		t.Errorf("born in Reiwa: %s", got)
	}
}

// NSS, for one, refuses two certificates of one authority with one number.
func TestSerialNumbersAreUnique(t *testing.T) {
	pki := testPKI(t)
	seen := map[uint32]bool{}
	for range 20 {
		serial, err := pki.auth.reg.next()
		if err != nil || seen[serial] || serial > 0x7FFFFFFF || !pki.auth.reg.knows(serial) {
			t.Fatalf("%08X: %v", serial, err)
		}
		seen[serial] = true
	}
	for serial := range seen {
		if err := pki.auth.reg.take(serial); err == nil {
			t.Errorf("%08X taken twice", serial)
		}
	}
}
