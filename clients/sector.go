package clients

import (
	"context"
	"encoding/json"
	"slices"
)

// checkRemote checks what only the network can tell. It runs outside of any
// transaction.
func (r *Registry) checkRemote(ctx context.Context, m Metadata) error {
	var faults FieldErrors
	if r.d.Fetch == nil {
		if m.JWKSURI != "" {
			faults.add("jwks_uri", "cannot be used: this hub fetches nothing", "give the keys in jwks")
		}
		if m.SectorIdentifierURI != "" {
			faults.add("sector_identifier_uri", "cannot be used: this hub fetches nothing", "use redirect addresses of one host")
		}
		return faults.orNil()
	}
	if m.SectorIdentifierURI == "" {
		return nil
	}
	// OpenID Connect Registration §5: the document lists every redirect address.
	// Otherwise anybody could join a sector and read its subjects.
	body, err := r.d.Fetch.get(ctx, m.SectorIdentifierURI)
	if err != nil {
		faults.add("sector_identifier_uri", "cannot be read: "+err.Error(), "publish a JSON array of the redirect addresses there")
		return faults.orNil()
	}
	var listed []string
	if err := json.Unmarshal(body, &listed); err != nil {
		faults.add("sector_identifier_uri", "does not answer with a JSON array of strings", "publish a JSON array of the redirect addresses there")
		return faults.orNil()
	}
	for i, s := range m.RedirectURIs {
		if !slices.Contains(listed, s) {
			faults.add(element("redirect_uris", i), "is not listed at the sector_identifier_uri", "add it to that document")
		}
	}
	return faults.orNil()
}

// checkSubject finds the sector (OpenID Connect Core §8.1).
func checkSubject(m *Metadata, faults *FieldErrors) {
	if m.SubjectType != "pairwise" {
		faults.add("subject_type", "is not pairwise", "leave it out: every service gets its own number for a citizen")
	}
	if m.SectorIdentifierURI != "" {
		if len(m.RedirectURIs) == 0 || m.has(GrantDeviceCode) {
			faults.add("sector_identifier_uri", "has no meaning for a client that is answered elsewhere than at redirect addresses", "leave it out")
		}
		return
	}
	var first string
	for i, s := range m.RedirectURIs {
		a, err := parseAddress(s)
		if err != nil {
			continue // reported already
		}
		if first == "" {
			first = a.sector()
		} else if a.sector() != first {
			faults.add(element("redirect_uris", i), "has another host than the first one, and there is no sector_identifier_uri",
				"use one host, or publish the list of addresses at a sector_identifier_uri")
			return
		}
	}
}

// sector returns the sector of metadata that was checked. A host is the client's
// sector because whatever the client is told arrives there. A client that is told
// things elsewhere, by the device grant above all, has a sector of its own: it
// could name anybody's host. No host has a colon but for a loopback's port.
func (m *Metadata) sector() string {
	if len(m.RedirectURIs) == 0 || m.has(GrantDeviceCode) || isTwin(m.ClientID) {
		return "client:" + string(m.ClientID)
	}
	s := m.SectorIdentifierURI
	if s == "" {
		s = m.RedirectURIs[0]
	}
	a, err := parseAddress(s)
	if err != nil {
		return ""
	}
	return a.sector()
}
