package keeper

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"time"

	"github.com/tsunagu-id/tsunagu/clients/rp"
	"github.com/tsunagu-id/tsunagu/internal/ephemeral"
)

const (
	linkPath = "/api/link"
	// AgreeEvery is how often the hub is asked about a person who is here, at most.
	AgreeEvery = time.Minute
	// AgreeTimeout is how long a page waits for the hub to answer.
	AgreeTimeout = 3 * time.Second
)

// Due reports whether the hub was last asked about a person longer ago than AgreeEvery, and notes that it is asked now.
func (k *Keeper) Due(ctx context.Context, sub string) (bool, error) {
	sum := sha256.Sum256([]byte(sub))
	err := k.store.Create(ctx, "agreed:1:"+hex.EncodeToString(sum[:]), []byte{1}, AgreeEvery)
	if errors.Is(err, ephemeral.ErrExists) {
		return false, nil
	}
	return err == nil, err
}

// Agree compares the tie of the person who is there with the hub's link, and reports whether it stands: one that ended there is dropped. A hub
// that does not answer changes nothing: what is written here counts. The error is rp.SignedOut if the hub has withdrawn the session's tokens.
func (k *Keeper) Agree(ctx context.Context, session *rp.Session, t rp.Tie) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, AgreeTimeout)
	defer cancel()
	var l rp.HubLink
	if err := k.party.Call(ctx, session, http.MethodGet, linkPath, nil, &l); err != nil {
		if refused, ok := errors.AsType[*rp.Error](err); ok && refused.Reason == rp.SignedOut {
			return false, err
		}
		k.log.WarnContext(ctx, "hub did not say how the link stands", "err", err)
		return true, nil
	}
	switch rp.Judge(&t, l) {
	case rp.Keep:
		if !t.Reported {
			return true, k.Reported(ctx, t)
		}
	case rp.Report:
		k.Report(ctx, session, t)
	case rp.Forget:
		return false, k.Over(ctx, t)
	case rp.NoTie:
	}
	return true, nil
}

// Report tells the hub, with the person there, that a tie stands. If that fails, the register still says that the hub does not know, and it is
// told later.
func (k *Keeper) Report(ctx context.Context, session *rp.Session, t rp.Tie) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), AgreeTimeout)
	defer cancel()
	said := map[string]string{"state": "linked"}
	if t.Name != "" {
		said["tie"] = t.Name
	}
	err := k.party.Call(ctx, session, http.MethodPut, linkPath, said, nil)
	if err == nil {
		err = k.Reported(ctx, t)
	}
	if err != nil {
		k.log.WarnContext(ctx, "link not reported to the hub", "err", err)
	}
}
