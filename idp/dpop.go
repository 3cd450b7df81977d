package idp

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/internal/ephemeral"
	"github.com/tsunagu-id/tsunagu/keys"
)

// errWrongKey is a code or token that is bound to a key other than the one the request proved to hold.
var errWrongKey = errors.New("bound to another key")

// How far a proof's iat may lie from now, and for how long its jti is remembered.
const (
	proofPast   = 2 * time.Minute
	proofFuture = 15 * time.Second
	proofLife   = proofPast + proofFuture
	maxProofJTI = 256
	nonceSpan   = time.Minute // a nonce is good for one to nonceSpans of these
	nonceSpans  = 5
)

// proofClaims is the payload of a DPoP proof (RFC 9449 §4.2). Times are NumericDate, seconds that may have a fraction.
type proofClaims struct {
	JTI       string   `json:"jti"`
	Method    string   `json:"htm"`
	URI       string   `json:"htu"`
	At        *float64 `json:"iat"`
	NotBefore *float64 `json:"nbf"` // RFC 9449 gives no meaning to these two; whoever writes them means them (RFC 7519 §4.1)
	Expires   *float64 `json:"exp"`
	Hash      string   `json:"ath"`
	Nonce     string   `json:"nonce"`
}

// timely judges the proof's times.
func (c proofClaims) timely(now time.Time) *oauthError {
	seconds := float64(now.UnixMilli()) / 1000
	switch {
	case c.At == nil:
		return badProof("iat is missing")
	case *c.At < seconds-proofPast.Seconds() || *c.At > seconds+proofFuture.Seconds():
		return badProof("iat is too far from now")
	case c.NotBefore != nil && *c.NotBefore > seconds+proofFuture.Seconds(), c.Expires != nil && *c.Expires < seconds-proofFuture.Seconds():
		return badProof("the DPoP proof has expired or is not valid yet")
	}
	return nil
}

func badProof(description string) *oauthError {
	return &oauthError{code: "invalid_dpop_proof", description: description}
}

// proofKey checks the DPoP proof of a request to one of our endpoints and returns the thumbprint of its key, "" if there is none. A
// client whose tokens are bound to a key has to send one; client is nil where it is not demanded. Of profile fapi2 the proof has to be
// made with a nonce of ours too.
func (p *Provider) proofKey(ctx context.Context, c echo.Context, path string, client *clients.Client) (string, error) {
	fapi2 := client != nil && client.Profile() == clients.FAPI2 && !client.CertificateBound()
	demanded := client != nil && client.DPoPBound()
	r := c.Request()
	if len(r.Header.Values("DPoP")) == 0 {
		if demanded {
			return "", proofMissing()
		}
		return "", nil
	}
	claims, jkt, err := p.checkProof(r, p.base(r)+path)
	if err != nil {
		return "", err
	}
	if (fapi2 && claims.Nonce == "") || (claims.Nonce != "" && !p.nonceIsOurs(claims.Nonce)) {
		c.Response().Header().Set("DPoP-Nonce", p.newNonce())
		return "", &oauthError{code: "use_dpop_nonce", description: "the DPoP proof needs the nonce of this answer (RFC 9449)"}
	}
	c.Response().Header().Set("DPoP-Nonce", p.newNonce())
	return jkt, p.spendProof(ctx, claims, jkt)
}

func proofMissing() *oauthError {
	return badProof("this client must send a DPoP proof (RFC 9449)").of("dpop_bound_access_tokens")
}

// checkProof does everything of RFC 9449 §4.3 that needs no memory: form, type, algorithm, key, signature, method, address, time.
func (p *Provider) checkProof(r *http.Request, address string) (proofClaims, string, error) {
	var claims proofClaims
	headers := r.Header.Values("DPoP")
	if len(headers) != 1 {
		return claims, "", badProof("exactly one DPoP header is expected")
	}
	proof, err := keys.VerifyEmbedded(headers[0], "dpop+jwt", keys.ES256, keys.PS256, keys.EdDSA)
	if err != nil {
		e := badProof("the DPoP proof is malformed, of another type or algorithm, or its signature is wrong")
		e.err = err
		return claims, "", e
	}
	if err := json.Unmarshal(proof.Payload, &claims); err != nil {
		return claims, "", badProof("the DPoP proof's claims are malformed")
	}
	switch {
	case claims.JTI == "" || len(claims.JTI) > maxProofJTI:
		return claims, "", badProof("the DPoP proof's jti is missing or too long")
	case claims.Method != r.Method:
		return claims, "", badProof("htm is not the method of this request")
	case !sameAddress(claims.URI, address):
		return claims, "", badProof("htu is not the address of this request")
	}
	if late := claims.timely(p.now()); late != nil {
		return claims, "", late
	}
	return claims, proof.Thumbprint, nil
}

// spendProof makes a proof good once.
func (p *Provider) spendProof(ctx context.Context, claims proofClaims, jkt string) error {
	err := p.store.Create(ctx, "dpop:1:"+digest(jkt+"\x00"+claims.JTI), []byte{1}, proofLife)
	if errors.Is(err, ephemeral.ErrExists) {
		return badProof("the DPoP proof was used before")
	}
	if err != nil {
		return fmt.Errorf("spend DPoP proof: %w", err)
	}
	return nil
}

// sameAddress compares htu as RFC 9449 §4.3 asks: without query and fragment, after syntax- and scheme-based normalization.
func sameAddress(htu, own string) bool {
	if len(htu) > maxParameter {
		return false
	}
	a, err := url.Parse(htu)
	if err != nil || a.User != nil || a.Opaque != "" {
		return false
	}
	b, err := url.Parse(own)
	if err != nil {
		return false
	}
	return strings.EqualFold(a.Scheme, b.Scheme) && strings.EqualFold(withoutDefaultPort(a), withoutDefaultPort(b)) && a.EscapedPath() == b.EscapedPath()
}

// withoutDefaultPort is the host as RFC 3986 §6.2.3 has it normalized.
func withoutDefaultPort(u *url.URL) string {
	port := map[string]string{"https": ":443", "http": ":80"}[strings.ToLower(u.Scheme)]
	return strings.TrimSuffix(strings.TrimSuffix(u.Host, port), ":")
}

// newNonce returns a nonce (RFC 9449 §8): the minute, and a keyed digest of it. Nothing is stored, and every process of the hub
// accepts those of the others.
func (p *Provider) newNonce() string {
	return p.nonceOf(p.now().Unix() / int64(nonceSpan.Seconds()))
}

func (p *Provider) nonceOf(span int64) string {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(span)) //nolint:gosec // a count of minutes
	mac := p.digest("dpop nonce", b[:])
	return base64.RawURLEncoding.EncodeToString(mac[:18])
}

func (p *Provider) nonceIsOurs(nonce string) bool {
	now := p.now().Unix() / int64(nonceSpan.Seconds())
	for span := now; span > now-nonceSpans; span-- {
		if subtle.ConstantTimeCompare([]byte(nonce), []byte(p.nonceOf(span))) == 1 {
			return true
		}
	}
	return false
}

// proveToken checks that whoever presents a bound access token at an address holds its key (RFC 9449 §7.1).
func (p *Provider) proveToken(ctx context.Context, r *http.Request, address, token, jkt string) error {
	claims, key, err := p.checkProof(r, address)
	if err != nil {
		return &bearerError{code: "invalid_dpop_proof", status: http.StatusUnauthorized, dpop: true}
	}
	sum := sha256.Sum256([]byte(token))
	if claims.Hash != base64.RawURLEncoding.EncodeToString(sum[:]) || key != jkt {
		return &bearerError{code: "invalid_token", status: http.StatusUnauthorized, dpop: true}
	}
	if claims.Nonce != "" && !p.nonceIsOurs(claims.Nonce) { // none is demanded here, but what is claimed has to be so
		return &bearerError{code: "use_dpop_nonce", status: http.StatusUnauthorized, dpop: true, nonce: p.newNonce()}
	}
	err = p.spendProof(ctx, claims, key)
	var refused *oauthError
	if errors.As(err, &refused) {
		return &bearerError{code: "invalid_dpop_proof", status: http.StatusUnauthorized, dpop: true}
	}
	return err
}
