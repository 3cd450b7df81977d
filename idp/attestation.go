package idp

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/tsunagu-id/tsunagu/cardauth"
	"github.com/tsunagu-id/tsunagu/federation"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
	"github.com/tsunagu-id/tsunagu/keys"
)

// fromSigningCard is the source of what a signature certificate states.
const fromSigningCard source = "jpki-sign"

// attestation is what a citizen's signature certificate stated when she confirmed it. It keeps no certificate and names nobody but her: the
// handle is what is needed to ask whether that certificate still counts.
type attestation struct {
	Holder    cardauth.Attributes `json:"h"`
	Confirmed int64               `json:"t"` // Unix seconds, by the hub's clock
	Signed    int64               `json:"s"` // Unix seconds, by the citizen's: at most a minute off
	Handle    []byte              `json:"k"` // see cardauth.Handle
}

// attestations keeps them, sealed.
type attestations struct {
	db   *sqldb.DB
	seal *keys.Sealer
}

func attestationPlace(id federation.AccountID, from source) []byte {
	return []byte("attestation/1\x00" + string(id) + "\x00" + string(from))
}

// of returns what is on record about a person; nil: nothing.
func (s attestations) of(ctx context.Context, id federation.AccountID) (*attestation, error) {
	var sealed []byte
	err := s.db.QueryRow(ctx, `SELECT record FROM attestation WHERE account = $1 AND source = $2`, string(id), string(fromSigningCard)).Scan(&sealed)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read attestation: %w", err)
	}
	plain, err := s.seal.Open(sealed, attestationPlace(id, fromSigningCard))
	if err != nil {
		return nil, fmt.Errorf("open attestation: %w", err)
	}
	a := new(attestation)
	if err := json.Unmarshal(plain, a); err != nil {
		return nil, fmt.Errorf("decode attestation: %w", err)
	}
	return a, nil
}

// keep stores an attestation in place of an earlier one, in the transaction that ctx holds.
func (s attestations) keep(ctx context.Context, id federation.AccountID, a attestation) error {
	plain, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("encode attestation: %w", err)
	}
	sealed := s.seal.Seal(plain, attestationPlace(id, fromSigningCard))
	if _, err := s.db.Exec(ctx, `INSERT INTO attestation (account, source, record) VALUES ($1, $2, $3)
		ON CONFLICT (account) DO UPDATE SET source = excluded.source, record = excluded.record`, string(id), string(fromSigningCard), sealed); err != nil {
		return fmt.Errorf("store attestation: %w", err)
	}
	return nil
}

// remove takes what is on record away; it opens nothing. then runs in the same transaction, if there was anything.
func (s attestations) remove(ctx context.Context, id federation.AccountID, then func(context.Context) error) error {
	return s.db.Tx(ctx, func(ctx context.Context) error {
		n, err := s.db.Exec(ctx, `DELETE FROM attestation WHERE account = $1`, string(id))
		if err != nil {
			return fmt.Errorf("remove attestation: %w", err)
		}
		if n == 0 {
			return nil
		}
		return then(ctx)
	})
}

// validity is whether what was confirmed may still be passed on. Its text keys the pages' messages.
type validity string

const (
	standingNone    validity = "none"    // nothing was confirmed
	standingGood    validity = "good"    // the certificate counts, by its authority's word of now
	standingOver    validity = "over"    // it was revoked: the person moved, changed her name, or lost the card
	standingExpired validity = "expired" // its time is over
	standingUnknown validity = "unknown" // nobody could say
)

// attested returns what is on record about a person, and whether it may be passed on. The authority is asked each time, as at a login; what
// it said a moment ago counts as long as it does there.
func (p *Provider) attested(ctx context.Context, id federation.AccountID) (*attestation, validity, error) {
	if p.signing == nil {
		return nil, standingNone, nil
	}
	a, err := p.attestations.of(ctx, id)
	if err != nil || a == nil {
		return nil, standingNone, err
	}
	h, err := cardauth.UnmarshalHandle(a.Handle)
	if err != nil {
		return nil, standingNone, fmt.Errorf("attestation: %w", err)
	}
	_, err = p.signing.Recheck(ctx, h)
	refused, ok := errors.AsType[*cardauth.Error](err)
	switch {
	case err == nil:
		return a, standingGood, nil
	case !ok:
		return nil, standingNone, fmt.Errorf("recheck signature certificate: %w", err)
	case refused.Reason == cardauth.CertificateExpired:
		return a, standingExpired, nil
	case refused.Reason == cardauth.CertificateRevoked || refused.Reason == cardauth.CertificateUntrusted:
		return a, standingOver, nil
	}
	return a, standingUnknown, nil
}

// gender is the claim of OIDC Core §5.1; "" where the register does not say.
func (a *attestation) gender() string {
	switch a.Holder.Sex {
	case cardauth.Male:
		return "male"
	case cardauth.Female:
		return "female"
	case cardauth.SexUnknown, cardauth.SexNotApplicable:
	}
	return ""
}

// claims are the claims that the certificate yields, as it states them: no part of a name or an address is guessed.
func (a *attestation) claims() map[string]any {
	out := map[string]any{"name": a.Holder.Name, "address": map[string]string{"formatted": a.Holder.Address}}
	if day := a.Holder.Birthdate.String(); day != "" {
		out["birthdate"] = day
	}
	if g := a.gender(); g != "" {
		out["gender"] = g
	}
	return out
}

func (a *attestation) confirmed() time.Time { return time.Unix(a.Confirmed, 0) }
