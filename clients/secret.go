package clients

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"slices"
	"strings"
	"time"

	"github.com/tsunagu-id/tsunagu/internal/audit"
	"github.com/tsunagu-id/tsunagu/keys"
)

// The audit events of secrets. The actor is the operator.
const (
	eventSecretMade  audit.Kind = "client.secret_made"
	eventSecretEnded audit.Kind = "client.secret_ended"
)

// SecretState is where a secret stands.
type SecretState string

// The states of a secret.
const (
	SecretCurrent SecretState = "current" // the newest that is good
	SecretEnding  SecretState = "ending"  // still good beside a newer one
	SecretOver    SecretState = "ended"
)

// Secret is a client secret, without the secret.
type Secret struct {
	ID      string
	Created time.Time
	By      string    // operator, seed, or policy:NAME
	Ends    time.Time // zero: when a next one replaces it
	Used    time.Time // when it was good for something last, to the hour; zero: never
	State   SecretState

	digest []byte // SHA-256
}

// good reports whether the secret proves something.
func (s Secret) good(now time.Time) bool { return s.Ends.IsZero() || now.Before(s.Ends) }

// Bounds of secrets.
const (
	maxOverlap  = 7 * 24 * time.Hour
	maxLives    = 730 * 24 * time.Hour
	usualLives  = 365 * 24 * time.Hour
	maxGood     = 5                   // secrets that are good at once
	secretsKept = 90 * 24 * time.Hour // of one that ended, for those who look
)

// NextSecret says how a next secret replaces those there are.
type NextSecret struct {
	By      string
	Overlap time.Duration // how long the others stay good; at most a week; 0: they end now
	Lives   time.Duration // how long the new one is good; at most two years; 0: one
}

// MakeSecret draws a secret of 256 bits. It is returned this once; only its digest is kept. A client that is but drafted may have one too.
func (r *Registry) MakeSecret(ctx context.Context, id ID, n NextSecret) (Secret, keys.Secret, error) {
	if n.Lives == 0 {
		n.Lives = usualLives
	}
	if n.Overlap < 0 || n.Overlap > maxOverlap {
		return Secret{}, keys.Secret{}, faultOf("overlap_hours", "is not 0 to 168", "write how many hours the old secrets stay good")
	}
	if n.Lives < time.Hour || n.Lives > maxLives {
		return Secret{}, keys.Secret{}, faultOf("lives_days", "is not 1 to 730", "write how many days the new secret is good")
	}
	value := keys.RandomSecret()
	digest := sha256.Sum256(value.Reveal())
	now := r.d.Now().UTC().Truncate(time.Second)
	made := Secret{ID: newSecretID(), Created: now, By: n.By, Ends: now.Add(n.Lives), State: SecretCurrent, digest: digest[:]}
	err := r.change(ctx, func(ctx context.Context) error {
		held, err := r.hold(ctx, id)
		if err != nil {
			return err
		}
		if err := r.wantsSecret(ctx, held); err != nil {
			return err
		}
		if err := r.pruneSecrets(ctx, id, now.Add(-secretsKept)); err != nil {
			return err
		}
		if err := r.endSecrets(ctx, id, now.Add(n.Overlap)); err != nil {
			return err
		}
		good, err := r.goodSecrets(ctx, id)
		if err != nil {
			return err
		}
		if len(good) >= maxGood {
			return wrongState("five secrets are good at once: end one of them first")
		}
		if err := r.insertSecret(ctx, id, made); err != nil {
			return err
		}
		if err := r.reindex(ctx, id); err != nil {
			return err
		}
		return r.d.Record(ctx, audit.Event{Kind: eventSecretMade, Client: string(id), Actor: n.By, Facts: map[string]string{"secret": made.ID}})
	})
	if err != nil {
		return Secret{}, keys.Secret{}, err
	}
	return made, value, nil
}

// wantsSecret refuses a client that neither is, nor is about to be, one that has a secret.
func (r *Registry) wantsSecret(ctx context.Context, held heldClient) error {
	var documents [][]byte
	if held.version > 0 {
		live, err := r.Version(ctx, held.id, held.version)
		if err != nil {
			return err
		}
		documents = append(documents, live.Metadata)
	}
	draft, err := r.findDraft(ctx, held.id)
	if err != nil {
		return err
	}
	if draft != nil {
		documents = append(documents, draft.Metadata)
	}
	for _, d := range documents {
		o, err := decodeObject(d)
		if err != nil {
			return err
		}
		m, err := readMembers(o)
		if err != nil {
			return err
		}
		if m.withDefaults().TokenEndpointAuthMethod.usesSecret() {
			return nil
		}
	}
	return wrongState("the client proves itself without a secret: change token_endpoint_auth_method first")
}

// EndSecret ends a secret now. It may be the last one.
func (r *Registry) EndSecret(ctx context.Context, id ID, secret, by string) error {
	return r.change(ctx, func(ctx context.Context) error {
		if _, err := r.hold(ctx, id); err != nil {
			return err
		}
		switch n, err := r.endSecret(ctx, id, secret); {
		case err != nil:
			return err
		case n == 0:
			return r.noSuchSecret(ctx, id, secret)
		}
		if err := r.reindex(ctx, id); err != nil {
			return err
		}
		return r.d.Record(ctx, audit.Event{Kind: eventSecretEnded, Client: string(id), Actor: by, Facts: map[string]string{"secret": secret}})
	})
}

func (r *Registry) noSuchSecret(ctx context.Context, id ID, secret string) error {
	list, err := r.Secrets(ctx, id)
	if err != nil {
		return err
	}
	for _, s := range list {
		if s.ID == secret {
			return wrongState("the secret has ended")
		}
	}
	return notFound("the client has no such secret")
}

// Secrets lists a client's secrets, newest first, those that ended less than ninety days ago included.
func (r *Registry) Secrets(ctx context.Context, id ID) ([]Secret, error) {
	list, err := r.allSecrets(ctx, id)
	if err != nil {
		return nil, err
	}
	now, current := r.d.Now(), false
	for i := range list {
		switch {
		case !list[i].good(now):
			list[i].State = SecretOver
		case current:
			list[i].State = SecretEnding
		default:
			list[i].State, current = SecretCurrent, true
		}
	}
	return list, nil
}

// changesSecret reports whether a registration says something else of secrets than what is good: that there is one of a certain digest, or,
// of a method that has none, that what there is ends.
func (e entry) changesSecret(good []Secret, now time.Time) bool {
	if len(e.secret) == 0 {
		return !e.m.TokenEndpointAuthMethod.usesSecret() && slices.ContainsFunc(good, func(s Secret) bool {
			return s.Ends.IsZero() || s.Ends.After(now.Add(e.lingering()))
		})
	}
	return len(good) != 1 || !good[0].Ends.IsZero() || string(good[0].digest) != string(e.secret)
}

// lingering is how long a secret is kept that another method makes useless: where operators decide, a week, so that going back one version
// finds it.
func (e entry) lingering() time.Duration {
	if e.secretLater {
		return maxOverlap
	}
	return 0
}

// replaceSecrets makes it so.
func (r *Registry) replaceSecrets(ctx context.Context, e entry) error {
	now := r.d.Now().UTC().Truncate(time.Second)
	if len(e.secret) == 0 {
		return r.endSecrets(ctx, e.m.ClientID, now.Add(e.lingering()))
	}
	if err := r.endSecrets(ctx, e.m.ClientID, now); err != nil {
		return err
	}
	return r.insertSecret(ctx, e.m.ClientID, Secret{ID: newSecretID(), Created: now, By: e.origin.by, digest: e.secret})
}

func newSecretID() string { return "s-" + strings.ToLower(rand.Text()[:16]) }

// noteUse remembers, to the hour, that a secret was good for something. It writes once an hour and process; that it could not is no
// reason to refuse a client.
func (r *Registry) noteUse(ctx context.Context, secret string) {
	hour := r.d.Now().UTC().Truncate(time.Hour).Unix()
	last, known := r.used.Load(secret)
	if known && last == hour {
		return
	}
	if known && !r.used.CompareAndSwap(secret, last, hour) {
		return
	}
	if !known {
		if _, raced := r.used.LoadOrStore(secret, hour); raced {
			return
		}
	}
	if err := r.storeUse(ctx, secret, hour); err != nil {
		r.used.CompareAndDelete(secret, hour)
	}
}
