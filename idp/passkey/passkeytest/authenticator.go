package passkeytest

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// Flags of authenticator data (Web Authentication Level 3 §6.1).
const (
	UP = 0x01
	UV = 0x04
	BE = 0x08
	BS = 0x10
	AT = 0x40
)

// Device is a browser with an authenticator that asks its user for nothing. The fields may be changed between uses: a nil or empty one
// is what is right.
type Device struct {
	Origin string // of the page that the browser shows

	Alg     int64 // of the next key; 0: the first that the page asks for
	Synced  bool  // credentials are eligible for backup and backed up, and count nothing
	Counter uint32

	// Lies, each for the test of one check.
	Type         string // of the client data
	Challenge    string
	CrossOrigin  bool
	RPID         string
	ClearFlags   byte
	SetFlags     byte
	Handle       []byte // user handle
	KeepCounter  bool   // the counter does not go on
	BreakSig     bool
	Format       string // of the attestation
	Statement    []byte // its CBOR
	CredentialID []byte // of the next credential

	credentials []credential
}

type credential struct {
	id, handle []byte
	rpID       string
	key        key
	flags      byte
}

// creation and request are what the device reads of the options.
type creation struct {
	RP   struct{ ID string }
	User struct {
		ID   string
		Name string
	}
	Challenge        string
	PubKeyCredParams []struct{ Alg int64 }
	Exclude          []struct{ ID string } `json:"excludeCredentials"`
	Attestation      string
	Selection        struct {
		ResidentKey      string
		UserVerification string
	} `json:"authenticatorSelection"`
}

type request struct {
	RPID             string `json:"rpId"`
	Challenge        string
	UserVerification string
	Allow            []any `json:"allowCredentials"`
}

// ErrExcluded is what the browser says when the authenticator has a credential that the page excludes.
var ErrExcluded = errors.New("InvalidStateError: excluded")

// ErrNone is a login without a credential for the site.
var ErrNone = errors.New("NotAllowedError: no credential")

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func orElse[T any](value []T, other []T) []T {
	if value != nil {
		return value
	}
	return other
}

func or(value, other string) string {
	if value != "" {
		return value
	}
	return other
}

// Create answers navigator.credentials.create() for the options and returns the JSON of the credential.
func (d *Device) Create(options []byte) ([]byte, error) {
	var o creation
	if err := json.Unmarshal(options, &o); err != nil {
		return nil, fmt.Errorf("creation options: %w", err)
	}
	if o.Selection.ResidentKey != "required" || o.Selection.UserVerification != "required" || o.Attestation != "none" {
		return nil, fmt.Errorf("the page asks for %+v, attestation %q", o.Selection, o.Attestation)
	}
	for _, x := range o.Exclude {
		if slices.ContainsFunc(d.credentials, func(c credential) bool { return b64(c.id) == x.ID }) {
			return nil, ErrExcluded
		}
	}
	handle, err := base64.RawURLEncoding.DecodeString(o.User.ID)
	if err != nil {
		return nil, fmt.Errorf("user handle: %w", err)
	}
	if d.Alg == 0 {
		d.Alg = o.PubKeyCredParams[0].Alg
	}
	k, err := newKey(d.Alg)
	if err != nil {
		return nil, err
	}
	c := credential{id: make([]byte, 32), handle: handle, rpID: o.RP.ID, key: k, flags: UP | UV}
	_, _ = rand.Read(c.id)
	c.id = slices.Clone(orElse(d.CredentialID, c.id))
	if d.Synced {
		c.flags |= BE | BS
	}
	client := d.client("webauthn.create", o.Challenge)
	auth := d.authData(c, AT)
	auth = binary.BigEndian.AppendUint16(append(auth, make([]byte, 16)...), uint16(len(c.id))) //nolint:gosec // at most 1023
	auth = append(append(auth, c.id...), c.key.cose()...)
	object := joined(mapHead(3), textOf("fmt"), textOf(or(d.Format, "none")), textOf("attStmt"), orElse(d.Statement, mapHead(0)),
		textOf("authData"), bytesOf(auth))
	d.credentials = append(d.credentials, c)
	return answer(c.id, map[string]any{"clientDataJSON": b64(client), "attestationObject": b64(object), "transports": []string{"internal", "hybrid"}})
}

// Get answers navigator.credentials.get() for the options with the newest credential of the site.
func (d *Device) Get(options []byte) ([]byte, error) {
	var o request
	if err := json.Unmarshal(options, &o); err != nil {
		return nil, fmt.Errorf("request options: %w", err)
	}
	if o.UserVerification != "required" || len(o.Allow) > 0 {
		return nil, fmt.Errorf("the page asks for %+v", o)
	}
	for _, c := range slices.Backward(d.credentials) {
		if c.rpID == o.RPID {
			return d.assert(c, o.Challenge)
		}
	}
	return nil, ErrNone
}

func (d *Device) assert(c credential, challenge string) ([]byte, error) {
	client := d.client("webauthn.get", challenge)
	auth := d.authData(c, 0)
	sum := sha256.Sum256(client)
	sig, err := c.key.sign(append(slices.Clone(auth), sum[:]...))
	if err != nil {
		return nil, err
	}
	if d.BreakSig {
		sig[len(sig)-1] ^= 1
	}
	return answer(c.id, map[string]any{
		"clientDataJSON": b64(client), "authenticatorData": b64(auth), "signature": b64(sig), "userHandle": b64(orElse(d.Handle, c.handle)),
	})
}

// client is the client data (§5.8.1), with the member that Chromium adds against those who compare text.
func (d *Device) client(ceremony, challenge string) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(map[string]any{
		"type": or(d.Type, ceremony), "challenge": or(d.Challenge, challenge), "origin": d.Origin, "crossOrigin": d.CrossOrigin,
		"other_keys_can_be_added_here": "do not compare clientDataJSON against a template.",
	})
	return bytes.TrimSpace(b.Bytes())
}

// authData is authenticator data (§6.1) without what follows the counter.
func (d *Device) authData(c credential, flags byte) []byte {
	id := sha256.Sum256([]byte(or(d.RPID, c.rpID)))
	if !d.Synced && !d.KeepCounter {
		d.Counter++
	}
	count := d.Counter
	if d.Synced {
		count = 0
	}
	out := append(id[:], (c.flags|flags|d.SetFlags)&^d.ClearFlags)
	return binary.BigEndian.AppendUint32(out, count)
}

// answer is PublicKeyCredential.toJSON (§5.1).
func answer(id []byte, response map[string]any) ([]byte, error) {
	return json.Marshal(map[string]any{
		"id": b64(id), "rawId": b64(id), "type": "public-key", "response": response, "authenticatorAttachment": "platform",
		"clientExtensionResults": map[string]any{"credProps": map[string]any{"rk": true}},
	})
}

// Clone returns a device with copies of all keys and the counter as it stands.
func (d *Device) Clone() *Device {
	c := *d
	c.credentials = slices.Clone(d.credentials)
	return &c
}

// Forget removes all credentials, as their owner may in the device's settings.
func (d *Device) Forget() { d.credentials = nil }
