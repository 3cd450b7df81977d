package idp

import (
	"bytes"
	"testing"

	"github.com/tsunagu-id/tsunagu/cardauth"
	"github.com/tsunagu-id/tsunagu/keys"
)

// A sealed handle opens where it was put and nowhere else: whoever can write the stores cannot have one citizen's card asked about in
// the place of another's.
func TestHandleOpensInItsPlaceOnly(t *testing.T) {
	sealer, err := keys.CreateSealer(t.TempDir() + "/seal.key")
	if err != nil {
		t.Fatal(err)
	}
	p := &Provider{sealer: sealer}
	// version, kind, authority, serial number, point, last second, address
	raw := append([]byte{1, 1}, make([]byte, 20+4+32+8)...)
	raw[25], raw[60] = 7, 1
	raw = append(raw, "http://ocsp.example"...)
	h, err := cardauth.UnmarshalHandle(raw)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := p.sealHandle(h, inTransaction("a"))
	if err != nil || bytes.Contains(sealed, []byte("ocsp.example")) {
		t.Fatalf("%q, %v", sealed, err)
	}
	if got, err := p.openHandle(sealed, inTransaction("a")); err != nil || got != h {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := p.openHandle(sealed, inTransaction("b")); err == nil {
		t.Error("opened for another login")
	}
	if _, err := p.sealHandle(cardauth.Handle{}, inTransaction("a")); err == nil {
		t.Error("nobody's handle was sealed")
	}
}
