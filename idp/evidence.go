package idp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/tsunagu-id/tsunagu/internal/audit"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
	"github.com/tsunagu-id/tsunagu/keys"
)

const eventEvidenceRead audit.Kind = "notice.evidence_read" // Actor: who; facts: notice

// ErrNoEvidence: no notice of this id was disowned, or it was so long ago that nothing is kept.
var ErrNoEvidence = errors.New("nothing is kept under this id")

// Evidence returns what is kept of a session that its owner disowned, in words for whoever helps her, under the id that the audit log has with
// notice.disowned. Who reads it is in the audit log before she does. It needs no running hub.
func Evidence(ctx context.Context, db *sqldb.DB, sealer *keys.Sealer, log *audit.Log, now func() time.Time, id, as string) ([]byte, error) {
	n := notices{db: db, seal: sealer, digest: sealer.Digest, now: now}
	found, err := n.query(ctx, `WHERE n.id = $1 AND n.disowned_at IS NOT NULL`, id)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 || found[0].Evidence == nil || now().Sub(found[0].Disowned) >= evidenceLife {
		return nil, ErrNoEvidence
	}
	one, e := found[0], *found[0].Evidence
	out, err := json.MarshalIndent(map[string]any{
		"notice": one.ID, "account": one.Account, "session": one.Session, "what": one.Word, "told_at": one.Created.UTC(), "disowned_at": one.Disowned.UTC(),
		"open_then": e.Live, "device": e.Device, "acr": e.ACR, "signed_in_at": unixOrNil(e.AuthTime), "last_used_at": unixOrNil(e.Last),
		"browser_known_since": unixOrNil(e.Known / 1000), "passkey": e.Passkey, "card": map[string]string{"issuer_key": e.Card.IssuerKey, "serial_digest": e.Card.Serial},
		"services": servicesOf(e),
	}, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode evidence: %w", err)
	}
	if err := log.Append(ctx, audit.Event{Kind: eventEvidenceRead, Account: string(one.Account), Actor: as, Session: one.Session, Facts: map[string]string{"notice": one.ID}}); err != nil {
		return nil, err
	}
	return out, nil
}

func unixOrNil(s int64) *time.Time {
	if s == 0 {
		return nil
	}
	t := time.Unix(s, 0).UTC()
	return &t
}

func servicesOf(e noticeEvidence) map[string]*time.Time {
	out := make(map[string]*time.Time, len(e.Services))
	for _, s := range e.Services {
		out[s.Client] = unixOrNil(s.Since / 1000)
	}
	return out
}
