package clients

import (
	"context"
	"fmt"
	"time"
)

// Warning is something that an operator should do.
type Warning struct {
	Word   WarningWord
	Detail string // English
	At     time.Time
}

// WarningWord says what, for programs.
type WarningWord string

// The warnings of this package.
const (
	SecretEnds      WarningWord = "secret_ends"      // in two weeks at most, and there is no later one
	SecretEnded     WarningWord = "secret_ended"     // there is none that is good
	KeysUnreachable WarningWord = "keys_unreachable" // this process got no usable keys from the jwks_uri when it asked last
)

// warnFrom is how long before the end of the last secret people are told.
const warnFrom = 14 * 24 * time.Hour

// nothingToWarnOf stands for the end of secrets of a client that needs none, or has one without end.
const nothingToWarnOf = -1

// secretUntil says when the last good secret of a client ends that needs one: 0 if there is none, or nothingToWarnOf.
func (r *Registry) secretUntil(ctx context.Context, m Metadata, state State) (int64, error) {
	if !m.withDefaults().TokenEndpointAuthMethod.usesSecret() || state == StateRetired || state == StateDraft || state == StateRequested {
		return nothingToWarnOf, nil
	}
	list, err := r.allSecrets(ctx, m.ClientID)
	if err != nil {
		return 0, fmt.Errorf("index secrets: %w", err)
	}
	var last int64
	for _, s := range list {
		if s.Ends.IsZero() {
			return nothingToWarnOf, nil
		}
		last = max(last, s.Ends.Unix())
	}
	return last, nil
}

// warnings of a client; never nil.
func (r *Registry) warnings(secretUntil int64, jwksURI string) []Warning {
	out := []Warning{}
	now, ends := r.d.Now(), time.Unix(secretUntil, 0).UTC()
	switch {
	case secretUntil == nothingToWarnOf:
	case secretUntil == 0:
		out = append(out, Warning{Word: SecretEnded, Detail: "there is no secret: make one"})
	case !now.Before(ends):
		out = append(out, Warning{Word: SecretEnded, Detail: "no secret is good any more: make one", At: ends})
	case !now.Before(ends.Add(-warnFrom)):
		out = append(out, Warning{Word: SecretEnds, Detail: "the secret ends: make the next one, and let both overlap", At: ends})
	}
	if jwksURI != "" && r.d.Fetch != nil {
		if known := r.d.Fetch.known(jwksURI); known.err != nil {
			out = append(out, Warning{Word: KeysUnreachable, Detail: "the keys at jwks_uri could not be used: " + known.err.Error(), At: known.tried.UTC()})
		}
	}
	return out
}
