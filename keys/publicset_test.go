package keys

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

// pair is a stranger's key.
type pair struct {
	alg     Alg
	private crypto.Signer
}

func newPair(t testing.TB, alg Alg) pair {
	t.Helper()
	private, err := alg.Generate()
	if err != nil {
		t.Fatal(err)
	}
	return pair{alg, private}
}

func (p pair) jwk(t testing.TB, more string) string {
	t.Helper()
	b, err := jose.JSONWebKey{Key: p.private.Public()}.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(string(b), "}") + more + "}"
}

// sign makes a token as a stranger's library would, with any header.
func (p pair) sign(t testing.TB, header map[jose.HeaderKey]any, payload string) string {
	t.Helper()
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(p.alg), Key: p.private}, &jose.SignerOptions{ExtraHeaders: header})
	if err != nil {
		t.Fatal(err)
	}
	jws, err := s.Sign([]byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	token, err := jws.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func set(jwks ...string) []byte { return []byte(`{"keys":[` + strings.Join(jwks, ",") + `]}`) }

func mustSet(t testing.TB, jwks ...string) PublicSet {
	t.Helper()
	s, err := ParsePublicSet(set(jwks...))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// RFC 7638 §3.1.
func TestThumbprintRFC7638(t *testing.T) {
	var k jose.JSONWebKey
	if err := k.UnmarshalJSON([]byte(rfc7638Key)); err != nil {
		t.Fatal(err)
	}
	got, err := Thumbprint(k.Key)
	if err != nil || got != "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs" {
		t.Errorf("%s, %v", got, err)
	}
	if _, err := Thumbprint("no key"); reasonOf(err) != KeyRefused {
		t.Errorf("no key: %v", err)
	}
}

const rfc7638Key = `{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB","alg":"RS256","kid":"2011-04-29"}`

// RFC 7515 Appendices A.2 and A.3: the published tokens verify with the published
// keys.
func TestVerifyRFC7515(t *testing.T) {
	const payload = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
	for _, c := range []struct {
		name, jwk, token string
		alg              Alg
	}{
		{
			"A.2", `{"kty":"RSA","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ","e":"AQAB"}`,
			"eyJhbGciOiJSUzI1NiJ9." + payload + ".cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
			RS256,
		},
		{
			"A.3", `{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}`,
			"eyJhbGciOiJFUzI1NiJ9." + payload + ".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
			ES256,
		},
	} {
		got, err := mustSet(t, c.jwk).Verify(c.token, VerifyOptions{Algs: []Alg{c.alg}})
		if err != nil || base64.RawURLEncoding.EncodeToString(got.Payload) != payload {
			t.Errorf("%s: %q, %v", c.name, got.Payload, err)
		}
	}
}

// RFC 8037 Appendix A.4.
func TestVerifyRFC8037(t *testing.T) {
	s := mustSet(t, `{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`)
	const token = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
	got, err := s.Verify(token, VerifyOptions{Algs: []Alg{EdDSA}})
	if err != nil || string(got.Payload) != "Example of Ed25519 signing" {
		t.Errorf("%q, %v", got.Payload, err)
	}
}

func TestParsePublicSetJudges(t *testing.T) {
	ec, rsaKey, ed := newPair(t, ES256), newPair(t, RS256), newPair(t, EdDSA)
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	other := pair{"ES384", p384}.jwk(t, "")
	private, err := jose.JSONWebKey{Key: ec.private}.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	good := ec.jwk(t, `,"kid":"a"`)
	for _, c := range []struct {
		name string
		in   []byte
		want Reason // 0: accepted
		algs string
	}{
		{"one of each", set(good, rsaKey.jwk(t, ""), ed.jwk(t, "")), 0, "[ES256 PS256 EdDSA RS256]"},
		{"RSA for one algorithm", set(rsaKey.jwk(t, `,"alg":"PS256"`)), 0, "[PS256]"},
		{"others passed over", set(other, ec.jwk(t, `,"use":"enc"`), `{"kty":"XYZ"}`, ec.jwk(t, `,"key_ops":["sign"]`), ed.jwk(t, `,"alg":"ES256"`), good), 0, "[ES256]"},
		{"unknown members", []byte(`{"x":1,"keys":[` + good + `]}`), 0, "[ES256]"},
		{"20 keys", set(slices.Repeat([]string{good}, 20)...), 0, "[ES256]"},
		{"21 keys", set(slices.Repeat([]string{good}, 21)...), Malformed, ""},
		{"no key left", set(other), KeyRefused, ""},
		{"empty", set(), KeyRefused, ""},
		{"private key", set(good, string(private)), KeyRefused, ""},
		{"private key for encryption", set(good, strings.TrimSuffix(string(private), "}")+`,"use":"enc"}`), KeyRefused, ""},
		{"symmetric key", set(good, `{"kty":"oct","k":"AAAA"}`), KeyRefused, ""},
		{"symmetric key without k", set(good, `{"kty":"oct"}`), KeyRefused, ""},
		{"short RSA", set(`{"kty":"RSA","n":"` + strings.Repeat("-", 171) + `","e":"AQAB"}`), KeyRefused, ""},
		{"RSA exponent 3", set(strings.Replace(rsaKey.jwk(t, ""), `"AQAB"`, `"Aw"`, 1)), KeyRefused, ""},
		{"RSA exponent huge", set(strings.Replace(rsaKey.jwk(t, ""), `"AQAB"`, `"`+strings.Repeat("_", 40)+`"`, 1)), 0xff, ""},
		{"off the curve", set(`{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"}`), Malformed, ""},
		{"not JSON", []byte("keys"), Malformed, ""},
		{"array", []byte("[]"), Malformed, ""},
		{"two documents", append(set(good), []byte("{}")...), Malformed, ""},
		{"too large", append(set(good), make([]byte, MaxSetBytes)...), Malformed, ""},
		{"kid too long", set(ec.jwk(t, `,"kid":"`+strings.Repeat("k", 257)+`"`)), Malformed, ""},
		{"key is a string", []byte(`{"keys":["a"]}`), Malformed, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := ParsePublicSet(c.in)
			if c.want == 0xff && err != nil {
				return // refused, by whichever layer sees it first
			}
			if reasonOf(err) != c.want || (c.want == 0) != (err == nil) {
				t.Fatalf("%v", err)
			}
			if err != nil && !s.Empty() {
				t.Error("a refused set has keys")
			}
			if got := fmt.Sprint(s.Algs()); c.want == 0 && got != c.algs {
				t.Errorf("algorithms %s", got)
			}
		})
	}
}

func TestPublicSetVerify(t *testing.T) {
	a, b, r := newPair(t, ES256), newPair(t, ES256), newPair(t, RS256)
	s := mustSet(t, a.jwk(t, `,"kid":"a"`), b.jwk(t, `,"kid":"b"`), r.jwk(t, `,"kid":"r","alg":"RS256"`))
	es := VerifyOptions{Algs: []Alg{ES256}}
	h := func(kv ...string) map[jose.HeaderKey]any {
		out := map[jose.HeaderKey]any{}
		for i := 0; i < len(kv); i += 2 {
			out[jose.HeaderKey(kv[i])] = kv[i+1]
		}
		return out
	}
	for _, c := range []struct {
		name  string
		token string
		opt   VerifyOptions
		want  Reason
	}{
		{"named key", a.sign(t, h("kid", "a"), "{}"), es, 0},
		{"no kid: each key is tried", b.sign(t, h(), "{}"), es, 0},
		{"other key's kid", b.sign(t, h("kid", "a"), "{}"), es, SignatureInvalid},
		{"unknown kid", a.sign(t, h("kid", "z"), "{}"), es, KeyUnknown},
		{"stranger without kid", newPair(t, ES256).sign(t, h(), "{}"), es, SignatureInvalid},
		{"algorithm not allowed", r.sign(t, h("kid", "r"), "{}"), es, AlgRefused},
		{"no algorithm allowed", a.sign(t, h(), "{}"), VerifyOptions{}, AlgRefused},
		{"RSA key pinned to RS256 used for PS256", pair{PS256, r.private}.sign(t, h("kid", "r"), "{}"), VerifyOptions{Algs: Algs()}, KeyUnknown},
		{"typ as required", a.sign(t, h("typ", "card-challenge+jwt"), "{}"), VerifyOptions{Algs: Algs(), Typ: "card-challenge+jwt"}, 0},
		{"typ in its long form", a.sign(t, h("typ", "Application/Card-Challenge+JWT"), "{}"), VerifyOptions{Algs: Algs(), Typ: "card-challenge+jwt"}, 0},
		{"other typ", a.sign(t, h("typ", "JWT"), "{}"), VerifyOptions{Algs: Algs(), Typ: "card-challenge+jwt"}, TypRefused},
		{"no typ", a.sign(t, h(), "{}"), VerifyOptions{Algs: Algs(), Typ: "JWT"}, TypRefused},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := s.Verify(c.token, c.opt)
			if reasonOf(err) != c.want || (c.want == 0) != (err == nil) {
				t.Fatalf("%v", err)
			}
			if c.want == 0 && string(got.Payload) != "{}" || c.want != 0 && got.Payload != nil {
				t.Errorf("payload %q", got.Payload)
			}
		})
	}
	if _, err := (PublicSet{}).Verify(a.sign(t, h(), "{}"), es); reasonOf(err) != KeyUnknown {
		t.Errorf("empty set: %v", err)
	}
}

// FAPI 2.0 Security Profile §5.4.3: keys of one set that share an id are told
// apart by algorithm and, of one algorithm, by trying each.
func TestKeysThatShareAnID(t *testing.T) {
	a, b, r := newPair(t, ES256), newPair(t, ES256), newPair(t, RS256)
	s := mustSet(t, r.jwk(t, `,"kid":"k"`), a.jwk(t, `,"kid":"k"`), b.jwk(t, `,"kid":"k"`))
	kid := map[jose.HeaderKey]any{"kid": "k"}
	for _, p := range []pair{a, b, r} {
		if _, err := s.Verify(p.sign(t, kid, "{}"), VerifyOptions{Algs: Algs()}); err != nil {
			t.Errorf("%s: %v", p.alg, err)
		}
	}
	if _, err := s.Verify(newPair(t, ES256).sign(t, kid, "{}"), VerifyOptions{Algs: Algs()}); reasonOf(err) != SignatureInvalid {
		t.Errorf("stranger: %v", err)
	}
}

// forge joins a header of the attacker's choice, a payload and a signature.
func forge(header, payload, signature string) string {
	e := base64.RawURLEncoding.EncodeToString
	return e([]byte(header)) + "." + e([]byte(payload)) + "." + e([]byte(signature))
}

func TestForgedHeadersAreRefused(t *testing.T) {
	p := newPair(t, ES256)
	s := mustSet(t, p.jwk(t, `,"kid":"a"`))
	good := p.sign(t, nil, `{"a":1}`)
	opt := VerifyOptions{Algs: Algs()}
	if _, err := s.Verify(good, opt); err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(good, ".")
	embedded, err := json.Marshal(jose.JSONWebKey{Key: newPair(t, ES256).private.Public()})
	if err != nil {
		t.Fatal(err)
	}
	attacker := newPair(t, ES256)
	for _, c := range []struct {
		name, token string
		want        Reason
	}{
		{"alg none", forge(`{"alg":"none"}`, `{}`, "x"), AlgRefused},
		{"alg none without signature", strings.TrimSuffix(forge(`{"alg":"none"}`, `{}`, "x"), "eA"), Malformed},
		{"alg None", forge(`{"alg":"None"}`, `{}`, "x"), AlgRefused},
		{"HMAC with the public key", forge(`{"alg":"HS256"}`, `{}`, "x"), AlgRefused},
		{"no alg", forge(`{}`, `{}`, "x"), AlgRefused},
		{"alg twice", forge(`{"alg":"ES256","alg":"none"}`, `{}`, "x"), Malformed},
		{"alg is a list", forge(`{"alg":["ES256"]}`, `{}`, "x"), AlgRefused},
		{"key of the attacker in the header", forge(`{"alg":"ES256","jwk":`+string(embedded)+`}`, `{}`, "x"), SignatureInvalid},
		{"signed by the key in the header", attacker.sign(t, map[jose.HeaderKey]any{"jwk": json.RawMessage(attacker.jwk(t, ""))}, "{}"), SignatureInvalid},
		{"critical extension", p.sign(t, map[jose.HeaderKey]any{"crit": []string{"exp"}, "exp": 1}, "{}"), Malformed},
		{"unencoded payload", forge(`{"alg":"ES256","b64":false,"crit":["b64"]}`, `{}`, "x"), Malformed},
		{"typ is a number", forge(`{"alg":"ES256","typ":1}`, `{}`, "x"), Malformed},
		{"kid is a number", forge(`{"alg":"ES256","kid":1}`, `{}`, "x"), Malformed},
		{"kid too long", forge(`{"alg":"ES256","kid":"`+strings.Repeat("k", 257)+`"}`, `{}`, "x"), Malformed},
		{"payload altered", parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(`{"a":2}`)) + "." + parts[2], SignatureInvalid},
		{"signature altered", parts[0] + "." + parts[1] + "." + "AAAA" + parts[2][4:], SignatureInvalid},
		{"signature of zeros", parts[0] + "." + parts[1] + "." + strings.Repeat("A", 86), SignatureInvalid},
		{"signature cut", good[:len(good)-2], SignatureInvalid},
		{"JSON serialization", `{"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`, Malformed},
		{"two parts", parts[0] + "." + parts[1], Malformed},
		{"four parts", good + ".AAAA", Malformed},
		{"empty payload", parts[0] + ".." + parts[2], Malformed},
		{"line break", good[:20] + "\n" + good[20:], Malformed},
		{"space in front", " " + good, Malformed},
		{"padding", good + "==", Malformed},
		{"other alphabet", parts[0] + "." + parts[1] + "." + strings.Repeat("+", 86), Malformed},
		{"unused bits set", parts[0] + "." + parts[1] + "." + strings.Repeat("A", 85) + "B", Malformed},
		{"empty", "", Malformed},
		{"too long", good + strings.Repeat("A", MaxToken), Malformed},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := s.Verify(c.token, opt); reasonOf(err) != c.want {
				t.Errorf("%v", err)
			}
		})
	}
}

// Errors go into logs: they must not carry what was sent.
func TestErrorsDoNotEcho(t *testing.T) {
	s := mustSet(t, newPair(t, ES256).jwk(t, ""))
	_, err := s.Verify(forge(`{"alg":"MARKER","kid":"MARKER"}`, `MARKER`, "MARKER"), VerifyOptions{Algs: Algs()})
	_, err2 := ParsePublicSet([]byte(`{"keys":[{"kty":"RSA","n":"MARKER","e":"MARKER!"}]}`))
	for _, err := range []error{err, err2} {
		if err == nil || strings.Contains(err.Error(), "MARKER") {
			t.Errorf("%v", err)
		}
	}
}
