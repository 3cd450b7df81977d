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
