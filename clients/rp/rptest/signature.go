package rptest

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
)

// signature is one that was made, and for whom.
type signature struct {
	client string
	answer map[string]any
}

// grantDetails gives a code the authorization details that were asked for, each signature with its identifier. The caller holds the lock.
func (h *Hub) grantDetails(code, asked string) error {
	var details []map[string]any
	if err := json.Unmarshal([]byte(asked), &details); err != nil || len(details) == 0 {
		return errors.New("authorization_details")
	}
	g := h.codes[code]
	for _, d := range details {
		if d["type"] != "signature" || h.Signature == nil {
			continue
		}
		document, err := json.Marshal(d["document"])
		if err != nil {
			return err
		}
		id := rand.Text()
		made := maps.Clone(h.Signature(document))
		made["id"] = id
		d["identifier"] = id
		h.signed[id] = signature{client: g.client, answer: made}
	}
	g.details = details
	h.codes[code] = g
	return nil
}

// getSignature answers a token whose details name the signature, or the client itself that asked for it.
func (h *Hub) getSignature(w http.ResponseWriter, r *http.Request, g *grant) {
	id := r.PathValue("id")
	named := g.sub == ""
	for _, d := range g.details {
		named = named || d["identifier"] == id
	}
	made, ok := h.signed[id]
	switch {
	case !named:
		refuse(w, http.StatusForbidden, "insufficient_scope")
	case !ok || made.client != g.client:
		refuse(w, http.StatusNotFound, "not_found")
	default:
		answer(w, http.StatusOK, made.answer)
	}
}
