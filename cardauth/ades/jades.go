package ades

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"
)

// The purposes of a signature.
const (
	PurposeDocument = "document" // the holder signs a document
	PurposeRelink   = "relink"   // the holder shows who she is, to get her folder back
	// PurposeAttributes: the holder shows her name, address, birth date and sex, for the hub to keep.
	PurposeAttributes = "attributes"
)

// Type is the "typ" of a signed statement (RFC 8725 §3.11).
const Type = "signature+jws"

// Statement is what the JWS says: which document, and for which request of
// which hub and service.
type Statement struct {
	Audience     string    `json:"aud"`     // the hub
	Request      string    `json:"request"` // base64url(SHA-256(the request JWT))
	Nonce        string    `json:"nonce"`
	Purpose      string    `json:"purpose"`
	ClientID     string    `json:"client_id"`
	RedirectHost string    `json:"redirect_host"`
	Document     *Document `json:"document,omitempty"` // nil: the holder proves who she is, and signs nothing else
}

// header is the protected header, in the order in which it is written.
type header struct {
	Alg        string   `json:"alg"`
	Type       string   `json:"typ"`
	Issued     int64    `json:"iat"`      // the claimed signing time, TS 119 182-1 §5.1.11
	Thumbprint string   `json:"x5t#S256"` // RFC 7515 §4.1.8
	Chain      [][]byte `json:"x5c"`      // standard base64, which is how package json writes bytes
}

// JWS is a compact JWS that still lacks its signature.
type JWS struct{ input string }

// RequestDigest is what ties a statement to one request.
func RequestDigest(jwt string) string {
	sum := sha256.Sum256([]byte(jwt))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// NewJWS builds the JWS of a statement: the same bytes for the same arguments.
func NewJWS(s Statement, certificate []byte, at time.Time) (JWS, error) {
	thumbprint := sha256.Sum256(certificate)
	head, err := json.Marshal(header{
		Alg: "RS256", Type: Type, Issued: at.Unix(),
		Thumbprint: base64.RawURLEncoding.EncodeToString(thumbprint[:]), Chain: [][]byte{certificate},
	})
	if err != nil {
		return JWS{}, fmt.Errorf("signature header: %w", err)
	}
	payload, err := json.Marshal(s)
	if err != nil {
		return JWS{}, fmt.Errorf("signature statement: %w", err)
	}
	b64 := base64.RawURLEncoding
	return JWS{input: b64.EncodeToString(head) + "." + b64.EncodeToString(payload)}, nil
}

// Input is the JWS signing input.
func (j JWS) Input() string { return j.input }

// Digest is what the card signs (RSASSA-PKCS1-v1_5 with SHA-256).
func (j JWS) Digest() [sha256.Size]byte { return sha256.Sum256([]byte(j.input)) }

// Seal returns the compact JWS.
func (j JWS) Seal(signature []byte) string {
	return j.input + "." + base64.RawURLEncoding.EncodeToString(signature)
}
