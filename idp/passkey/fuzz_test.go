package passkey_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"

	"github.com/tsunagu-id/tsunagu/idp/passkey"
)

// FuzzAttestation: whatever a browser posts as a registration is refused with a reason or was made for the challenge; what is accepted
// can be stored and read back.
func FuzzAttestation(f *testing.F) {
	c := newCeremony(f)
	options, challenge, err := c.party.Creation(passkey.Owner{Handle: c.handle, Name: "n", Site: "s"})
	must(f, err)
	body, err := c.device.Create(options)
	must(f, err)
	f.Add(body)
	f.Add([]byte(`{"id":"AA","rawId":"AA","type":"public-key","response":{"clientDataJSON":"e30","attestationObject":"oA"}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		made, err := c.judgeNew(challenge, body)
		var e *passkey.Error
		if err != nil {
			if !errors.As(err, &e) {
				t.Fatalf("no reason: %v", err)
			}
			return
		}
		if !bytes.Contains(body, []byte("clientDataJSON")) || !json.Valid(body) || len(made.ID()) == 0 {
			t.Fatalf("accepted %q", body)
		}
		stored, err := made.MarshalBinary()
		must(t, err)
		if _, err := passkey.UnmarshalCredential(stored); err != nil {
			t.Fatal(err)
		}
	})
}

// FuzzAssertion: whatever a browser posts as a login is refused with a reason, or is the very answer that the key signed.
func FuzzAssertion(f *testing.F) {
	c := newCeremony(f)
	made, err := c.register(f)
	must(f, err)
	options, challenge, err := c.party.Request()
	must(f, err)
	body, err := c.device.Get(options)
	must(f, err)
	f.Add(body)
	f.Add([]byte(`{"id":"AA","rawId":"AA","type":"public-key","response":{"clientDataJSON":"e30","authenticatorData":"","signature":"","userHandle":""}}`))
	want, err := passkey.ParseAssertion(body)
	must(f, err)
	f.Fuzz(func(t *testing.T, body []byte) {
		a, err := passkey.ParseAssertion(body)
		if err == nil {
			_, err = c.party.Verify(challenge, a, made, c.handle)
		}
		var e *passkey.Error
		if err != nil {
			if !errors.As(err, &e) {
				t.Fatalf("no reason: %v", err)
			}
			return
		}
		if !bytes.Equal(a.CredentialID(), want.CredentialID()) {
			t.Fatal("another credential was accepted")
		}
	})
}
