package rp

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
)

// detailSignature is the type of authorization details by which the hub is asked for a signature.
const detailSignature = "signature"

// Document is what a person is asked to sign: its digest, and what tells them which document that is. The document itself stays here.
type Document struct {
	Name      string `json:"name"`       // at most 100 characters; shown at the hub and in the card app
	DigestAlg string `json:"digest_alg"` // sha-256
	Digest    string `json:"digest"`     // base64url of the SHA-256 of the document's bytes
	MediaType string `json:"media_type,omitempty"`
	Size      int64  `json:"size,omitempty"` // bytes
}

// NewDocument describes the bytes of a document.
func NewDocument(name, mediaType string, content []byte) Document {
	sum := sha256.Sum256(content)
	return Document{
		Name: name, DigestAlg: "sha-256", Digest: base64.RawURLEncoding.EncodeToString(sum[:]), MediaType: mediaType, Size: int64(len(content)),
	}
}

// Signature is what the hub has of a signature that was made. Nothing in it has been verified here: that is for whoever asked, with
// the certificate in the x5c of JWS and an authority it trusts.
type Signature struct {
	ID         string   `json:"id"`
	Document   Document `json:"document"`
	SignedAt   int64    `json:"signed_at"` // Unix seconds, by the clock of the person's computer
	JWS        string   `json:"jws"`       // compact
	CMS        []byte   `json:"cms"`       // DER, detached
	Revocation struct {
		Source string `json:"source"` // ocsp or crl
		AsOf   int64  `json:"as_of"`  // Unix seconds
	} `json:"revocation"`
}

// Ask is Begin with authorization details (RFC 9396 §2), one value per element, each encoded as JSON: what the person is to allow
// beyond signing in. What was granted is in the Arrival.
func (p *Party) Ask(w http.ResponseWriter, r *http.Request, to Local, details ...any) error {
	encoded, err := json.Marshal(details)
	if err != nil {
		return fmt.Errorf("encode authorization details: %w", err)
	}
	return p.begin(w, r, flow{Return: to.String(), Details: encoded})
}

// AskSignature sends the browser to the hub for a signature over one document, and back to the page to afterwards. The hub asks the
// person who they are if it does not know.
func (p *Party) AskSignature(w http.ResponseWriter, r *http.Request, to Local, d Document) error {
	return p.Ask(w, r, to, struct {
		Type     string   `json:"type"`
		Document Document `json:"document"`
	}{detailSignature, d})
}

// SignatureID is the identifier of the signature that was granted; empty if there is none.
func (a Arrival) SignatureID() string {
	var granted []struct {
		Type       string `json:"type"`
		Identifier string `json:"identifier"`
	}
	if len(a.Details) == 0 || json.Unmarshal(a.Details, &granted) != nil {
		return ""
	}
	for _, d := range granted {
		if d.Type == detailSignature {
			return d.Identifier
		}
	}
	return ""
}

// Signature fetches a signature with the tokens of the session in which it was made. With a nil session it is fetched with a token of
// our own (client_credentials, scope service), which the hub takes for a signature that we asked for while it keeps it: for when the
// session was lost between the hub and the database. Keep what is returned; the hub deletes it.
func (p *Party) Signature(ctx context.Context, s *Session, id string) (Signature, error) {
	var out Signature
	path := "/api/signatures/" + url.PathEscape(id)
	var err error
	if s != nil {
		err = p.Call(ctx, s, http.MethodGet, path, nil, &out)
	} else {
		err = p.CallOwn(ctx, "service", http.MethodGet, path, nil, &out)
	}
	if err != nil {
		return Signature{}, err
	}
	if out.ID != id {
		return Signature{}, &Error{Reason: HubRefused, Detail: "another signature than the one asked for"}
	}
	return out, nil
}
