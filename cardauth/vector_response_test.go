package cardauth

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
)

// makeResponses takes an honest response apart and spoils one thing at a time.
func makeResponses(t *testing.T) {
	t.Helper()
	put := func(name, comment string, body []byte) {
		t.Helper()
		writeVector(t, "response", name, vector{map[string]string{"expect": "response_malformed", "comment": comment}, body})
	}
	challenge, err := jwt(challengeType, challengeClaims{
		Issuer: hubIssuer, ID: random(), Nonce: random(), ClientID: "etax", RedirectHost: "etax.example", ACR: "phrh",
	})
	if err != nil {
		t.Fatal(err)
	}
	a := honestTo(t, challenge, issue(t, nil))
	good := string(a.compact(t))
	writeVector(t, "response", "good", vector{map[string]string{"expect": "ok", "comment": "as the card app sends it"}, []byte(good)})

	parts := strings.Split(good, ".")
	for name, body := range map[string]string{
		"empty": "", "one-part": parts[0], "two-parts": parts[0] + "." + parts[1], "four-parts": good + ".AAAA", "no-header": "." + parts[1] + "." + parts[2],
		"newline-after": good + "\n", "blank-before": " " + good, "newline-within": parts[0] + "\n." + parts[1] + "." + parts[2],
		"padded": parts[0] + "." + parts[1] + "." + parts[2] + "==", "short-signature": good[:len(good)-2], "long-signature": parts[0] + "." + parts[1] + "." + b64(make([]byte, signatureLen+1)),
		"no-signature": parts[0] + "." + parts[1] + ".", "spare-bits": good[:len(good)-1] + "B",
		"other-alphabet": parts[0] + "." + parts[1] + "." + strings.Repeat("+/", 171), "too-long": good + strings.Repeat("A", maxResponse),
	} {
		put("form-"+name, "not one compact JWS with an RSA-2048 signature", []byte(body))
	}

	header, claims := decoded(t, parts[0]), decoded(t, parts[1])
	x5c, err := json.Marshal(a.header["x5c"])
	if err != nil {
		t.Fatal(err)
	}
	certificate := strings.Trim(string(x5c), `[]`)
	for name, text := range map[string]string{
		"alg-none": strings.Replace(header, "RS256", "none", 1), "alg-hs256": strings.Replace(header, "RS256", "HS256", 1),
		"alg-ps256": strings.Replace(header, "RS256", "PS256", 1), "alg-lower": strings.Replace(header, "RS256", "rs256", 1),
		"alg-case": strings.Replace(header, `"alg"`, `"ALG"`, 1), "alg-twice": `{"alg":"RS256",` + header[1:], "alg-null": strings.Replace(header, `"RS256"`, "null", 1),
		"typ-other": strings.Replace(header, responseType, challengeType, 1), "typ-absent": `{"alg":"RS256","x5c":` + string(x5c) + `}`,
		"kid": `{"kid":"1",` + header[1:], "jwk": `{"jwk":{},` + header[1:], "crit": `{"crit":["b64"],` + header[1:], "b64": `{"b64":false,` + header[1:],
		"x5c-empty": strings.Replace(header, string(x5c), "[]", 1), "x5c-two": strings.Replace(header, string(x5c), "["+certificate+","+certificate+"]", 1),
		"x5c-string": strings.Replace(header, string(x5c), certificate, 1), "x5c-null": strings.Replace(header, string(x5c), "null", 1),
		"x5c-url": strings.Replace(header, string(x5c), `["-_-_"]`, 1), "x5c-newline": strings.Replace(header, `["`, `["\n`, 1),
		"x5c-long": strings.Replace(header, string(x5c), `["`+strings.Repeat("A", 8<<10)+`"]`, 1),
		"array":    "[" + header + "]", "twice": header + header, "comma": header + ",", "cut": header[:len(header)-1],
		"mark": "\xEF\xBB\xBF" + header, "latin1": strings.Replace(header, "RS256", "RS256\xE9", 1), "null": "null",
	} {
		put("header-"+name, "header is not exactly alg, typ and x5c", []byte(b64([]byte(text))+"."+parts[1]+"."+parts[2]))
	}
	for _, name := range []string{"aud", "nonce", "challenge", "client_id", "redirect_host", "acr", "iat"} {
		put("claims-without-"+name, "a claim is missing", []byte(parts[0]+"."+without(t, claims, name)+"."+parts[2]))
	}
	for name, text := range map[string]string{
		"twice": `{"nonce":"x",` + claims[1:], "extra": `{"sub":"x",` + claims[1:], "aud-list": strings.Replace(claims, `"`+hubIssuer+`"`, `["`+hubIssuer+`"]`, 1),
		"acr-null": strings.Replace(claims, `"phrh"`, "null", 1), "iat-text": replaceIat(t, a, `"1"`), "iat-fraction": replaceIat(t, a, "1.5"),
		"iat-power": replaceIat(t, a, "1e9"), "long": strings.Replace(claims, "etax.example", strings.Repeat("e", 1000), 1),
	} {
		put("claims-"+name, "claims are not exactly those of a response", []byte(parts[0]+"."+b64([]byte(text))+"."+parts[2]))
	}
}

func decoded(t *testing.T, part string) string {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func without(t *testing.T, claims, name string) string {
	t.Helper()
	var all map[string]json.RawMessage
	if err := json.Unmarshal([]byte(claims), &all); err != nil {
		t.Fatal(err)
	}
	delete(all, name)
	b, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	return b64(b)
}

func replaceIat(t *testing.T, a *answer, value string) string {
	t.Helper()
	b, err := json.Marshal(a.claims)
	if err != nil {
		t.Fatal(err)
	}
	iat, err := json.Marshal(a.claims["iat"])
	if err != nil {
		t.Fatal(err)
	}
	return string(bytes.Replace(b, append([]byte(`"iat":`), iat...), []byte(`"iat":`+value), 1))
}
