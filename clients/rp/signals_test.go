package rp_test

import (
	"context"
	"crypto/rand"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/clients/rp"
)

const pushSecret = "push-secret"

// setClaims are those of a good session-revoked event about a person, with changes; a nil value removes a claim.
func (w *world) setClaims(changes map[string]any) map[string]any {
	claims := map[string]any{
		"iss": w.hub.URL, "aud": "service", "jti": rand.Text(), "iat": w.clock.now().Unix(), "toe": w.clock.now().Unix(), "txn": rand.Text(),
		"sub_id": map[string]any{"format": "iss_sub", "iss": w.hub.URL, "sub": "taro-at-service"},
		"events": map[string]any{rp.SignalSessionRevoked: map[string]any{"event_timestamp": w.clock.now().Unix()}},
	}
	maps.Copy(claims, changes)
	maps.DeleteFunc(claims, func(_ string, v any) bool { return v == nil })
	return claims
}

// push sends a body as the hub does and returns the answer.
func (w *world) push(handle func(context.Context, rp.Signal) error, header http.Header, body string) *httptest.ResponseRecorder {
	w.t.Helper()
	r := httptest.NewRequestWithContext(w.t.Context(), http.MethodPost, rp.PathSignals, strings.NewReader(body))
	r.Header = http.Header{"Content-Type": {"application/secevent+jwt"}, "Authorization": {"Bearer " + pushSecret}}
	maps.Copy(r.Header, header)
	a := httptest.NewRecorder()
	w.party.Signals(rp.NewSecret(pushSecret), handle)(a, r)
	return a
}

func (w *world) complex(sid string) map[string]any {
	return map[string]any{
		"format": "complex", "user": map[string]any{"format": "iss_sub", "iss": w.hub.URL, "sub": "taro-at-service"},
		"session": map[string]any{"format": "opaque", "id": sid},
	}
}

// An event about one session ends that one; one about the person ends all; one that only informs ends none. Each is handed on once.
func TestPushedSignalsEndWhatTheyName(t *testing.T) {
	w := newWorld(t, nil)
	one, two := w.signedIn("hub-1"), w.signedIn("hub-2")
	var got []rp.Signal
	keep := func(_ context.Context, s rp.Signal) error { got = append(got, s); return nil }
	first := w.typed("secevent+jwt", w.setClaims(map[string]any{"sub_id": w.complex("hub-1")}))
	for range 2 {
		if a := w.push(keep, nil, first); a.Code != http.StatusAccepted || a.Header().Get("Cache-Control") != "no-store" {
			t.Fatalf("%d %s", a.Code, a.Body)
		}
	}
	w.wantSignedIn(one, false)
	w.wantSignedIn(two, true)
	three := w.signedIn("hub-3")
	alone := map[string]any{"sub_id": map[string]any{"format": "complex", "session": map[string]any{"format": "opaque", "id": "hub-3"}}}
	if a := w.push(nil, nil, w.typed("secevent+jwt", w.setClaims(alone))); a.Code != http.StatusAccepted {
		t.Fatalf("%d %s", a.Code, a.Body)
	}
	w.wantSignedIn(three, false)
	w.wantSignedIn(two, true)
	changed := map[string]any{"events": map[string]any{rp.SignalCredentialChange: map[string]any{"credential_type": "x509", "change_type": "create"}}}
	if a := w.push(keep, nil, w.typed("secevent+jwt", w.setClaims(changed))); a.Code != http.StatusAccepted {
		t.Fatalf("%d %s", a.Code, a.Body)
	}
	w.wantSignedIn(two, true)
	disabled := map[string]any{"events": map[string]any{rp.SignalAccountDisabled: map[string]any{}}}
	if a := w.push(keep, nil, w.typed("secevent+jwt", w.setClaims(disabled))); a.Code != http.StatusAccepted {
		t.Fatalf("%d %s", a.Code, a.Body)
	}
	w.wantSignedIn(two, false)
	if len(got) != 3 || got[0].SID != "hub-1" || got[0].Subject != "taro-at-service" || got[1].Type != rp.SignalCredentialChange || string(got[1].Members["change_type"]) != `"create"` {
		t.Errorf("%+v", got)
	}
}

// What the service could not do is not taken: the hub comes again, and then it is done.
func TestSignalThatFailedIsTakenAgain(t *testing.T) {
	w := newWorld(t, nil)
	token, tries := w.typed("secevent+jwt", w.setClaims(nil)), 0
	handle := func(context.Context, rp.Signal) error {
		if tries++; tries == 1 {
			return errors.New("database away")
		}
		return nil
	}
	for _, want := range []int{http.StatusServiceUnavailable, http.StatusAccepted, http.StatusAccepted} {
		if a := w.push(handle, nil, token); a.Code != want {
			t.Errorf("%d, want %d", a.Code, want)
		}
	}
	if tries != 2 {
		t.Errorf("handled %d times", tries)
	}
}

func TestPushRefusals(t *testing.T) {
	w := newWorld(t, nil)
	b := w.signedIn("hub-1")
	token := func(changes map[string]any) string { return w.typed("secevent+jwt", w.setClaims(changes)) }
	forged := token(nil)
	forged = forged[:len(forged)-8] + "AAAAAAAA"
	for name, body := range map[string]string{
		"nothing":                     "",
		"not a token":                 "hello",
		"another type":                w.typed("logout+jwt", w.setClaims(nil)),
		"an ID token's type":          w.typed("JWT", w.setClaims(nil)),
		"a forged signature":          forged,
		"another issuer":              token(map[string]any{"iss": "https://evil.example"}),
		"another audience":            token(map[string]any{"aud": "other"}),
		"two audiences":               token(map[string]any{"aud": []string{"service", "other"}}),
		"a sub":                       token(map[string]any{"sub": "taro-at-service"}),
		"an exp":                      token(map[string]any{"exp": w.clock.now().Add(time.Hour).Unix()}),
		"a nonce":                     token(map[string]any{"nonce": "x"}),
		"no jti":                      token(map[string]any{"jti": nil}),
		"no iat":                      token(map[string]any{"iat": nil}),
		"from the future":             token(map[string]any{"iat": w.clock.now().Add(10 * time.Minute).Unix()}),
		"too old":                     token(map[string]any{"iat": w.clock.now().Add(-9 * 24 * time.Hour).Unix()}),
		"no event":                    token(map[string]any{"events": map[string]any{}}),
		"two events":                  token(map[string]any{"events": map[string]any{rp.SignalSessionRevoked: map[string]any{}, rp.SignalAccountDisabled: map[string]any{}}}),
		"an event that is no object":  token(map[string]any{"events": map[string]any{rp.SignalSessionRevoked: "x"}}),
		"no subject":                  token(map[string]any{"sub_id": nil}),
		"an email":                    token(map[string]any{"sub_id": map[string]any{"format": "email", "email": "taro@example.com"}}),
		"a subject of another issuer": token(map[string]any{"sub_id": map[string]any{"format": "iss_sub", "iss": "https://evil.example", "sub": "taro-at-service"}}),
		"neither user nor session":    token(map[string]any{"sub_id": map[string]any{"format": "complex"}}),
		"a session without name":      token(map[string]any{"sub_id": w.complex("")}),
	} {
		if a := w.push(nil, nil, body); a.Code != http.StatusBadRequest || !strings.Contains(a.Body.String(), `"err":"invalid_request"`) {
			t.Errorf("%s: %d %s", name, a.Code, a.Body)
		}
	}
	good := token(nil)
	for name, header := range map[string]http.Header{
		"another media type": {"Content-Type": {"application/json"}},
		"another secret":     {"Authorization": {"Bearer push-secreT"}},
		"no secret":          {"Authorization": nil},
	} {
		if a := w.push(nil, header, good); a.Code != http.StatusBadRequest {
			t.Errorf("%s: %d", name, a.Code)
		}
	}
	w.wantSignedIn(b, true)
	if a := w.push(nil, nil, good); a.Code != http.StatusAccepted {
		t.Errorf("the good one: %d %s", a.Code, a.Body)
	}
	w.wantSignedIn(b, false)
}

// A verification names no person and ends nothing.
func TestVerificationIsTaken(t *testing.T) {
	w := newWorld(t, nil)
	b := w.signedIn("hub-1")
	var got rp.Signal
	a := w.push(func(_ context.Context, s rp.Signal) error { got = s; return nil }, nil, w.typed("secevent+jwt", w.setClaims(map[string]any{
		"sub_id": map[string]any{"format": "opaque", "id": "stream"}, "events": map[string]any{rp.SignalVerification: map[string]any{"state": "x"}},
	})))
	if a.Code != http.StatusAccepted || got.Type != rp.SignalVerification || string(got.Members["state"]) != `"x"` || got.Subject != "" {
		t.Errorf("%d %+v", a.Code, got)
	}
	w.wantSignedIn(b, true)
}
