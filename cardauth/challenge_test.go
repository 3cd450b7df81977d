package cardauth

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/internal/ephemeral"
)

func TestChallengeSaysWhatIsAsked(t *testing.T) {
	w := newWorld(t, nil)
	id := w.challenge(t)
	compact, err := w.challenges.JWT(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(compact, ".")
	header, err := base64.RawURLEncoding.DecodeString(parts[0])
	if err != nil || !strings.Contains(string(header), `"typ":"card-challenge+jwt"`) {
		t.Errorf("header %s, %v", header, err)
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err = json.Unmarshal(payload, &got); err != nil {
		t.Fatal(err)
	}
	nonce, _ := got["nonce"].(string)
	if raw, err := base64.RawURLEncoding.DecodeString(nonce); err != nil || len(raw) != 32 {
		t.Errorf("nonce %q", nonce)
	}
	for name, want := range map[string]any{
		"iss": hubIssuer, "jti": id, "client_id": "etax", "client_name": "国税電子申告 e-Tax", "redirect_host": "etax.example",
		"acr": "phrh", "iat": float64(noon.Unix()), "exp": float64(noon.Add(2 * time.Minute).Unix()),
	} {
		if got[name] != want {
			t.Errorf("%s is %v, want %v", name, got[name], want)
		}
	}
	if len(got) != 9 || strings.Contains(string(payload), bound) {
		t.Errorf("payload %s", payload)
	}
}

// The hub's own pages are no client; what is signed for them says the issuer.
func TestChallengeOfTheHubItself(t *testing.T) {
	w := newWorld(t, nil)
	id, err := w.challenges.Issue(t.Context(), Request{ClientName: "Tsunagu", RedirectHost: "hub.example", ACR: "phrh", Bound: bound})
	if err != nil {
		t.Fatal(err)
	}
	a := w.honest(t, id, issue(t, nil))
	if a.claims["client_id"] != hubIssuer {
		t.Errorf("client_id %v", a.claims["client_id"])
	}
	i, err := w.submit(t.Context(), id, a.compact(t))
	wantAccepted(t, i, err, "ocsp")
}

// brokenStore is a store that cannot be reached.
type brokenStore struct{ challengeStore }

var errStore = errors.New("store is down")

func (brokenStore) Get(context.Context, string) (ephemeral.Record, error) {
	return ephemeral.Record{}, errStore
}

func (brokenStore) Create(context.Context, string, []byte, time.Duration) error { return errStore }

// The hub's own trouble is not the citizen's: no reason is made up for it.
func TestStoreFailureIsNoRefusal(t *testing.T) {
	w := newWorld(t, nil)
	id := w.challenge(t)
	body := w.honest(t, id, issue(t, nil)).compact(t)
	working := w.challenges.deps.Store
	w.challenges.deps.Store = brokenStore{}
	_, err := w.submit(t.Context(), id, body)
	if _, refused := errors.AsType[*Error](err); refused || !errors.Is(err, errStore) {
		t.Errorf("got %v", err)
	}
	if _, err = w.challenges.Issue(t.Context(), Request{}); !errors.Is(err, errStore) {
		t.Errorf("got %v", err)
	}
	w.challenges.deps.Store = working
	i, err := w.submit(t.Context(), id, body)
	wantAccepted(t, i, err, "ocsp")
}

// meddler lets somebody else be faster between reading and writing.
type meddler struct {
	challengeStore
	first func()
}

func (m *meddler) Swap(ctx context.Context, key string, old ephemeral.Version, value []byte, ttl time.Duration) error {
	m.first()
	return m.challengeStore.Swap(ctx, key, old, value, ttl)
}

func TestWhoeverLosesTheSwapHearsSpent(t *testing.T) {
	w := newWorld(t, nil)
	id := w.challenge(t)
	body := w.honest(t, id, issue(t, nil)).compact(t)
	store := w.challenges.deps.Store
	w.challenges.deps.Store = &meddler{store, func() {
		w.challenges.deps.Store = store
		i, err := w.submit(t.Context(), id, body)
		wantAccepted(t, i, err, "ocsp")
	}}
	_, err := w.submit(t.Context(), id, body)
	wantReason(t, err, ChallengeSpent)
}

func TestEveryReasonHasItsWord(t *testing.T) {
	for r := Malformed; r <= RevocationUnavailable; r++ {
		word := r.String()
		if back, ok := ParseReason(word); !ok || back != r {
			t.Errorf("reason %d is %q, which is reason %d", r, word, back)
		}
	}
	if len(reasonWords) != int(RevocationUnavailable) {
		t.Errorf("%d words for %d reasons", len(reasonWords), RevocationUnavailable)
	}
	if _, ok := ParseReason("unknown"); ok || Reason(0).String() != "unknown" {
		t.Error("zero is a reason")
	}
}
