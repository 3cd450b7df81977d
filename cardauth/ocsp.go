package cardauth

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // responders are named by SHA-1 key hash (RFC 6960 §4.2.1); the certificate is verified
	"crypto/subtle"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"
)

// signatureAlgorithms are those in which a revocation answer may be signed.
var signatureAlgorithms = []struct {
	oid asn1.ObjectIdentifier
	alg x509.SignatureAlgorithm
}{
	{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 11}, x509.SHA256WithRSA},
	{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 12}, x509.SHA384WithRSA},
	{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 13}, x509.SHA512WithRSA},
	{asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}, x509.ECDSAWithSHA256},
	{asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 3}, x509.ECDSAWithSHA384},
}

// checkSigned verifies a signature with a certificate's key.
func checkSigned(c *x509.Certificate, algorithm asn1.ObjectIdentifier, signed, signature []byte) error {
	for _, a := range signatureAlgorithms {
		if a.oid.Equal(algorithm) {
			return c.CheckSignature(a.alg, signed, signature)
		}
	}
	return errors.New("signature algorithm is not accepted")
}

// askOCSP asks one responder after the other about a certificate, until one
// answers: whatever it says is the authority's word. An error means that there
// is no answer to rely on.
func (r *Revocation) askOCSP(ctx context.Context, h Handle, issuer *anchor) (singleAnswer, error) {
	errs := []error{errors.New("no responder answers")}
	for _, who := range r.responders.of(h.ocspURL) {
		now := r.deps.Now()
		if !who.circuit.allow(now) {
			r.metrics.asked(who.name, "skipped", 0)
			errs = append(errs, fmt.Errorf("%s: did not answer lately", who.name))
			continue
		}
		one, err := r.askOne(ctx, who.address, h, issuer)
		after := r.deps.Now()
		who.circuit.done(after, err == nil)
		if err == nil {
			r.metrics.asked(who.name, one.status.String(), after.Sub(now))
			one.checked = after
			return one, nil
		}
		r.metrics.asked(who.name, "failed", after.Sub(now))
		errs = append(errs, fmt.Errorf("%s: %w", who.name, err))
	}
	return singleAnswer{}, errors.Join(errs...)
}

// askOne asks the responder at an address.
func (r *Revocation) askOne(ctx context.Context, address string, h Handle, issuer *anchor) (singleAnswer, error) {
	id := certID{nameHash: issuer.nameHash, keyHash: issuer.keyHash, serial: h.serial}
	nonce := make([]byte, nonceLen)
	_, _ = rand.Read(nonce) // cannot fail
	body, err := id.request(nonce)
	if err != nil {
		return singleAnswer{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, r.deps.Timeout)
	defer cancel()
	req, err := newRequest(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return singleAnswer{}, err
	}
	req.Header.Set("Content-Type", "application/ocsp-request")
	req.Header.Set("Accept", "application/ocsp-response")
	der, err := fetch(r.client, req, maxOCSP)
	if err != nil {
		return singleAnswer{}, err
	}
	return r.judgeOCSP(der, id, nonce, issuer)
}

// judgeOCSP decides whether an answer can be relied on (RFC 6960 §3.2).
func (r *Revocation) judgeOCSP(der []byte, id certID, nonce []byte, issuer *anchor) (singleAnswer, error) {
	// 1. It is about our certificate.
	a, err := parseOCSP(der, id)
	if err != nil {
		return singleAnswer{}, err
	}
	// 2. It answers our question, not an earlier one.
	if a.nonce == nil && !r.deps.NonceOptional {
		return singleAnswer{}, errors.New("no nonce in the answer")
	}
	if a.nonce != nil && subtle.ConstantTimeCompare(a.nonce, nonce) != 1 {
		return singleAnswer{}, errors.New("nonce of another question")
	}
	// 3. It is neither old nor from the future.
	now := r.deps.Now()
	if err = r.inWindow(now, a.produced, time.Time{}); err == nil {
		err = r.inWindow(now, a.single.thisUpdate, a.single.nextUpdate)
	}
	if err != nil {
		return singleAnswer{}, err
	}
	// 4. The signer may say so, and signed it.
	signer, err := a.signer(issuer, now)
	if err != nil {
		return singleAnswer{}, err
	}
	if err = checkSigned(signer, a.algorithm, a.signed, a.signature); err != nil {
		return singleAnswer{}, fmt.Errorf("OCSP signature: %w", err)
	}
	return a.single, nil
}

// inWindow judges a statement made at from and good until until (zero: not said).
func (r *Revocation) inWindow(now, from, until time.Time) error {
	switch {
	case from.After(now.Add(r.deps.Skew)):
		return errors.New("OCSP answer from the future")
	case from.Before(now.Add(-r.deps.Window)):
		return errors.New("OCSP answer too old")
	case !until.IsZero() && until.Before(now.Add(-r.deps.Skew)):
		return errors.New("OCSP answer has run out")
	case !until.IsZero() && until.Before(from):
		return errors.New("OCSP answer ends before it begins")
	}
	return nil
}

// signer returns the certificate whose key must have signed: the authority's
// own, or one that the authority itself issued for signing OCSP answers (RFC
// 6960 §4.2.2.2). Whether the latter is revoked is not asked: it is trusted
// for its life, which RFC 6960 §4.2.2.2.1 leaves to us where the authority
// says nothing else.
func (a *ocspAnswer) signer(issuer *anchor, now time.Time) (*x509.Certificate, error) {
	if a.names(issuer.cert.RawSubject, issuer.keyHash) {
		return issuer.cert, nil
	}
	for _, der := range a.responders {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, fmt.Errorf("responder's certificate: %w", err)
		}
		public, err := publicKeyBits(c)
		if err != nil {
			return nil, err
		}
		if a.names(c.RawSubject, sha1.Sum(public)) { //nolint:gosec // see the import
			return c, appointed(c, issuer, now)
		}
	}
	return nil, errors.New("responder is neither the authority nor in the answer")
}

// appointed judges a responder's certificate.
func appointed(c *x509.Certificate, issuer *anchor, now time.Time) error {
	switch {
	case !bytes.Equal(c.RawIssuer, issuer.cert.RawSubject):
		return errors.New("responder is not of this authority")
	case !slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageOCSPSigning):
		return errors.New("responder is not appointed for OCSP")
	case c.IsCA || c.KeyUsage != 0 && c.KeyUsage&x509.KeyUsageDigitalSignature == 0 || len(c.UnhandledCriticalExtensions) > 0:
		return errors.New("responder's certificate is not for signing answers")
	case now.Before(c.NotBefore) || now.After(c.NotAfter):
		return errors.New("responder's certificate is out of its dates")
	}
	if err := issuer.cert.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature); err != nil {
		return fmt.Errorf("responder's certificate: %w", err)
	}
	return nil
}
