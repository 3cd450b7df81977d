package rptest

import (
	"encoding/json"
	"maps"
	"net/http"
	"strings"
)

// api runs f, with the lock held, for a request with a live access token.
func (h *Hub) api(f func(w http.ResponseWriter, r *http.Request, g *grant)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.APIDown {
			http.Error(w, "down", http.StatusServiceUnavailable)
			return
		}
		g := h.bearer(r)
		if g == nil || h.APIRefuses {
			refuse(w, http.StatusUnauthorized, "invalid_token")
			return
		}
		f(w, r, g)
	}
}

func (h *Hub) showLink(w http.ResponseWriter, sub string) {
	l := h.links[sub]
	out := map[string]any{"state": "none"}
	if l.State != "" {
		out = map[string]any{"state": l.State, "since": l.Since.UTC(), "tie": l.Tie}
	}
	answer(w, http.StatusOK, out)
}

func (h *Hub) getLink(w http.ResponseWriter, _ *http.Request, g *grant) { h.showLink(w, g.sub) }

func (h *Hub) putLink(w http.ResponseWriter, r *http.Request, g *grant) {
	var in map[string]string
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil || in["state"] != "linked" || r.Header.Get("Content-Type") != "application/json" {
		refuse(w, http.StatusBadRequest, "request_malformed")
		return
	}
	if l := h.links[g.sub]; l.State != "linked" || l.Tie != in["tie"] {
		h.links[g.sub] = Link{State: "linked", Since: h.now(), Tie: in["tie"]}
	}
	h.showLink(w, g.sub)
}

// deleteLink ends the link, and with it everything the client holds about the person.
func (h *Hub) deleteLink(w http.ResponseWriter, _ *http.Request, g *grant) {
	h.end(g.sub)
	w.WriteHeader(http.StatusNoContent)
}

func (h *Hub) end(sub string) {
	h.links[sub] = Link{State: "ended", Since: h.now(), Tie: h.links[sub].Tie}
	for _, list := range []map[string]*grant{h.grants, h.access} {
		for _, other := range list {
			if other.sub == sub {
				*other.dead = true
			}
		}
	}
}

// deleteOwnLink is deleteLink by the client itself, with a token without a person; of one tie if it names one.
func (h *Hub) deleteOwnLink(w http.ResponseWriter, r *http.Request, g *grant) {
	sub := r.PathValue("sub")
	if g.sub != "" || !strings.HasSuffix(sub, "-at-"+g.client) {
		refuse(w, http.StatusNotFound, "subject_unknown")
		return
	}
	if tie := r.URL.Query().Get("tie"); tie == "" || h.links[sub].Tie == tie && h.links[sub].State != "ended" {
		h.end(sub)
	}
	w.WriteHeader(http.StatusNoContent)
}

// person is who stands behind a portal's grant.
func person(g *grant) string { return g.sub[:len(g.sub)-len("-at-"+g.client)] }

func (h *Hub) getServices(w http.ResponseWriter, _ *http.Request, g *grant) {
	all := []map[string]any{}
	for _, s := range h.Services {
		s = maps.Clone(s)
		id, _ := s["client_id"].(string)
		if s["state"] == nil {
			s["state"] = "none"
			if l := h.links[Sub(person(g), id)]; l.State != "" {
				s["state"], s["since"] = l.State, l.Since.UTC()
			}
		}
		all = append(all, s)
	}
	answer(w, http.StatusOK, map[string]any{"services": all})
}

func (h *Hub) postLinks(w http.ResponseWriter, r *http.Request, g *grant) {
	var in map[string]string
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		refuse(w, http.StatusBadRequest, "request_malformed")
		return
	}
	for _, s := range h.Services {
		if s["client_id"] == in["client_id"] {
			sub := Sub(person(g), in["client_id"])
			if h.links[sub].State != "linked" {
				h.links[sub] = Link{State: "offered", Since: h.now()}
			}
			answer(w, http.StatusOK, map[string]any{"client_id": in["client_id"], "state": h.links[sub].State, "launch_uri": s["launch_uri"]})
			return
		}
	}
	refuse(w, http.StatusNotFound, "service_unknown")
}

func (h *Hub) deleteLinks(w http.ResponseWriter, r *http.Request, g *grant) {
	h.links[Sub(person(g), r.PathValue("client"))] = Link{State: "ended", Since: h.now()}
	w.WriteHeader(http.StatusNoContent)
}
