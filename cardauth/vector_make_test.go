package cardauth

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/cardauth/cardtest"
)

// makeVectors writes every vector anew, under a new authority.
func makeVectors(t *testing.T) {
	t.Helper()
	if err := os.RemoveAll(vectorDir); err != nil {
		t.Fatal(err)
	}
	for suite := range floors {
		if err := os.MkdirAll(filepath.Join(vectorDir, suite), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	pki := testPKI(t)
	if err := os.WriteFile(filepath.Join(vectorDir, "anchor.pem"), pki.Auth().PEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	makeCertificates(t, pki)
	makeResponses(t)
	makeRevocation(t, pki)
}

func makeCertificates(t *testing.T, pki *cardtest.PKI) {
	t.Helper()
	put := func(name, expect, comment string, der []byte) {
		t.Helper()
		writeVector(t, "certificate", name, vector{map[string]string{"expect": expect, "comment": comment}, der})
	}
	altered := func(name, expect, comment string, alter func(*x509.Certificate)) {
		t.Helper()
		put(name, expect, comment, issue(t, alter).Certificate.Raw)
	}
	good := issue(t, nil).Certificate
	put("good", "ok", "as the authority issues them", good.Raw)
	put("anchor", "cert_is_ca", "the authority's own certificate", pki.Auth().Certificate().Raw)
	put("sign-anchor", "cert_is_ca", "the signature authority's own certificate", pki.Sign().Certificate().Raw)
	put("empty", "cert_malformed", "nothing", nil)
	put("cut-off", "cert_malformed", "the last byte is missing", good.Raw[:len(good.Raw)-1])
	put("trailing", "cert_malformed", "one byte follows", append(bytes.Clone(good.Raw), 0))
	put("too-long", "cert_malformed", "more than 4 KiB", append(bytes.Clone(good.Raw), make([]byte, 4<<10)...))
	flipped := bytes.Clone(good.Raw)
	flipped[len(flipped)-1] ^= 1
	put("signature-altered", "cert_untrusted", "last bit of the signature", flipped)

	names := []string{"keyUsage", "extKeyUsage", "certificatePolicies", "issuerAltName", "cRLDistributionPoints", "authorityInfoAccess", "authorityKeyIdentifier", "subjectKeyIdentifier"}
	for i, name := range names {
		altered("without-"+name, "cert_profile", "an extension is missing", func(c *x509.Certificate) {
			c.ExtraExtensions = slices.Delete(c.ExtraExtensions, i, i+1)
		})
		if i > 4 { // package x509 does not even parse these when they are critical
			continue
		}
		altered("criticality-of-"+name, "cert_profile", "critical where it must not be, or the reverse", func(c *x509.Certificate) {
			c.ExtraExtensions[i].Critical = !c.ExtraExtensions[i].Critical
		})
	}
	altered("other-order", "ok", "the order of extensions carries no meaning", func(c *x509.Certificate) { slices.Reverse(c.ExtraExtensions) })
	altered("not-a-ca", "cert_profile", "basicConstraints, even without cA, is not of the profile", func(c *x509.Certificate) { add(c, "2.5.29.19", true, 0x30, 0x00) })
	altered("ca", "cert_is_ca", "basicConstraints with cA", func(c *x509.Certificate) { add(c, "2.5.29.19", true, 0x30, 0x03, 0x01, 0x01, 0xFF) })
	altered("key-cert-sign", "cert_is_ca", "keyUsage with keyCertSign", func(c *x509.Certificate) { set(t, c, "2.5.29.15", 0x03, 0x02, 0x02, 0x84) })
	altered("key-encipherment", "cert_profile", "keyUsage with keyEncipherment", func(c *x509.Certificate) { set(t, c, "2.5.29.15", 0x03, 0x02, 0x05, 0xA0) })
	altered("non-repudiation", "cert_profile", "keyUsage of a signature certificate", func(c *x509.Certificate) { set(t, c, "2.5.29.15", 0x03, 0x02, 0x06, 0xC0) })
	altered("server-auth", "cert_profile", "extKeyUsage with serverAuth besides clientAuth", func(c *x509.Certificate) {
		set(t, c, "2.5.29.37", 0x30, 0x14, 0x06, 0x08, 0x2B, 0x06, 1, 5, 5, 7, 3, 2, 0x06, 0x08, 0x2B, 0x06, 1, 5, 5, 7, 3, 1)
	})
	altered("extra", "cert_profile", "an extension nobody knows, not critical", func(c *x509.Certificate) { add(c, "1.2.3.4", false, 0x05, 0x00) })
	altered("alternative-name", "cert_profile", "subjectAltName is for signature certificates", func(c *x509.Certificate) { add(c, "2.5.29.17", false, 0x30, 0x03, 0x82, 0x01, 'a') })
	altered("no-policy-of-ours", "cert_profile", "anyPolicy", func(c *x509.Certificate) {
		set(t, c, "2.5.29.32", 0x30, 0x08, 0x30, 0x06, 0x06, 0x04, 0x55, 0x1D, 0x20, 0x00)
	})
	altered("two-policies", "cert_profile", "the right one and anyPolicy", func(c *x509.Certificate) {
		set(t, c, "2.5.29.32", join(t, good, "2.5.29.32", 0x30, 0x06, 0x06, 0x04, 0x55, 0x1D, 0x20, 0x00)...)
	})
	signing, err := pki.Sign().IssueSign(goodProfile(nil))
	if err != nil {
		t.Fatal(err)
	}
	put("signing", "cert_signing", "a signature certificate", signing.Certificate.Raw)
	altered("signing-policy-too", "cert_signing", "both policies at once", func(c *x509.Certificate) {
		value, _, _ := find(signing.Certificate, oidPolicies)
		set(t, c, "2.5.29.32", join(t, good, "2.5.29.32", value[2:]...)...)
	})
	p := goodProfile(nil)
	p.Phone = true
	phone, err := pki.Auth().IssueAuth(p)
	if err != nil {
		t.Fatal(err)
	}
	put("phone", "cert_profile", "a phone's certificate where none are configured", phone.Certificate.Raw)
	altered("point-url", "cert_profile", "distribution point is an address", func(c *x509.Certificate) {
		set(t, c, "2.5.29.31", 0x30, 0x0B, 0x30, 0x09, 0xA0, 0x07, 0xA0, 0x05, 0x86, 0x03, 'a', ':', 'b')
	})
	altered("point-of-sign-authority", "cert_profile", "distribution point of the signature authority", func(c *x509.Certificate) {
		replace(t, c, signing.Certificate, "2.5.29.31")
	})
	altered("point-of-anchor", "cert_profile", "distribution point is the authority's own name", func(c *x509.Certificate) {
		replace(t, c, pki.Auth().Certificate(), "2.5.29.31")
	})
	altered("two-points", "cert_profile", "two distribution points", func(c *x509.Certificate) {
		value, _, _ := find(good, oidDistributionPoints)
		var inner asn1.RawValue
		if _, err := asn1.Unmarshal(value, &inner); err != nil {
			t.Fatal(err)
		}
		set(t, c, "2.5.29.31", join(t, good, "2.5.29.31", inner.Bytes...)...)
	})
	altered("access-issuers", "cert_profile", "authorityInfoAccess with caIssuers", func(c *x509.Certificate) {
		set(t, c, "1.3.6.1.5.5.7.1.1", 0x30, 0x0F, 0x30, 0x0D, 0x06, 0x08, 0x2B, 0x06, 1, 5, 5, 7, 0x30, 2, 0x86, 0x01, 'a')
	})
	altered("short-authority-key", "cert_profile", "authorityKeyIdentifier with the key identifier only", func(c *x509.Certificate) {
		set(t, c, "2.5.29.35", append([]byte{0x30, 0x16, 0x80, 0x14}, good.AuthorityKeyId...)...)
	})
	altered("authority-serial", "cert_untrusted", "authorityKeyIdentifier names another certificate of the same key", func(c *x509.Certificate) {
		value, _, _ := find(good, oidAuthorityKeyID)
		value = bytes.Clone(value)
		value[len(value)-1] ^= 1
		set(t, c, "2.5.29.35", value...)
	})
	altered("authority-key", "cert_untrusted", "authorityKeyIdentifier of the signature authority", func(c *x509.Certificate) {
		replace(t, c, signing.Certificate, "2.5.29.35")
	})
	altered("long-serial", "cert_profile", "serial number of five bytes", func(c *x509.Certificate) { c.SerialNumber = big.NewInt(0x80000000) })
	altered("sha384", "cert_profile", "signed with SHA-384", func(c *x509.Certificate) { c.SignatureAlgorithm = x509.SHA384WithRSA })
	for name, subject := range map[string][]pkix.AttributeTypeAndValue{
		"short-name": {{Type: oidCountry, Value: "JP"}, {Type: oidCommonName, Value: utf8Value("TEST12345678901310112A")}},
		"printable":  {{Type: oidCountry, Value: "JP"}, {Type: oidCommonName, Value: "TEST123456789013101123A"}},
		"name-not-a": {{Type: oidCountry, Value: "JP"}, {Type: oidCommonName, Value: utf8Value("TEST123456789013101123B")}},
		"name-sign":  {{Type: oidCountry, Value: "JP"}, {Type: oidCommonName, Value: utf8Value("TEST12345678901310112/A")}},
		"abroad":     {{Type: oidCountry, Value: "KR"}, {Type: oidCommonName, Value: utf8Value("TEST123456789013101123A")}},
		"no-country": {{Type: oidCommonName, Value: utf8Value("TEST123456789013101123A")}},
		"with-town":  {{Type: oidCountry, Value: "JP"}, {Type: oidUnit, Value: utf8Value("Chiyoda-ku")}, {Type: oidCommonName, Value: utf8Value("TEST123456789013101123A")}},
	} {
		altered("subject-"+name, "cert_profile", "subject is not C and CN as they are composed", func(c *x509.Certificate) { c.RawSubject = encodeName(t, subject) })
	}
	altered("expired", "cert_expired", "ended one second ago", func(c *x509.Certificate) { c.NotAfter = noon.Add(-time.Second) })
	altered("last-second", "ok", "ends now", func(c *x509.Certificate) { c.NotAfter = noon })
	altered("not-yet-valid", "cert_not_yet_valid", "begins in one second", func(c *x509.Certificate) { c.NotBefore = noon.Add(time.Second) })
	altered("backwards", "cert_profile", "ends before it begins", func(c *x509.Certificate) { c.NotBefore, c.NotAfter = noon, noon.Add(-time.Hour) })
	p = goodProfile(nil)
	if p.Key, err = rsa.GenerateKey(rand.Reader, 3072); err != nil {
		t.Fatal(err)
	}
	large, err := pki.Auth().IssueAuth(p)
	if err != nil {
		t.Fatal(err)
	}
	put("large-key", "cert_profile", "RSA-3072", large.Certificate.Raw)
	wrong, err := pki.Sign().IssueAuth(goodProfile(nil))
	if err != nil {
		t.Fatal(err)
	}
	put("wrong-authority", "cert_untrusted", "the signature authority issued it", wrong.Certificate.Raw)
	stranger, err := cardtest.LoadOrCreatePKI(t.TempDir(), vectorClock, "http://localhost/")
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := stranger.Auth().IssueAuth(goodProfile(nil))
	if err != nil {
		t.Fatal(err)
	}
	put("stranger", "cert_untrusted", "an authority of the same name", foreign.Certificate.Raw)
	if foreign, err = stranger.Auth().IssueAuth(goodProfile(func(c *x509.Certificate) { replace(t, c, good, "2.5.29.35") })); err != nil {
		t.Fatal(err)
	}
	put("impostor", "cert_untrusted", "an authority of the same name that names our key", foreign.Certificate.Raw)
}

// join appends elements to the SEQUENCE in an extension.
func join(t *testing.T, from *x509.Certificate, oid string, more ...byte) []byte {
	t.Helper()
	for _, e := range from.Extensions {
		if e.Id.String() != oid {
			continue
		}
		var inner asn1.RawValue
		if _, err := asn1.Unmarshal(e.Value, &inner); err != nil {
			t.Fatal(err)
		}
		out, err := asn1.Marshal(asn1.RawValue{Tag: asn1.TagSequence, IsCompound: true, Bytes: append(bytes.Clone(inner.Bytes), more...)})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	t.Fatalf("no extension %s", oid)
	return nil
}

func utf8Value(s string) asn1.RawValue {
	return asn1.RawValue{Tag: asn1.TagUTF8String, Bytes: []byte(s)}
}

func encodeName(t *testing.T, attributes []pkix.AttributeTypeAndValue) []byte {
	t.Helper()
	var name pkix.RDNSequence
	for _, a := range attributes {
		name = append(name, pkix.RelativeDistinguishedNameSET{a})
	}
	der, err := asn1.Marshal(name)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func makeRevocation(t *testing.T, pki *cardtest.PKI) {
	t.Helper()
	_, authority := vectorAnchors(t)
	good, revoked := issue(t, nil), issue(t, nil)
	r := pki.Responder()
	point := pki.Auth().Point(taro.Place)
	list := func(b cardtest.CRLBehaviour) []byte {
		r.BehaveCRL(b)
		w := httptest.NewRecorder()
		r.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/crl/"+listKey{[keyIDLen]byte(pki.Auth().Certificate().SubjectKeyId), digestPoint(point)}.path(), nil))
		return w.Body.Bytes()
	}
	none := list(cardtest.CRLGood)
	if err := pki.Auth().Revoke(revoked.Serial(), 4); err != nil {
		t.Fatal(err)
	}
	nonce := bytes.Repeat([]byte{0xA5}, nonceLen)
	ask := func(leaf *cardtest.Leaf, b cardtest.OCSPBehaviour) []byte {
		question, err := certID{authority.nameHash, authority.keyHash, leaf.Serial()}.request(nonce)
		if err != nil {
			t.Fatal(err)
		}
		r.BehaveOCSP(b)
		w := httptest.NewRecorder()
		r.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/ocsp", bytes.NewReader(question)))
		return w.Body.Bytes()
	}
	put := func(name, expect, comment string, leaf *cardtest.Leaf, body []byte) {
		writeVector(t, "ocsp", name, vector{map[string]string{
			"expect": expect, "comment": comment, "serial": fmt.Sprintf("%08X", leaf.Serial()), "nonce": hex.EncodeToString(nonce),
		}, body})
	}
	honest := ask(good, cardtest.OCSPGood)
	put("good", "good", "signed by the authority itself", good, honest)
	put("good-delegated", "good", "signed by a responder the authority appointed", good, ask(good, cardtest.OCSPDelegated))
	put("revoked", "revoked", "superseded", revoked, ask(revoked, cardtest.OCSPGood))
	put("revoked-delegated", "revoked", "superseded, signed by an appointed responder", revoked, ask(revoked, cardtest.OCSPDelegated))
	put("unknown", "unknown", "the authority knows no such certificate", good, ask(good, cardtest.OCSPUnknown))
	put("other-serial", "refused", "about another certificate", revoked, honest)
	for name, b := range map[string]cardtest.OCSPBehaviour{
		"late": cardtest.OCSPLate, "future": cardtest.OCSPFuture, "stale": cardtest.OCSPStale, "wrong-nonce": cardtest.OCSPWrongNonce,
		"no-nonce": cardtest.OCSPNoNonce, "wrong-signer": cardtest.OCSPWrongSigner, "unappointed": cardtest.OCSPUnappointed, "impostor": cardtest.OCSPImpostor, "retired": cardtest.OCSPRetired,
		"wrong-certificate": cardtest.OCSPWrongCertificate, "try-later": cardtest.OCSPTryLater, "garbage": cardtest.OCSPGarbage,
	} {
		put(name, "refused", "responder is "+name, good, ask(good, b))
	}
	put("altered", "refused", "good put over revoked", revoked, ask(revoked, cardtest.OCSPAltered))
	broken(honest, func(name, comment string, body []byte) { put(name, "refused", comment, good, body) })

	putList := func(name, expect, comment string, leaf *cardtest.Leaf, body []byte) {
		writeVector(t, "crl", name, vector{map[string]string{
			"expect": expect, "comment": comment, "serial": fmt.Sprintf("%08X", leaf.Serial()), "point": hex.EncodeToString(point),
		}, body})
	}
	current := list(cardtest.CRLGood)
	putList("absent", "absent", "not on the list", good, current)
	putList("none", "absent", "a list of nobody", good, none)
	putList("listed", "listed", "on the list, superseded", revoked, current)
	for name, b := range map[string]cardtest.CRLBehaviour{
		"stale": cardtest.CRLStale, "future": cardtest.CRLFuture, "wrong-signer": cardtest.CRLWrongSigner, "wrong-point": cardtest.CRLWrongPoint,
		"wrong-issuer": cardtest.CRLWrongIssuer, "delta": cardtest.CRLDelta, "garbage": cardtest.CRLGarbage,
	} {
		putList(name, "refused", "list is "+name, good, list(b))
	}
	broken(current, func(name, comment string, body []byte) { putList(name, "refused", comment, good, body) })
}

// broken breaks a signed structure in ways that a parser must notice.
func broken(der []byte, put func(name, comment string, body []byte)) {
	put("empty", "nothing", nil)
	put("cut-off", "the last byte is missing", der[:len(der)-1])
	put("half", "the second half is missing", der[:len(der)/2])
	put("trailing", "one byte follows", append(bytes.Clone(der), 0))
	put("indefinite", "indefinite length, which DER does not have", append([]byte{0x30, 0x80}, append(bytes.Clone(der[4:]), 0, 0)...))
	put("length-too-long", "outer length says more than there is", append([]byte{0x30, 0x82, 0xFF, 0xFF}, der[4:]...))
	put("length-padded", "outer length is not in its shortest form", append([]byte{0x30, 0x83, 0x00}, der[2:]...))
	last := bytes.Clone(der)
	last[len(last)-1] ^= 1
	put("signature-altered", "last bit of the signature", last)
	middle := bytes.Clone(der)
	middle[len(middle)/2] ^= 1
	put("middle-altered", "one bit in the middle", middle)
}
