package keys

import (
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// The states of a signing key, as stored. See doc.go.
const (
	stateAnnounced = "announced"
	stateActive    = "active"
	stateRetired   = "retired"
)

// snapshot is everything that Sign, Verify and JWKS need, parsed once. It is
// never changed after it was built; a newer one takes its place.
type snapshot struct {
	stamp    int64
	signers  map[Alg]*signer
	verifies map[string]verifyKey // by key id
	jwks     []byte
	etag     string
}

type verifyKey struct {
	alg    Alg
	public crypto.PublicKey
}

// ownKey is a row, opened.
type ownKey struct {
	kid     string
	alg     Alg
	state   string
	changed time.Time
	private crypto.Signer // nil once retired
	public  crypto.PublicKey
}

// aad binds a sealed key to its row. The state is not part of it beyond the
// form: an announced key becomes active without being sealed anew.
func (k ownKey) aad() []byte {
	form := "private"
	if k.state == stateRetired {
		form = "public"
	}
	return []byte("signing-key/" + form + "/" + string(k.alg) + "/" + k.kid)
}

// seal returns the row of the key: with its private half, or with its public half
// alone once it is retired.
func (k ownKey) seal(s *Sealer) (keyRow, error) {
	var plain []byte
	var err error
	if k.state == stateRetired {
		plain, err = x509.MarshalPKIXPublicKey(k.public)
	} else {
		plain, err = x509.MarshalPKCS8PrivateKey(k.private)
	}
	if err != nil {
		return keyRow{}, fmt.Errorf("encode signing key %s: %w", k.kid, err)
	}
	return keyRow{kid: k.kid, alg: string(k.alg), state: k.state, sealed: s.Seal(plain, k.aad()), changed: k.changed}, nil
}

// openRow opens a row and checks that it holds the key it names.
func openRow(s *Sealer, r keyRow) (ownKey, error) {
	alg, err := ParseAlg(r.alg)
	if err != nil {
		return ownKey{}, fmt.Errorf("open signing key %s: %w", r.kid, err)
	}
	k := ownKey{kid: r.kid, alg: alg, state: r.state, changed: r.changed}
	plain, err := s.Open(r.sealed, k.aad())
	if err != nil {
		return ownKey{}, fmt.Errorf("open signing key %s: %w", r.kid, err)
	}
	if k.state == stateRetired {
		k.public, err = x509.ParsePKIXPublicKey(plain)
	} else {
		var private any
		private, err = x509.ParsePKCS8PrivateKey(plain)
		if signs, ok := private.(crypto.Signer); ok {
			k.private, k.public = signs, signs.Public()
		}
	}
	if err != nil {
		return ownKey{}, fmt.Errorf("parse signing key %s: %w", r.kid, err)
	}
	thumb, err := Thumbprint(k.public)
	if err != nil || thumb != k.kid || !alg.fits(k.public) {
		return ownKey{}, refuse(SealBroken, "signing key "+r.kid+" is not the key its row names")
	}
	return k, nil
}

// newKey makes a key. Its id is its RFC 7638 thumbprint.
func (s *Set) newKey(alg Alg, state string) (ownKey, error) {
	private, err := s.d.Generate(alg)
	if err != nil {
		return ownKey{}, fmt.Errorf("generate %s key: %w", alg, err)
	}
	kid, err := Thumbprint(private.Public())
	if err != nil {
		return ownKey{}, err
	}
	return ownKey{kid: kid, alg: alg, state: state, changed: s.d.Now(), private: private, public: private.Public()}, nil
}

func buildSnapshot(stamp int64, own []ownKey) (*snapshot, error) {
	out := &snapshot{stamp: stamp, signers: make(map[Alg]*signer), verifies: make(map[string]verifyKey, len(own))}
	set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{}}
	for _, k := range own {
		if k.state == stateActive {
			out.signers[k.alg] = newSigner(k.kid, k.alg, k.private)
		}
		out.verifies[k.kid] = verifyKey{alg: k.alg, public: k.public}
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: k.public, KeyID: k.kid, Algorithm: string(k.alg), Use: "sig"})
	}
	var err error
	if out.jwks, err = json.Marshal(set); err != nil {
		return nil, fmt.Errorf("encode JWKS: %w", err)
	}
	sum := sha256.Sum256(out.jwks)
	out.etag = `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`
	return out, nil
}
