package passkey

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"
)

// Credential is what is kept of a passkey (§4, credential record). It can only be got from Party.Register and from storage.
type Credential struct {
	id, key    []byte
	aaguid     []byte
	transports []string

	eligible, backedUp bool
	counter            uint32
}

// ID is the credential id, 1 to 1023 bytes that the authenticator chose.
func (c Credential) ID() []byte { return slices.Clone(c.id) }

// Synced says whether the passkey may be on several devices of its owner (backup eligible), and whether it was known to be.
func (c Credential) Synced() (eligible, backedUp bool) { return c.eligible, c.backedUp }

// Counter is the signature counter; 0 for an authenticator that has none.
func (c Credential) Counter() uint32 { return c.counter }

// Stored returns the credential as it was when it was used last.
func (c Credential) Stored(eligible, backedUp bool, counter uint32) Credential {
	c.eligible, c.backedUp, c.counter = eligible, backedUp, counter
	return c
}

// record is the part of a credential that never changes.
type record struct {
	ID         []byte   `json:"id"`
	Key        []byte   `json:"k"` // COSE_Key
	AAGUID     []byte   `json:"aa,omitempty"`
	Transports []string `json:"t,omitempty"`
}

// MarshalBinary returns the part that never changes, to be stored sealed. Flags and counter are the caller's to store.
func (c Credential) MarshalBinary() ([]byte, error) {
	return json.Marshal(record{c.id, c.key, c.aaguid, c.transports})
}

// UnmarshalCredential reads what MarshalBinary wrote.
func UnmarshalCredential(b []byte) (Credential, error) {
	var r record
	if err := json.Unmarshal(b, &r); err != nil {
		return Credential{}, fmt.Errorf("passkey: stored credential: %w", err)
	}
	if len(r.ID) == 0 || len(r.Key) == 0 {
		return Credential{}, fmt.Errorf("passkey: stored credential lacks id or key")
	}
	return Credential{id: r.ID, key: r.Key, aaguid: r.AAGUID, transports: r.Transports}, nil
}

// maxTransports bounds what a browser may say of the ways to an authenticator.
const maxTransports = 6

// knownTransports keeps the words that a browser will understand when it is told them again (§5.8.4).
func knownTransports(said []protocol.AuthenticatorTransport) []string {
	known := []protocol.AuthenticatorTransport{protocol.USB, protocol.NFC, protocol.BLE, protocol.SmartCard, protocol.Hybrid, protocol.Internal}
	var out []string
	for _, t := range known {
		if slices.Contains(said, t) && len(out) < maxTransports {
			out = append(out, string(t))
		}
	}
	return out
}

func (c Credential) descriptor() protocol.CredentialDescriptor {
	d := protocol.CredentialDescriptor{Type: protocol.PublicKeyCredentialType, CredentialID: c.id}
	for _, t := range c.transports {
		d.Transport = append(d.Transport, protocol.AuthenticatorTransport(t))
	}
	return d
}

// library is the credential as go-webauthn wants to see it.
func (c Credential) library() webauthn.Credential {
	return webauthn.Credential{
		ID: c.id, PublicKey: c.key, Flags: webauthn.CredentialFlags{UserVerified: true, BackupEligible: c.eligible, BackupState: c.backedUp},
		Authenticator: webauthn.Authenticator{AAGUID: c.aaguid, SignCount: c.counter},
	}
}
