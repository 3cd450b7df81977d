package hub

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/tsunagu-id/tsunagu/internal/audit"
	"github.com/tsunagu-id/tsunagu/keys"
)

// typCheckpoint is the "typ" of a signed statement about the audit log.
const typCheckpoint = "audit-checkpoint+jwt"

// checkpointEvery is how often the running hub states where its audit log stands.
const checkpointEvery = time.Hour

// checkpointClaims is the payload of a checkpoint; docs/operations.md has it for those who keep one.
type checkpointClaims struct {
	Issuer   string `json:"iss"`
	IssuedAt int64  `json:"iat"`
	Seq      int64  `json:"seq"`
	Hash     string `json:"hash"` // SHA-256 of the row, hexadecimal
	Prev     int64  `json:"prev"`
}

// notary vouches for the audit log with the hub's keys.
func notary(issuer string, set *keys.Set, sealer *keys.Sealer) audit.Notary {
	return audit.Notary{
		Sign: func(c audit.Claim) (string, error) {
			return set.Sign(keys.ES256, typCheckpoint, checkpointClaims{
				Issuer: issuer, IssuedAt: c.At.Unix(), Seq: c.Seq, Hash: hex.EncodeToString(c.Hash[:]), Prev: c.Prev,
			})
		},
		Prove: func(statement []byte) [32]byte { return sealer.Digest("audit log", statement) },
	}
}

// readCheckpoint reads a checkpoint that somebody kept. Keys are published for a week after they signed last: an older one is believed if
// the log's own list has it, to the letter.
func (h *Hub) readCheckpoint(ctx context.Context, jws string) (audit.Claim, error) {
	payload, err := h.Keys.Verify(jws, typCheckpoint, keys.ES256)
	if err != nil {
		return h.Audit.Kept(ctx, jws)
	}
	var c checkpointClaims
	if err := json.Unmarshal(payload, &c); err != nil {
		return audit.Claim{}, fmt.Errorf("checkpoint: %w", err)
	}
	hash, err := hex.DecodeString(c.Hash)
	if err != nil || len(hash) != 32 || c.Issuer != h.issuer {
		return audit.Claim{}, audit.ErrForeign
	}
	return audit.Claim{Seq: c.Seq, Hash: [32]byte(hash), At: time.Unix(c.IssuedAt, 0), Prev: c.Prev}, nil
}

// keepAudit makes checkpoints, and takes out what was kept long enough.
func (h *Hub) keepAudit(ctx context.Context) error {
	return h.Audit.Keep(ctx, audit.Keeping{Every: checkpointEvery, For: h.auditFor, Tell: func(err error) {
		wrong := ""
		if err != nil {
			h.log.ErrorContext(ctx, "the audit log is not vouched for", "err", err)
			wrong = "the database does not answer"
		}
		if broken, ok := errors.AsType[*audit.BrokenError](err); ok {
			wrong = fmt.Sprintf("row %d is not what was written (%s)", broken.Seq, broken.Why)
		}
		h.auditState.note(wrong, h.now())
	}})
}
