package cardauth

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"time"

	"github.com/tsunagu-id/tsunagu/cardauth/ades"
)

const (
	maxSignature    = 24 << 10 // bytes of a posted signature
	maxSignedAt     = 1 << 40  // seconds; far beyond any year that is written with four digits
	maxSignedObject = 2 << 10  // bytes of the description of a document
)

// UnverifiedSignature is what a stranger posted in answer to a signature
// request. Nothing in it is believed; only its shape is right.
type UnverifiedSignature struct {
	certificate []byte
	at          time.Time // by the citizen's clock
	input       string    // of the JWS
	signature   []byte    // over input
	cms         []byte    // over the signed attributes of the CMS; nil: none
	statement   ades.Statement
}

// ParseSignature reads {"jws": compact JWS, "cms_signature": base64url} of at
// most 24 KiB. The header has exactly the members of package ades, the payload
// is a statement, everything has one spelling; anything else is Malformed.
func ParseSignature(body []byte) (UnverifiedSignature, error) {
	if len(body) > maxSignature {
		return UnverifiedSignature{}, refuse(Malformed, "too long")
	}
	all, ok := object(bytes.TrimSpace(body))
	if !ok {
		return UnverifiedSignature{}, refuse(Malformed, "not an object")
	}
	compact, ok := text(all["jws"])
	if !ok {
		return UnverifiedSignature{}, refuse(Malformed, "no jws")
	}
	var u UnverifiedSignature
	if raw, there := all["cms_signature"]; there {
		encoded, okText := text(raw)
		if u.cms, ok = fromBase64(base64.RawURLEncoding, encoded); !ok || !okText || len(u.cms) != signatureLen {
			return UnverifiedSignature{}, refuse(Malformed, "cms_signature")
		}
		delete(all, "cms_signature")
	}
	if !only(all, "jws") {
		return UnverifiedSignature{}, refuse(Malformed, "another member")
	}
	if wrong := u.readJWS([]byte(compact)); wrong != "" {
		return UnverifiedSignature{}, refuse(Malformed, wrong)
	}
	if (u.cms == nil) != (u.statement.Document == nil) {
		return UnverifiedSignature{}, refuse(Malformed, "a document takes both signatures")
	}
	return u, nil
}

// readJWS returns what is wrong, or "".
func (u *UnverifiedSignature) readJWS(compact []byte) string {
	parts := bytes.Split(compact, []byte{'.'})
	if len(parts) != 3 {
		return "not a compact JWS"
	}
	var raw [3][]byte
	for i, p := range parts {
		var ok bool
		if raw[i], ok = fromBase64(base64.RawURLEncoding, string(p)); !ok {
			return "not base64url"
		}
	}
	if u.signature = raw[2]; len(u.signature) != signatureLen {
		return "signature has the wrong length"
	}
	u.input = string(compact[:len(parts[0])+1+len(parts[1])])
	if !u.readHeader(raw[0]) {
		return "header"
	}
	if !u.readStatement(raw[1]) {
		return "statement"
	}
	return ""
}

// readHeader leaves alg, typ and x5t#S256 to be judged with the rest: the
// whole input is built again and compared.
func (u *UnverifiedSignature) readHeader(b []byte) bool {
	members, ok := object(b)
	if !ok || !only(members, "alg", "typ", "iat", "x5t#S256", "x5c") || !isInteger(members["iat"]) {
		return false
	}
	var at int64
	if json.Unmarshal(members["iat"], &at) != nil || at <= 0 || at > maxSignedAt {
		return false
	}
	u.at = time.Unix(at, 0).UTC()
	var chain []json.RawMessage
	if json.Unmarshal(members["x5c"], &chain) != nil || len(chain) != 1 {
		return false
	}
	certificate, ok := text(chain[0])
	if !ok {
		return false
	}
	u.certificate, ok = fromBase64(base64.StdEncoding, certificate)
	return ok && len(u.certificate) <= maxCertificate
}

func (u *UnverifiedSignature) readStatement(b []byte) bool {
	members, ok := object(b)
	if !ok {
		return false
	}
	if raw, there := members["document"]; there {
		if u.statement.Document, ok = readDocument(raw); !ok {
			return false
		}
		delete(members, "document")
	}
	if !only(members, "aud", "request", "nonce", "purpose", "client_id", "redirect_host") {
		return false
	}
	for name, into := range map[string]*string{
		"aud": &u.statement.Audience, "request": &u.statement.Request, "nonce": &u.statement.Nonce,
		"purpose": &u.statement.Purpose, "client_id": &u.statement.ClientID, "redirect_host": &u.statement.RedirectHost,
	} {
		if *into, ok = text(members[name]); !ok || len(*into) > maxClaim {
			return false
		}
	}
	return true
}

// readDocument reads a document's description.
func readDocument(raw []byte) (*ades.Document, bool) {
	members, ok := object(raw)
	if !ok || len(raw) > maxSignedObject {
		return nil, false
	}
	var d ades.Document
	for name, into := range map[string]*string{"name": &d.Name, "digest_alg": &d.DigestAlg, "digest": &d.Digest, "media_type": &d.MediaType} {
		value, there := members[name]
		if !there {
			continue
		}
		if *into, ok = text(value); !ok {
			return nil, false
		}
		delete(members, name)
	}
	if value, there := members["size"]; there {
		if !isInteger(value) || json.Unmarshal(value, &d.Size) != nil {
			return nil, false
		}
		delete(members, "size")
	}
	return &d, len(members) == 0 && d.Check() == nil
}

// digest is what the card signed of the JWS.
func (u UnverifiedSignature) digest() [sha256.Size]byte { return sha256.Sum256([]byte(u.input)) }
