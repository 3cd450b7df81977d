package cardauth

import (
	"crypto/x509"
	"errors"
	"slices"
	"testing"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/tsunagu-id/tsunagu/cardauth/cardtest"
)

// signingLeaf issues a signature certificate; alter may spoil it.
func signingLeaf(t testing.TB, alter func(*x509.Certificate)) *cardtest.Leaf {
	t.Helper()
	leaf, err := testPKI(t).Sign().IssueSign(goodProfile(alter))
	if err != nil {
		t.Fatal(err)
	}
	return leaf
}

func TestSignatureCertificateNamesItsHolder(t *testing.T) {
	l, err := parseSigningLeaf(signingLeaf(t, nil).Certificate.Raw)
	if err != nil {
		t.Fatal(err)
	}
	a := l.holder
	if a.Name != taro.Name || a.Address != taro.Address || a.Sex != Male || a.Birthdate.String() != "1980-02-17" || a.Birthdate.Era != Showa {
		t.Errorf("attributes %+v", a)
	}
	if len(a.NameSubstitutes) != 5 || a.Substituted() {
		t.Errorf("substitutes %v", a.NameSubstitutes)
	}
}

// holderOf builds a subjectAltName from pairs of arc and text.
func holderOf(t testing.TB, pairs ...any) []byte {
	t.Helper()
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		for i := 0; i < len(pairs); i += 2 {
			b.AddASN1(explicit(0), func(b *cryptobyte.Builder) {
				b.AddASN1ObjectIdentifier(append(slices.Clone(oidHolder), pairs[i].(int)))
				b.AddASN1(explicit(0), func(b *cryptobyte.Builder) {
					b.AddASN1(cbasn1.UTF8String, func(b *cryptobyte.Builder) { b.AddBytes([]byte(pairs[i+1].(string))) })
				})
			})
		}
	})
	return b.BytesOrPanic()
}

func TestHolderIsReadToTheLetter(t *testing.T) {
	good := func() []any {
		return []any{1, "見本　花子", 4, "319800217", 3, "2", 5, "東京都１丁目", 2, "01000", 6, "000000"}
	}
	a, ok := parseHolder(holderOf(t, good()...))
	if !ok || !a.Substituted() || !a.NameSubstitutes[1] || a.Sex != Female {
		t.Fatalf("%+v, %v", a, ok)
	}
	with := func(index int, value any) []any {
		p := good()
		p[index] = value
		return p
	}
	for name, pairs := range map[string][]any{
		"five fields":        good()[:10],
		"one twice":          with(10, 5),
		"another arc":        with(0, 7),
		"a seventh":          append(good(), 7, "x"),
		"no name":            with(1, ""),
		"line turned around": with(1, "見本\u202e花子"),
		"line separated":     with(1, "見本\u2028花子"),
		"line break":         with(7, "東京都\n１丁目"),
		"not UTF-8":          with(1, "\xff"),
		"sex":                with(5, "0"),
		"flags":              with(9, "0x000"),
		"birth too short":    with(3, "31980021"),
		"birth in letters":   with(3, "3198002１"),
		"month 13":           with(3, "319801317"),
		"30 February":        with(3, "319800230"),
		"era 6":              with(3, "620260101"),
		"before Meiji":       with(3, "118670101"),
	} {
		if a, ok := parseHolder(holderOf(t, pairs...)); ok {
			t.Errorf("%s: %+v", name, a)
		}
	}
	if _, ok := parseHolder(append(holderOf(t, good()...), 0)); ok {
		t.Error("something follows")
	}
}

func TestSubstituteFlagsOfAnotherLengthTellNothing(t *testing.T) {
	a, ok := parseHolder(holderOf(t, 1, "見本　花子", 4, "319800217", 3, "9", 5, "東京都", 2, "0100", 6, "000"))
	if !ok || a.NameSubstitutes != nil || len(a.AddressSubstitutes) != 3 {
		t.Errorf("%+v, %v", a, ok)
	}
}

func TestBirthdateWithUnknownParts(t *testing.T) {
	for digits, want := range map[string]string{
		"319800217": "1980-02-17", "400000000": "", "319800000": "1980", "319800200": "1980", "000000000": "", "520240229": "2024-02-29",
	} {
		if b, ok := parseBirthdate(digits); !ok || b.String() != want {
			t.Errorf("%s: %q, %v; want %q", digits, b, ok, want)
		}
	}
}

func TestSignatureCertificateHasItsProfileToTheLetter(t *testing.T) {
	for name, c := range map[string]struct {
		alter func(*x509.Certificate)
		want  string
	}{
		"key usage of a login":  {func(c *x509.Certificate) { set(t, c, oidKeyUsage.String(), 0x03, 0x02, 0x07, 0x80) }, "keyUsage"},
		"extended key usage":    {func(c *x509.Certificate) { add(c, oidExtendedKeyUsage.String(), false, exactlyClientAuth...) }, "another extension"},
		"no attributes":         {func(c *x509.Certificate) { drop(c, oidSubjectAltName.String()) }, "subjectAltName"},
		"attributes that lie":   {func(c *x509.Certificate) { set(t, c, oidSubjectAltName.String(), 0x30, 0x00) }, "subjectAltName"},
		"no distribution point": {func(c *x509.Certificate) { drop(c, oidDistributionPoints.String()) }, "cRLDistributionPoints"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parseSigningLeaf(signingLeaf(t, c.alter).Certificate.Raw)
			refusal, ok := errors.AsType[*Error](err)
			if !ok || refusal.Reason != CertificateProfile || refusal.Detail != c.want {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
	if _, err := parseSigningLeaf(signingLeaf(t, func(c *x509.Certificate) { drop(c, oidAuthorityAccess.String()) }).Certificate.Raw); err != nil {
		t.Errorf("without a responder's address: %v", err)
	}
}

var exactlyClientAuth = []byte{0x30, 0x0A, 0x06, 0x08, 0x2B, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x02}

// drop removes an extension.
func drop(c *x509.Certificate, oid string) {
	for i, e := range c.ExtraExtensions {
		if e.Id.String() == oid {
			c.ExtraExtensions = slices.Delete(slices.Clone(c.ExtraExtensions), i, i+1)
			return
		}
	}
}

func TestOnlySignatureCertificatesSign(t *testing.T) {
	for name, c := range map[string]struct {
		der  []byte
		want Reason
	}{
		"login":     {issue(t, nil).Certificate.Raw, CertificateForLogin},
		"authority": {testPKI(t).Sign().Certificate().Raw, CertificateIsCA},
		"nothing":   {nil, CertificateMalformed},
		"long":      {make([]byte, maxCertificate+1), CertificateMalformed},
	} {
		_, err := parseSigningLeaf(c.der)
		if refusal, ok := errors.AsType[*Error](err); !ok || refusal.Reason != c.want {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func TestSigningAnchorsAreNoLoginAnchors(t *testing.T) {
	pki := testPKI(t)
	anchors, err := ParseSigningAnchors(Test, pki.Sign().PEM())
	if err != nil || len(anchors.set.byKeyID) != 1 {
		t.Fatal(err)
	}
	if _, err := ParseSigningAnchors(Test, pki.Auth().PEM()); err == nil {
		t.Error("an authority for logins is believed for signatures")
	}
	if _, err := ParseSigningAnchors(Production, pki.Sign().PEM()); err == nil {
		t.Error("a test authority is believed in production")
	}
}

// What is read out of a subjectAltName can be put in again, and comes out the same.
func FuzzHolder(f *testing.F) {
	f.Add(holderOf(f, 1, "見本　花子", 4, "319800217", 3, "2", 5, "東京都１丁目", 2, "01000", 6, "000000"))
	f.Add(holderOf(f, 1, "a", 4, "400000000", 3, "9", 5, "b", 2, "", 6, ""))
	f.Add([]byte{0x30, 0x00})
	f.Fuzz(func(t *testing.T, value []byte) {
		a, ok := parseHolder(value)
		if !ok {
			return
		}
		if a.Name == "" || a.Address == "" || a.Birthdate.Month > 12 || a.Birthdate.Day > 31 {
			t.Fatalf("%+v", a)
		}
		if s := a.Birthdate.String(); len(s) == 10 {
			if _, err := time.Parse(time.DateOnly, s); err != nil {
				t.Fatal(err)
			}
		}
		fields, _ := readHolderFields(value)
		again := holderOf(t, 1, fields[1], 2, fields[2], 3, fields[3], 4, fields[4], 5, fields[5], 6, fields[6])
		if b, ok := parseHolder(again); !ok || b.Name != a.Name || b.Birthdate != a.Birthdate || b.Sex != a.Sex {
			t.Fatalf("%+v, %+v", a, b)
		}
	})
}
