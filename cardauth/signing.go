package cardauth

import (
	"context"
	"crypto"
	"crypto/rsa"
	"encoding/binary"
	"errors"
	"time"

	"github.com/tsunagu-id/tsunagu/cardauth/ades"
)

// signedSkew is how far the citizen's clock may be from ours.
const signedSkew = time.Minute

// SigningDeps is what judging signatures needs. All are required.
type SigningDeps struct {
	Requests *SignatureRequests
	Anchors  *SigningAnchors
	// Revocation asks about signature certificates, whose lists and responders
	// are not those of logins.
	Revocation *Revocation
	Now        func() time.Time
	Digest     func(purpose string, data []byte) [32]byte // as in VerifierDeps
}

// SigningVerifier judges signatures over documents. It logs nobody in, and is
// safe for concurrent use.
type SigningVerifier struct{ deps SigningDeps }

// NewSigningVerifier returns a verifier.
func NewSigningVerifier(d SigningDeps) *SigningVerifier { return &SigningVerifier{deps: d} }

// Signed is a signature that was found good, and who made it. Only
// SigningVerifier.Verify makes one.
type Signed struct {
	// JWS is the compact JWS, CMS the detached SignedData, DER; CMS is nil
	// where no document was signed. Both hold the certificate, and with it
	// name, address, birth date and sex.
	JWS     string
	CMS     []byte
	Holder  Attributes
	At      time.Time // the signing time by the citizen's clock, at most a minute off
	Binding Binding   // of the signature certificate; never one of a login
	Fresh   Freshness
	Bound   string // what the request was issued with

	handle *Handle
}

// Handle names the signature certificate to its authority: see Verifier.AuthOf.
func (s Signed) Handle() Handle { return *s.handle }

// NotAfter is the certificate's last second.
func (s Signed) NotAfter() time.Time { return s.handle.NotAfter() }

// Verify spends the request and judges the answer to it. A refusal is an
// *Error that carries Bound whenever the request was one of ours; any other
// error is the hub's own trouble.
func (v *SigningVerifier) Verify(ctx context.Context, id string, u UnverifiedSignature) (Signed, error) {
	// 1. Parse: ParseSignature did.
	// 2. The request, before anything that can fail.
	request, err := v.deps.Requests.c.take(ctx, id)
	if err != nil {
		return Signed{}, err
	}
	signed, err := v.judge(ctx, request, u)
	if refusal, ok := errors.AsType[*Error](err); ok {
		refusal.Bound = request.Bound
	}
	return signed, err
}

func (v *SigningVerifier) judge(ctx context.Context, request record, u UnverifiedSignature) (Signed, error) {
	now := v.deps.Now()
	// 3. The certificate by itself.
	leaf, err := parseSigningLeaf(u.certificate)
	if err != nil {
		return Signed{}, err
	}
	// 4. Who issued it, and the dates.
	issuer, err := v.deps.Anchors.set.issuerOf(leaf, now)
	if err != nil {
		return Signed{}, err
	}
	if err = leaf.validAt(now); err != nil {
		return Signed{}, err
	}
	// 5. The card's signatures: over the statement, and over the document.
	cms, err := leaf.signedBoth(u)
	if err != nil {
		return Signed{}, err
	}
	// 6. What it signed, field by field and then byte for byte.
	if err = v.compare(request, u, now); err != nil {
		return Signed{}, err
	}
	// 7. Whether the certificate still counts. The only step on the network.
	handle := leaf.handle()
	fresh, err := v.deps.Revocation.check(ctx, handle, issuer)
	if err != nil {
		return Signed{}, err
	}
	// 8. Whose account it is: the caller's step.
	return Signed{
		JWS: u.input + "." + b64url(u.signature), CMS: cms, Holder: *leaf.holder, At: u.at, Fresh: fresh, Bound: request.Bound,
		Binding: v.binding(handle), handle: &handle,
	}, nil
}

// compare builds what should have been signed and compares.
func (v *SigningVerifier) compare(request record, u UnverifiedSignature, now time.Time) error {
	deps := v.deps.Requests.c.deps
	if err := request.compareSigned(deps.Issuer, u.statement); err != nil {
		return err
	}
	issued := time.Unix(request.Expires, 0).Add(-deps.Life)
	if u.at.Before(issued.Add(-signedSkew)) || u.at.After(now.Add(signedSkew)) {
		return refuse(ClaimMismatch, "iat")
	}
	again, err := ades.NewJWS(request.statement(deps.Issuer), u.certificate, u.at)
	if err != nil {
		return err
	}
	if again.Input() != u.input {
		return refuse(ClaimMismatch, "not the bytes that were to be signed")
	}
	return nil
}

// signedBoth checks the signatures and returns the CMS, nil where there is no document.
func (l *leaf) signedBoth(u UnverifiedSignature) ([]byte, error) {
	sum := u.digest()
	if err := rsa.VerifyPKCS1v15(l.key, crypto.SHA256, sum[:], u.signature); err != nil {
		return nil, &Error{Reason: SignatureInvalid, Detail: "jws", Err: err}
	}
	if u.statement.Document == nil {
		return nil, nil
	}
	cms, err := ades.NewCMS(u.statement.Document.Sum(), u.certificate, u.at)
	if err != nil {
		return nil, &Error{Reason: CertificateMalformed, Err: err}
	}
	sum = cms.Digest()
	if err := rsa.VerifyPKCS1v15(l.key, crypto.SHA256, sum[:], u.cms); err != nil {
		return nil, &Error{Reason: SignatureInvalid, Detail: "cms", Err: err}
	}
	return cms.Seal(u.cms), nil
}

// binding is the stand-in of the signature certificate behind a handle. Its
// digest has a purpose of its own: it equals none of a login certificate.
func (v *SigningVerifier) binding(h Handle) Binding {
	data := binary.BigEndian.AppendUint32(append([]byte(nil), h.issuerKey[:]...), h.serial)
	return Binding{IssuerKeyID: h.IssuerKeyID(), SerialDigest: v.deps.Digest("signature-serial", data)}
}

// IssuerName is the distinguished name (RFC 4514) of the authority that issued
// the certificate behind a handle; empty if it is no anchor any more.
func (v *SigningVerifier) IssuerName(h Handle) string {
	issuer := v.deps.Anchors.set.byKeyID[string(h.issuerKey[:])]
	if issuer == nil {
		return ""
	}
	return issuer.cert.Subject.String()
}

// Recheck asks again about a signature certificate that was good once; see
// [Verifier.Recheck].
func (v *SigningVerifier) Recheck(ctx context.Context, h Handle) (Freshness, error) {
	return recheck(ctx, v.deps.Anchors.set, v.deps.Revocation, h, v.deps.Now())
}
