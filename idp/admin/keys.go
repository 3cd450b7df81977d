package admin

import (
	"context"
	"errors"
	"net/http"

	"github.com/tsunagu-id/tsunagu/clients/adminapi"
	"github.com/tsunagu-id/tsunagu/internal/audit"
	"github.com/tsunagu-id/tsunagu/keys"
)

// eventKeyAnnounced: a successor of a signing key was made; reason: the algorithm.
const eventKeyAnnounced audit.Kind = "key.announced"

func (a *API) keyRoutes() {
	register(a, operation{id: "listKeys", method: http.MethodGet, path: "/api/keys", tag: "keys", summary: "The hub's signing keys", whole: true}, a.getKeys)
	register(a, operation{
		id: "rotateKey", method: http.MethodPost, path: "/api/keys/rotate", tag: "keys", summary: "Announce the successor of a signing key", whole: true, role: adminapi.Security,
		may: []adminapi.Reason{adminapi.WrongState},
	}, a.postRotate)
}

func (a *API) getKeys(ctx context.Context, _ caller, _ struct{}) (out adminapi.KeyList, _ error) {
	list, err := a.d.Oversight.Keys.Standings(ctx)
	if err != nil {
		return out, err
	}
	states := map[string]string{"announced": "next", "active": "current", "retired": "verifying"}
	for _, k := range list {
		out.Items = append(out.Items, adminapi.SigningKey{Kid: k.KID, Alg: string(k.Alg), State: states[k.State], From: k.From, To: k.To})
	}
	return out, nil
}

// postRotate announces a successor, which signs a day later.
func (a *API) postRotate(ctx context.Context, c caller, in struct{ Body adminapi.Rotate }) (adminapi.KeyList, error) {
	alg, err := keys.ParseAlg(in.Body.Alg)
	if err != nil {
		return adminapi.KeyList{}, fault("alg", "is not an algorithm that the hub signs with", "take one that the list of keys has")
	}
	err = a.d.DB.Tx(ctx, func(ctx context.Context) error {
		if err := a.d.Oversight.Keys.Rotate(ctx, alg); err != nil {
			return err
		}
		return a.d.Audit.Append(ctx, audit.Event{Kind: eventKeyAnnounced, Actor: c.id, Reason: string(alg), Trace: trace(ctx), Facts: map[string]string{"why": in.Body.Reason}})
	})
	if errors.Is(err, keys.ErrAnnounced) {
		return adminapi.KeyList{}, refuse(adminapi.WrongState, "A successor of this key is announced already; it signs within a day.")
	}
	if err != nil {
		return adminapi.KeyList{}, err
	}
	return a.getKeys(ctx, c, struct{}{})
}
