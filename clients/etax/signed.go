package etax

import (
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/url"
	"strings"
	"time"
)

// What a signature may be, in bytes, and how far the clock of the person's computer may be off.
const (
	maxSignature  = 24 << 10
	signatureSkew = 2 * time.Minute
)

// signatureRules are what this service asks of a signature before it believes it. The hub's word is not among them: it says that the
// certificate was not revoked and whose it is, and no more is taken from it.
type signatureRules struct {
	authorities *x509.CertPool // for signatures
	hub, client string         // who asked
	host        string         // ours, host[:port], as the person saw it
}

func newSignatureRules(pem []byte, hub, client, base string) (*signatureRules, error) {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, errors.New("etax: no certificate of a signature authority")
	}
	u, err := url.Parse(base)
	if err != nil {
		return nil, err
	}
	return &signatureRules{authorities: pool, hub: hub, client: client, host: u.Host}, nil
}

// statement is what the person signed, as far as we look.
type statement struct {
	Audience string `json:"aud"`
	Purpose  string `json:"purpose"`
	Client   string `json:"client_id"`
	Host     string `json:"redirect_host"`
	Document *struct {
		Alg    string `json:"digest_alg"`
		Digest string `json:"digest"`
	} `json:"document"`
}

// unverifiedSignature is a compact JWS that was read (RFC 7515, in the form of ETSI TS 119 182-1 baseline B). Nothing in it is believed.
type unverifiedSignature struct {
	input     string // what is signed
	signature []byte
	at        time.Time // the claimed time of signing
	signer    *x509.Certificate
	says      statement
}

func refuseSignature(detail string) error {
	return &Error{Reason: SignatureInvalid, Err: errors.New(detail)}
}

// parseSignature reads one form only: RS256, one certificate in x5c with its digest beside it, no crit.
func parseSignature(compact string) (*unverifiedSignature, error) {
	parts := strings.Split(compact, ".")
	if len(compact) > maxSignature || len(parts) != 3 {
		return nil, refuseSignature("not a compact JWS")
	}
	var raw [3][]byte
	for i, p := range parts {
		var err error
		if raw[i], err = base64.RawURLEncoding.Strict().DecodeString(p); err != nil || strings.ContainsAny(p, "\r\n") {
			return nil, refuseSignature("base64url")
		}
	}
	var header struct {
		Alg        string          `json:"alg"`
		Type       string          `json:"typ"`
		Issued     int64           `json:"iat"`
		Thumbprint string          `json:"x5t#S256"`
		Chain      [][]byte        `json:"x5c"`
		Critical   json.RawMessage `json:"crit"`
	}
	u := &unverifiedSignature{input: parts[0] + "." + parts[1], signature: raw[2]}
	if json.Unmarshal(raw[0], &header) != nil || json.Unmarshal(raw[1], &u.says) != nil {
		return nil, refuseSignature("JSON")
	}
	if header.Alg != "RS256" || header.Type != "signature+jws" || header.Critical != nil || len(header.Chain) != 1 {
		return nil, refuseSignature("header")
	}
	if sum := sha256.Sum256(header.Chain[0]); base64.RawURLEncoding.EncodeToString(sum[:]) != header.Thumbprint {
		return nil, refuseSignature("x5t#S256")
	}
	var err error
	if u.signer, err = x509.ParseCertificate(header.Chain[0]); err != nil {
		return nil, refuseSignature("certificate")
	}
	u.at = time.Unix(header.Issued, 0)
	return u, nil
}

// check verifies that somebody with a signature certificate of one of the authorities signed exactly these bytes for us, between made and
// now. It returns when, or an *Error: SignatureInvalid, SignerUntrusted, SignerExpired or DocumentOther.
func (r *signatureRules) check(compact string, content []byte, made, now time.Time) (time.Time, error) {
	u, err := parseSignature(compact)
	if err != nil {
		return time.Time{}, err
	}
	if err := r.checkSigner(u.signer, u.at); err != nil {
		return time.Time{}, err
	}
	if err := u.signer.CheckSignature(x509.SHA256WithRSA, []byte(u.input), u.signature); err != nil {
		return time.Time{}, &Error{Reason: SignatureInvalid, Err: err}
	}
	if u.at.Before(made.Add(-signatureSkew)) || u.at.After(now.Add(signatureSkew)) {
		return time.Time{}, refuseSignature("signed at another time")
	}
	if u.says.Audience != r.hub || u.says.Client != r.client || u.says.Host != r.host || u.says.Purpose != "document" || u.says.Document == nil {
		return time.Time{}, refuseSignature("for somebody or something else")
	}
	want := describe(content)
	if u.says.Document.Alg != want.DigestAlg || subtle.ConstantTimeCompare([]byte(u.says.Document.Digest), []byte(want.Digest)) != 1 {
		return time.Time{}, &Error{Reason: DocumentOther}
	}
	return u.at, nil
}

// checkSigner judges a certificate at the time of the signature: the authority's, for signatures (nonRepudiation) and not for logins.
func (r *signatureRules) checkSigner(c *x509.Certificate, at time.Time) error {
	if at.Before(c.NotBefore) || at.After(c.NotAfter) {
		return &Error{Reason: SignerExpired}
	}
	if c.IsCA || c.KeyUsage&x509.KeyUsageContentCommitment == 0 {
		return &Error{Reason: SignerUntrusted, Err: errors.New("not a certificate for signatures")}
	}
	_, err := c.Verify(x509.VerifyOptions{
		Roots: r.authorities, Intermediates: x509.NewCertPool(), CurrentTime: at, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	if err != nil {
		return &Error{Reason: SignerUntrusted, Err: err}
	}
	return nil
}
