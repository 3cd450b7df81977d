package cardauth

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
)

const (
	responseType   = "card-response+jwt"
	maxResponse    = 16 << 10 // bytes
	maxCertificate = 4 << 10  // bytes; real ones are 1586
	signatureLen   = 256      // bytes, RSA-2048
	maxClaim       = 512      // bytes of one claim
)

// UnverifiedResponse is what a stranger posted. Nothing in it is believed; only
// its shape is right.
type UnverifiedResponse struct {
	certificate []byte
	digest      [sha256.Size]byte // of the JWS signing input
	signature   []byte
	claims      responseClaims
}

// responseClaims is the payload of a response.
type responseClaims struct {
	audience, nonce, challenge, clientID, redirectHost, acr string
}

// ParseResponse reads a compact JWS (RFC 7515 §7.1) of at most 16 KiB with
// exactly the header members alg (RS256), typ and x5c (one certificate) and
// exactly the claims of a response. Everything has one spelling, or the answer
// is Malformed.
func ParseResponse(body []byte) (UnverifiedResponse, error) {
	if len(body) > maxResponse {
		return UnverifiedResponse{}, refuse(Malformed, "too long")
	}
	parts := bytes.Split(body, []byte{'.'})
	if len(parts) != 3 {
		return UnverifiedResponse{}, refuse(Malformed, "not a compact JWS")
	}
	var raw [3][]byte
	for i, p := range parts {
		var ok bool
		if raw[i], ok = fromBase64(base64.RawURLEncoding, string(p)); !ok {
			return UnverifiedResponse{}, refuse(Malformed, "not base64url")
		}
	}
	r := UnverifiedResponse{signature: raw[2]}
	if len(r.signature) != signatureLen {
		return UnverifiedResponse{}, refuse(Malformed, "signature has the wrong length")
	}
	var ok bool
	if r.certificate, ok = parseHeader(raw[0]); !ok {
		return UnverifiedResponse{}, refuse(Malformed, "header")
	}
	if r.claims, ok = parseClaims(raw[1]); !ok {
		return UnverifiedResponse{}, refuse(Malformed, "claims")
	}
	r.digest = sha256.Sum256(body[:len(parts[0])+1+len(parts[1])])
	return r, nil
}

// parseHeader returns the certificate. There is nothing to negotiate: one
// algorithm, one type, no crit, no key in any other form.
func parseHeader(b []byte) ([]byte, bool) {
	members, ok := object(b)
	if !ok || !only(members, "alg", "typ", "x5c") {
		return nil, false
	}
	alg, okAlg := text(members["alg"])
	typ, okTyp := text(members["typ"])
	if !okAlg || alg != "RS256" || !okTyp || typ != responseType {
		return nil, false
	}
	var chain []json.RawMessage
	if err := json.Unmarshal(members["x5c"], &chain); err != nil || len(chain) != 1 {
		return nil, false
	}
	certificate, ok := text(chain[0])
	if !ok {
		return nil, false
	}
	der, ok := fromBase64(base64.StdEncoding, certificate) // RFC 7515 §4.1.6: not base64url
	return der, ok && len(der) <= maxCertificate
}

func parseClaims(b []byte) (responseClaims, bool) {
	members, ok := object(b)
	if !ok || !only(members, "aud", "nonce", "challenge", "client_id", "redirect_host", "acr", "iat") {
		return responseClaims{}, false
	}
	var c responseClaims
	for name, into := range map[string]*string{
		"aud": &c.audience, "nonce": &c.nonce, "challenge": &c.challenge,
		"client_id": &c.clientID, "redirect_host": &c.redirectHost, "acr": &c.acr,
	} {
		if *into, ok = text(members[name]); !ok || len(*into) > maxClaim {
			return responseClaims{}, false
		}
	}
	// iat is read and not used: it is by the citizen's own clock, which may be
	// wrong by years. Freshness comes from the challenge.
	return c, isInteger(members["iat"])
}

func b64url(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
