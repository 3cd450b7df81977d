package keys

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

func embedded(t *testing.T, typ string) (token string, key *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	opts := &jose.SignerOptions{EmbedJWK: true}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, opts.WithType(jose.ContentType(typ)))
	if err != nil {
		t.Fatal(err)
	}
	jws, err := signer.Sign([]byte(`{"a":1}`))
	if err != nil {
		t.Fatal(err)
	}
	if token, err = jws.CompactSerialize(); err != nil {
		t.Fatal(err)
	}
	return token, key
}

func TestVerifyEmbedded(t *testing.T) {
	token, key := embedded(t, "dpop+jwt")
	got, err := VerifyEmbedded(token, "dpop+jwt", ES256)
	if err != nil || string(got.Payload) != `{"a":1}` || got.Alg != ES256 {
		t.Fatalf("%+v, %v", got, err)
	}
	if want, err := Thumbprint(&key.PublicKey); err != nil || got.Thumbprint != want {
		t.Errorf("thumbprint %s, want %s, %v", got.Thumbprint, want, err)
	}
	parts := strings.Split(token, ".")
	header := func(change func(map[string]any)) string {
		b, err := base64.RawURLEncoding.DecodeString(parts[0])
		if err != nil {
			t.Fatal(err)
		}
		var h map[string]any
		if err := json.Unmarshal(b, &h); err != nil {
			t.Fatal(err)
		}
		change(h)
		if b, err = json.Marshal(h); err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(b) + "." + parts[1] + "." + parts[2]
	}
	private, err := json.Marshal(jose.JSONWebKey{Key: key})
	if err != nil {
		t.Fatal(err)
	}
	_, other := embedded(t, "x")
	public, err := json.Marshal(jose.JSONWebKey{Key: &other.PublicKey})
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		token string
		want  Reason
	}{
		"no key":            {header(func(h map[string]any) { delete(h, "jwk") }), KeyUnknown},
		"private key":       {header(func(h map[string]any) { h["jwk"] = json.RawMessage(private) }), Malformed},
		"another's key":     {header(func(h map[string]any) { h["jwk"] = json.RawMessage(public) }), SignatureInvalid},
		"symmetric key":     {header(func(h map[string]any) { h["jwk"] = map[string]string{"kty": "oct", "k": "AAAA"} }), Malformed},
		"another type":      {header(func(h map[string]any) { h["typ"] = "JWT" }), TypRefused},
		"another algorithm": {header(func(h map[string]any) { h["alg"] = "RS256" }), AlgRefused},
		"none":              {header(func(h map[string]any) { h["alg"] = "none" }), AlgRefused},
		"altered payload":   {parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(`{"a":2}`)) + "." + parts[2], SignatureInvalid},
	} {
		_, err := VerifyEmbedded(tt.token, "dpop+jwt", ES256)
		if e, ok := err.(*Error); !ok || e.Reason != tt.want { //nolint:errorlint // the type itself
			t.Errorf("%s: %v, want %s", name, err, tt.want)
		}
	}
}
