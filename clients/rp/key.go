package rp

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	maxKeyFile = 4 << 10
	// assertionLife is short because an assertion is made for one request. The hub allows five minutes.
	assertionLife = time.Minute
)

// Key is a relying party's own signing key, with which it proves to the hub who it is (private_key_jwt).
type Key struct {
	signer jose.Signer
	people jose.Signer // for statements about a person: type agency-subject+jwt
	proofs jose.Signer // for DPoP: type dpop+jwt, the public key in the header
	thumb  string      // RFC 7638, what tokens are bound to
	jwks   []byte
	secret Secret // the private half, as a root of other keys
}

// OpenKey reads the P-256 key in the PEM file at path, or makes one if there is no file. The file is for its owner alone
// (0600); one that others can read is refused.
func OpenKey(path string) (*Key, error) {
	key, err := readKey(path)
	if errors.Is(err, fs.ErrNotExist) {
		key, err = createKey(path)
		if errors.Is(err, fs.ErrExist) {
			key, err = readKey(path) // another process was first
		}
	}
	if err != nil {
		return nil, fmt.Errorf("key %s: %w", path, err)
	}
	return newKey(key)
}

// ReadKey is OpenKey for a file that has to be there.
func ReadKey(path string) (*Key, error) {
	key, err := readKey(path)
	if err != nil {
		return nil, fmt.Errorf("key %s: %w", path, err)
	}
	return newKey(key)
}

func newKey(private *ecdsa.PrivateKey) (*Key, error) {
	public := jose.JSONWebKey{Key: private.Public(), Algorithm: string(jose.ES256), Use: "sig"}
	thumb, err := public.Thumbprint(crypto.SHA256) // RFC 7638
	if err != nil {
		return nil, err
	}
	public.KeyID = base64.RawURLEncoding.EncodeToString(thumb)
	jwks, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{public}})
	if err != nil {
		return nil, err
	}
	signer, err := jose.NewSigner(
		jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: private, KeyID: public.KeyID}},
		(&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		return nil, err
	}
	people, err := jose.NewSigner(
		jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: private, KeyID: public.KeyID}},
		(&jose.SignerOptions{}).WithType(subjectType))
	if err != nil {
		return nil, err
	}
	proofs, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: private},
		(&jose.SignerOptions{EmbedJWK: true}).WithType("dpop+jwt"))
	if err != nil {
		return nil, err
	}
	secret, err := private.Bytes()
	if err != nil {
		return nil, err
	}
	return &Key{signer: signer, people: people, proofs: proofs, thumb: public.KeyID, jwks: jwks, secret: NewSecret(string(secret))}, nil
}

func (k *Key) root() Secret { return k.secret }

// JWKS is the public half, for the hub.
func (k *Key) JWKS() []byte { return k.jwks }

// ServeHTTP publishes the JWKS.
func (k *Key) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/jwk-set+json")
	w.Header().Set("Cache-Control", "public, max-age=300")
	_, _ = w.Write(k.jwks) // the hub hung up: nobody is left to tell
}

// prove adds a client assertion (RFC 7523 §3, OpenID Connect Core §9). Its audience is the issuer and nothing else, so that no
// endpoint of another hub can use it.
func (k *Key) prove(form url.Values, _ http.Header, p proof) error {
	claims, err := json.Marshal(map[string]any{
		"iss": p.client, "sub": p.client, "aud": p.issuer, "jti": rand.Text(),
		"iat": p.at.Unix(), "exp": p.at.Add(assertionLife).Unix(),
	})
	if err != nil {
		return err
	}
	signed, err := k.signer.Sign(claims)
	if err != nil {
		return err
	}
	compact, err := signed.CompactSerialize()
	if err != nil {
		return err
	}
	form.Set("client_id", p.client)
	form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
	form.Set("client_assertion", compact)
	return nil
}

func readKey(path string) (_ *ecdsa.PrivateKey, err error) {
	f, err := os.Open(path) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, errors.New("can be read by others; its mode must be 0600")
	}
	b, err := io.ReadAll(io.LimitReader(f, maxKeyFile))
	if err != nil {
		return nil, err
	}
	block, rest := pem.Decode(b)
	if block == nil || block.Type != "PRIVATE KEY" || len(rest) != 0 {
		return nil, errors.New("is not one PEM block PRIVATE KEY")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok || key.Curve != elliptic.P256() {
		return nil, errors.New("is not a P-256 key")
	}
	return key, nil
}

// createKey writes the whole file under another name first: a crash leaves either no key or a complete one, and of two
// processes that start at once the first decides.
func createKey(path string) (_ *ecdsa.PrivateKey, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".key-*") // mode 0600
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.Remove(f.Name())) }()
	_, err = f.Write(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return nil, err
	}
	return key, os.Link(f.Name(), path)
}
