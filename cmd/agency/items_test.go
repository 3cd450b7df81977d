package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/tsunagu-id/tsunagu/federation/exchange"
)

// proofBy makes a DPoP proof with a key; changes replace claims, and "typ" the header's.
func (w *world) proofBy(key *ecdsa.PrivateKey, token, address string, changes map[string]any) string {
	t := w.t
	t.Helper()
	sum := sha256.Sum256([]byte(token))
	typ := "dpop+jwt"
	claims := map[string]any{
		"jti": rand.Text(), "htm": http.MethodPost, "htu": address, "iat": w.now().Unix(), "ath": base64.RawURLEncoding.EncodeToString(sum[:]),
	}
	changes = maps.Clone(changes)
	if s, ok := changes["typ"].(string); ok {
		typ = s
		delete(changes, "typ")
	}
	maps.Copy(claims, changes)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, (&jose.SignerOptions{EmbedJWK: true}).WithType(jose.ContentType(typ)))
	must(t, err)
	payload, err := json.Marshal(claims)
	must(t, err)
	jws, err := signer.Sign(payload)
	must(t, err)
	compact, err := jws.CompactSerialize()
	must(t, err)
	return compact
}

// TestItemIsForItsRequesterOnce: whoever got hold of an exchanged token, or has one for something else, gets nothing; its own requester gets the
// one item.
func TestItemIsForItsRequesterOnce(t *testing.T) {
	w := newWorld(t)
	taro, hanako := w.person("taro"), w.person("hanako")
	at := w.applies(taro, hanako)
	w.pension.down.Store(true) // so that the token is not used up
	hanako.post(w.city, at, at+"/inquiries", "item", item)
	token, ok := w.city.hub.seen.Load().(string)
	if !ok || token == "" {
		t.Fatal("no token was shown")
	}
	w.pension.down.Store(false)
	b, err := os.ReadFile(filepath.Join(filepath.Dir(w.city.file), "key.pem"))
	must(t, err)
	block, _ := pem.Decode(b)
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	must(t, err)
	own, _ := parsed.(*ecdsa.PrivateKey)
	thief, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	address := w.pension.server.URL + "/items/" + item
	send := func(address string, header http.Header) (int, string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, http.NoBody)
		must(t, err)
		r.Header = header
		resp, err := http.DefaultClient.Do(r)
		must(t, err)
		body, err := io.ReadAll(resp.Body)
		must(t, err)
		must(t, resp.Body.Close())
		return resp.StatusCode, string(body)
	}
	with := func(token, proof string) http.Header {
		return http.Header{"Authorization": {"DPoP " + token}, "Dpop": {proof}}
	}
	good := w.proofBy(own, token, address, nil)
	other := w.pension.server.URL + "/items/" + otherItem
	for _, tt := range []struct {
		name, address string
		header        http.Header
		status        int
	}{
		{"no token", address, http.Header{}, 401},
		{"as bearer", address, http.Header{"Authorization": {"Bearer " + token}}, 401},
		{"without proof", address, http.Header{"Authorization": {"DPoP " + token}}, 401},
		{"two tokens", address, http.Header{"Authorization": {"DPoP " + token, "DPoP " + token}, "Dpop": {good}}, 401},
		{"two proofs", address, http.Header{"Authorization": {"DPoP " + token}, "Dpop": {good, good}}, 401},
		{"a thief's key", address, with(token, w.proofBy(thief, token, address, nil)), 401},
		{"proof of another token", address, with(token, w.proofBy(own, token+"x", address, nil)), 401},
		{"proof of another method", address, with(token, w.proofBy(own, token, address, map[string]any{"htm": "GET"})), 401},
		{"proof of another address", address, with(token, w.proofBy(own, token, other, nil)), 401},
		{"proof of yesterday", address, with(token, w.proofBy(own, token, address, map[string]any{"iat": w.now().Unix() - 86400})), 401},
		{"proof of tomorrow", address, with(token, w.proofBy(own, token, address, map[string]any{"iat": w.now().Unix() + 86400})), 401},
		{"proof without jti", address, with(token, w.proofBy(own, token, address, map[string]any{"jti": ""})), 401},
		{"proof of another type", address, with(token, w.proofBy(own, token, address, map[string]any{"typ": "JWT"})), 401},
		{"no proof at all", address, with(token, strings.Repeat("x", 9000)), 401},
		{"nobody's token", address, with("nonsense", w.proofBy(own, "nonsense", address, nil)), 401},
		{"another item", other, with(token, w.proofBy(own, token, other, nil)), 403},
	} {
		if status, body := send(tt.address, tt.header); status != tt.status || strings.Contains(body, "category") {
			t.Errorf("%s: %d %s, want %d", tt.name, status, body, tt.status)
		}
	}
	if status, body := send(address, with(token, good)); status != http.StatusOK || !strings.Contains(body, `"category":2`) {
		t.Errorf("the requester: %d %s", status, body)
	}
	if status, _ := send(address, with(token, good)); status != http.StatusUnauthorized {
		t.Errorf("the same proof again: %d", status)
	}
	w.past.Add(61)
	if status, _ := send(address, with(token, w.proofBy(own, token, address, nil))); status != http.StatusUnauthorized {
		t.Errorf("a minute later: %d", status)
	}
}

// TestWhatThereIsToSay: a record that its citizen must not read about, one that is given to nobody, and one that nobody tied.
func TestWhatThereIsToSay(t *testing.T) {
	for _, tt := range []struct {
		name, number, born string
		says               string
		outcome            exchange.Outcome
		hidden             bool
	}{
		{"hidden from her", "2345678901", "1992-07-07", "照会先から回答がありました", exchange.Provided, true},
		{"withheld", "3456789012", "1992-07-07", "提供しないと答えました", exchange.Declined, false},
		{"not tied", "", "", "この人の記録はありません", exchange.Nothing, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			w.pension.run()
			hanako, taro := w.person("hanako"), w.person("taro")
			if tt.number != "" {
				if got := hanako.post(w.pension, "/tie", "/tie", "number", tt.number, "born", tt.born); got.path != "/record" {
					t.Fatalf("tie: %d at %s %s", got.status, got.path, got.refusal())
				}
			} else {
				hanako.get(w.pension, "/tie")
			}
			hanako.post(w.city, "/apply", "/apply", "children", "1", "youngest", "2025-01-01")
			taro.join(w.city)
			at := w.caseOf(taro)
			got := taro.post(w.city, at, at+"/inquiries", "item", item)
			if !got.has(tt.says) || got.has("本人に開示しない照会です") != tt.hidden {
				t.Errorf("%d\n%s", got.status, got.body)
			}
			eventually(t, "the hub has not heard", func() bool { return w.records()[0].Outcome == tt.outcome })
			if r := w.records()[0]; (r.HiddenByProvider != 0) != tt.hidden {
				t.Errorf("hidden: %v", r.HiddenByProvider)
			}
		})
	}
}
