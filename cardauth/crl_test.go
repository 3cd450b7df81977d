package cardauth

import (
	"bytes"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"slices"
	"testing"
	"time"
)

// read reads a list without judging it.
func read(der []byte) (*crl, error) {
	list, err := parseCRL(bytes.NewReader(der), listLimits{bytes: 1 << 20, entries: 1 << 12}, func(*crl) error { return nil })
	if err == nil {
		list.entries = list.building.finish()
	}
	return list, err
}

// listOf makes a list under a key of no consequence: what is judged here is
// how it is read.
func listOf(t *testing.T, entries []x509.RevocationListEntry, extensions ...pkix.Extension) []byte {
	t.Helper()
	issuer := &x509.Certificate{KeyUsage: x509.KeyUsageCRLSign, SubjectKeyId: []byte{1}, RawSubject: testPKI(t).Auth().Certificate().RawSubject}
	der, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{
		Number: big.NewInt(1), ThisUpdate: noon, NextUpdate: noon.Add(time.Hour),
		RevokedCertificateEntries: entries, ExtraExtensions: extensions, SignatureAlgorithm: x509.SHA256WithRSA,
	}, issuer, shared.leaf.Key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func entry(serial int64, extensions ...pkix.Extension) []x509.RevocationListEntry {
	return []x509.RevocationListEntry{{SerialNumber: big.NewInt(serial), RevocationTime: noon, ExtraExtensions: extensions}}
}

func TestSerialNumbersOfAList(t *testing.T) {
	var entries []x509.RevocationListEntry
	for _, serial := range []int64{0x7FFFFFFF, 1, 0, 0x80, 0x7F, 0x8000, 0x01020304, 0x80000000, 1 << 40} {
		entries = append(entries, entry(serial)...)
	}
	list, err := read(listOf(t, entries))
	if err != nil {
		t.Fatal(err)
	}
	// What needs five bytes is not a serial number of the profile.
	if want := []uint32{0, 1, 0x7F, 0x80, 0x8000, 0x01020304, 0x7FFFFFFF}; len(want) != list.entries.count || list.total != len(entries) {
		t.Errorf("%d of %d entries, want %d of %d", list.entries.count, list.total, len(want), len(entries))
	} else {
		for _, serial := range want {
			if _, revoked := list.entries.find(serial); !revoked {
				t.Errorf("%X is not on the list", serial)
			}
		}
	}
	for serial, want := range map[uint32]bool{1: true, 2: false, 0x01020304: true, 0x7FFFFFFE: false} {
		if _, revoked := list.entries.find(serial); revoked != want {
			t.Errorf("%X: %v", serial, !want)
		}
	}
}

// A list that says more than we understand is not read by halves.
func TestListsThatAreNotRead(t *testing.T) {
	point := issuingPoint(t, testPKI(t).Auth().Point(taro.Place))
	for name, c := range map[string]struct {
		der  []byte
		read bool
	}{
		"plain":              {listOf(t, entry(1)), true},
		"one municipality's": {listOf(t, entry(1), point()), true},
		"citizens only":      {listOf(t, entry(1), point(0x81, 0x01, 0xFF)), true},
		"citizens: false":    {listOf(t, entry(1), point(0x81, 0x01, 0x00)), false},
		"authorities only":   {listOf(t, entry(1), point(0x82, 0x01, 0xFF)), false},
		"some reasons":       {listOf(t, entry(1), point(0x83, 0x02, 0x06, 0x40)), false},
		"indirect":           {listOf(t, entry(1), point(0x84, 0x01, 0xFF)), false},
		"point not critical": {listOf(t, entry(1), pkix.Extension{Id: oidIssuingPoint, Value: point().Value}), false},
		"unknown, critical":  {listOf(t, entry(1), pkix.Extension{Id: asn1.ObjectIdentifier{1, 2, 3}, Critical: true, Value: []byte{5, 0}}), false},
		"unknown":            {listOf(t, entry(1), pkix.Extension{Id: asn1.ObjectIdentifier{1, 2, 3}, Value: []byte{5, 0}}), true},
		"entry with reason":  {listOf(t, reason(4)), true},
		"entry taken off":    {listOf(t, reason(reasonRemove)), false},
		"somebody else's entry": {listOf(t, entry(1, pkix.Extension{
			Id: asn1.ObjectIdentifier{2, 5, 29, 29}, Critical: true, Value: []byte{0x30, 0},
		})), false},
	} {
		if _, err := read(c.der); (err == nil) != c.read {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func reason(code int) []x509.RevocationListEntry {
	return []x509.RevocationListEntry{{SerialNumber: big.NewInt(1), RevocationTime: noon, ReasonCode: code}}
}

// issuingPoint makes issuingDistributionPoint extensions with more after the
// name.
func issuingPoint(t *testing.T, name []byte) func(more ...byte) pkix.Extension {
	t.Helper()
	wrap := func(class, tag int, b []byte) []byte {
		out, err := asn1.Marshal(asn1.RawValue{Class: class, Tag: tag, IsCompound: true, Bytes: b})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	inner := wrap(asn1.ClassContextSpecific, 0, wrap(asn1.ClassContextSpecific, 0, wrap(asn1.ClassContextSpecific, 4, name)))
	return func(more ...byte) pkix.Extension {
		return pkix.Extension{Id: oidIssuingPoint, Critical: true, Value: wrap(asn1.ClassUniversal, asn1.TagSequence, slices.Concat(inner, more))}
	}
}
