package rp_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/tsunagu-id/tsunagu/clients/rp/rptest"
)

func TestIDTokenRefusals(t *testing.T) {
	set := func(name string, value any) func(map[string]any) {
		return func(c map[string]any) { c[name] = value }
	}
	for name, change := range map[string]func(map[string]any){
		"nonce of another login": set("nonce", "AAAA"),
		"no nonce":               func(c map[string]any) { delete(c, "nonce") },
		"for another client":     set("aud", "somebody-else"),
		"for others as well":     set("aud", []string{"service", "somebody-else"}),
		"azp of another":         set("azp", "somebody-else"),
		"of another issuer":      set("iss", "https://evil.example"),
		"expired":                set("exp", 1),
		"from the future":        set("iat", 1<<40),
		"nobody":                 set("sub", ""),
		"endless name":           set("sub", strings.Repeat("x", 256)),
		"for another token":      set("at_hash", "AAAA"),
		"of a representative":    set("act", map[string]string{"sub": "somebody"}), // this service did not say that it knows what that means
		"claim of another type":  set("auth_time", "yesterday"),
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			w.hub.Set(func(s *rptest.Settings) { s.Claims = change })
			b := w.browser()
			wantReason(t, w.get(b, "/inner"), "token_invalid")
			if !w.get(b, "/").Has("[nobody]") {
				t.Error("signed in all the same")
			}
		})
	}
}

// The algorithm is the one registered, whatever the token's header says.
func TestIDTokenSignatures(t *testing.T) {
	stranger, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	big, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for name, forge := range map[string]func(w *world, claims map[string]any, original string) string{
		"none": func(_ *world, _ map[string]any, original string) string {
			return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + strings.Split(original, ".")[1] + "."
		},
		"HMAC under the public key": func(w *world, claims map[string]any, _ string) string {
			return compact(t, signerOf(t, jose.HS256, w.key.JWKS(), "hub"), claims)
		},
		"stranger's key with the hub's kid": func(_ *world, claims map[string]any, _ string) string {
			return compact(t, signerOf(t, jose.ES256, stranger, "hub"), claims)
		},
		"other algorithm": func(_ *world, claims map[string]any, _ string) string {
			return compact(t, signerOf(t, jose.RS256, big, "hub"), claims)
		},
		"altered": func(_ *world, claims map[string]any, original string) string {
			claims["sub"] = "hanako-at-service"
			payload, _ := json.Marshal(claims)
			parts := strings.Split(original, ".")
			return parts[0] + "." + base64.RawURLEncoding.EncodeToString(payload) + "." + parts[2]
		},
		"missing": func(*world, map[string]any, string) string { return "" },
		"garbage": func(*world, map[string]any, string) string { return "a.b.c" },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			var claims map[string]any
			w.hub.Set(func(s *rptest.Settings) {
				s.Claims = func(c map[string]any) { claims = c }
				s.Token = func(original string) string { return forge(w, claims, original) }
			})
			wantReason(t, w.get(w.browser(), "/inner"), "token_invalid")
		})
	}
}

func TestUserInfoOfAnotherPerson(t *testing.T) {
	w := newWorld(t, nil)
	b := w.browser()
	if page := w.get(b, "/userinfo"); !page.Has("[taro-at-service taro-at-service]") {
		t.Errorf("%s", page.Body)
	}
	w.hub.Set(func(s *rptest.Settings) {
		s.Userinfo = func(string) map[string]any { return map[string]any{"sub": "hanako-at-service"} }
	})
	wantReason(t, w.get(b, "/userinfo"), "token_invalid")
}
