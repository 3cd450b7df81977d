package cardauth

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"errors"
	"hash"
	"testing"

	"golang.org/x/crypto/ocsp"
)

// seeds are the vectors of a suite.
func seeds(f *testing.F, suite string) {
	f.Helper()
	for _, v := range readVectors(f, suite) {
		f.Add(v.body)
	}
}

// What parses encodes back to the same bytes, and what does not is Malformed.
func FuzzParseResponse(f *testing.F) {
	seeds(f, "response")
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := ParseResponse(body)
		if err != nil {
			if refusal, ok := errors.AsType[*Error](err); !ok || refusal.Reason != Malformed {
				t.Fatalf("got %v", err)
			}
			return
		}
		parts := bytes.Split(body, []byte{'.'})
		for _, p := range parts {
			raw, err := base64.RawURLEncoding.DecodeString(string(p))
			if err != nil || b64(raw) != string(p) {
				t.Fatalf("%q has another spelling", p)
			}
		}
		if len(parts) != 3 || b64(r.signature) != string(parts[2]) || len(r.certificate) == 0 {
			t.Fatalf("%+v from %q", r, body)
		}
	})
}

// What our reader takes for an object, package json takes for the same one.
func FuzzObject(f *testing.F) {
	for _, s := range []string{`{}`, `{"a":1}`, `{"a":1,"a":2}`, `{"a":{"b":[null]}} `, `[]`, `{"a":1}{}`, "{\"\xff\":1}", `{"a":01}`, `{"\u0061":1,"a":2}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		members, ok := object(b)
		if !ok {
			return
		}
		var want map[string]json.RawMessage
		if err := json.Unmarshal(b, &want); err != nil {
			t.Fatalf("%q: %v", b, err)
		}
		if len(members) != len(want) || len(members) > maxMembers {
			t.Fatalf("%q: %d members, package json finds %d", b, len(members), len(want))
		}
		for name, value := range members {
			if !bytes.Equal(value, want[name]) {
				t.Fatalf("%q: %s is %s, package json says %s", b, name, value, want[name])
			}
		}
	})
}

// Whatever is accepted has the profile, and is the bytes that were judged.
func FuzzCertificateProfile(f *testing.F) {
	seeds(f, "certificate")
	f.Fuzz(func(t *testing.T, der []byte) {
		l, err := parseLeaf(der, "1.2.3")
		if err != nil {
			refusal, ok := errors.AsType[*Error](err)
			if !ok || refusal.Reason < CertificateMalformed || refusal.Reason > CertificateProfile {
				t.Fatalf("got %v", err)
			}
			return
		}
		c := l.cert
		key, isRSA := c.PublicKey.(*rsa.PublicKey)
		switch {
		case !bytes.Equal(c.Raw, der), len(der) > maxCertificate:
			t.Error("not the bytes that were given")
		case c.IsCA, c.KeyUsage != x509.KeyUsageDigitalSignature, len(c.ExtKeyUsage) != 1, c.ExtKeyUsage[0] != x509.ExtKeyUsageClientAuth:
			t.Error("usage")
		case !isRSA, key.N.BitLen() != keyBits, key.E != keyExponent, l.key != key:
			t.Error("key")
		case len(c.UnhandledCriticalExtensions) != 0, len(c.DNSNames)+len(c.EmailAddresses)+len(c.URIs)+len(c.IPAddresses) != 0:
			t.Error("extensions")
		case len(l.issuer.keyID) != keyIDLen, l.point == nil, l.ocspURL == "":
			t.Error("nobody to ask")
		}
	})
}

// The name that is read out of a distribution point, put back, is the
// extension again: nothing beside it was overlooked.
func FuzzDistributionPoint(f *testing.F) {
	var issuer []byte
	for _, v := range readVectors(f, "certificate") {
		c, err := x509.ParseCertificate(v.body)
		if err != nil {
			continue
		}
		if value, _, there := find(c, oidDistributionPoints); there {
			f.Add(value)
			issuer = c.RawIssuer
		}
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		l := &leaf{cert: &x509.Certificate{RawIssuer: issuer}}
		if !l.readPoint(value) {
			return
		}
		out := l.point
		for _, tag := range []struct{ class, tag int }{{2, 4}, {2, 0}, {2, 0}, {0, asn1.TagSequence}, {0, asn1.TagSequence}} {
			var err error
			if out, err = asn1.Marshal(asn1.RawValue{Class: tag.class, Tag: tag.tag, IsCompound: true, Bytes: out}); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(out, value) {
			t.Errorf("%X was read from %X", l.point, value)
		}
		if _, ok := parseName(l.point); !ok {
			t.Errorf("%X is no name", l.point)
		}
	})
}

// An answer that the library reads too says the same to both; and none that
// was not signed by the authority is ever relied on.
func FuzzOCSP(f *testing.F) {
	_, authority := vectorAnchors(f)
	revocation, err := NewRevocation(RevocationDeps{Now: vectorClock})
	if err != nil {
		f.Fatal(err)
	}
	signed := map[string]bool{}
	var id certID
	var nonce []byte
	for name, v := range readVectors(f, "ocsp") {
		f.Add(v.body)
		if name == "good" {
			id, nonce = vectorID(f, v, authority), v.bytes(f, "nonce")
		}
		if a, err := parseOCSP(v.body, vectorID(f, v, authority)); err == nil && v.fields["expect"] != "refused" {
			signed[string(a.signed)] = true
		}
	}
	f.Fuzz(func(t *testing.T, der []byte) {
		a, err := parseOCSP(der, id)
		if err != nil {
			return
		}
		if one, err := revocation.judgeOCSP(der, id, nonce, authority); err == nil && one.status == statusGood && !signed[string(a.signed)] {
			t.Fatalf("relied on %X", der)
		}
		theirs, err := ocsp.ParseResponse(der, nil)
		if err != nil {
			return
		}
		if theirs.Status != int(a.single.status) || !theirs.ThisUpdate.Equal(a.single.thisUpdate) || !theirs.NextUpdate.Equal(a.single.nextUpdate) {
			t.Errorf("library: %+v, ours: %+v", theirs, a.single)
		}
	})
}

func digestOf(h hash.Hash, b []byte) []byte {
	_, _ = h.Write(b)
	return h.Sum(nil)
}

// A list that we read, the library reads with the same numbers on it.
func FuzzCRL(f *testing.F) {
	_, authority := vectorAnchors(f)
	revocation, err := NewRevocation(RevocationDeps{Now: vectorClock})
	if err != nil {
		f.Fatal(err)
	}
	signed := map[string]bool{}
	var point []byte
	anybody := func(*crl) error { return nil }
	limits := listLimits{bytes: 1 << 20, entries: 1 << 12}
	for _, v := range readVectors(f, "crl") {
		f.Add(v.body)
		point = v.bytes(f, "point")
		if list, err := parseCRL(bytes.NewReader(v.body), limits, anybody); err == nil && v.fields["expect"] != "refused" {
			signed[string(list.digest)] = true
		}
	}
	f.Fuzz(func(t *testing.T, der []byte) {
		list, err := parseCRL(bytes.NewReader(der), limits, anybody)
		if err != nil {
			return
		}
		list.entries = list.building.finish()
		if _, err := revocation.judgeList(bytes.NewReader(der), listKey{point: digestPoint(point)}, authority); err == nil && !signed[string(list.digest)] {
			t.Fatalf("relied on %X", der)
		}
		theirs, err := x509.ParseRevocationList(der)
		if err != nil {
			return // the library looks closer at what we do not use
		}
		if !bytes.Equal(theirs.RawIssuer, list.issuer) || !theirs.NextUpdate.Equal(list.nextUpdate) || !theirs.ThisUpdate.Equal(list.thisUpdate) {
			t.Error("the library reads another list")
		}
		if sum := list.hash.New(); !bytes.Equal(digestOf(sum, theirs.RawTBSRevocationList), list.digest) {
			t.Error("not what is signed was hashed")
		}
		for _, e := range theirs.RevokedCertificateEntries {
			short := e.SerialNumber.Sign() >= 0 && e.SerialNumber.BitLen() <= maxSerialBits
			if !short {
				continue
			}
			if _, revoked := list.entries.find(uint32(e.SerialNumber.Uint64())); !revoked {
				t.Errorf("%v is not on our list", e.SerialNumber)
			}
		}
		if list.total != len(theirs.RevokedCertificateEntries) || list.entries.count > list.total {
			t.Error("another number of entries")
		}
	})
}
