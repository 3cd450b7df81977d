package cardauth

import (
	"context"
	"crypto"
	"crypto/rsa"
	"encoding/binary"
	"errors"
	"time"

	"github.com/tsunagu-id/tsunagu/cardauth/jlis"
)

// VerifierDeps is what verification needs. All but PhonePolicy and Linkage are required.
type VerifierDeps struct {
	Challenges *Challenges
	Anchors    *Anchors
	Revocation *Revocation
	Now        func() time.Time
	// Digest is a keyed digest, stable for ever.
	Digest func(purpose string, data []byte) [32]byte
	// PhonePolicy is the dotted policy of user-authentication certificates on
	// phones. Empty means that they are refused.
	PhonePolicy string
	// Linkage knows which certificates are one person's. Nil means that nobody
	// can be asked.
	Linkage jlis.Authority
}

// Verifier judges responses. It is safe for concurrent use.
type Verifier struct{ deps VerifierDeps }

// NewVerifier returns a verifier.
func NewVerifier(d VerifierDeps) *Verifier { return &Verifier{deps: d} }

// Verify spends the challenge and judges the response to it. A refusal is an
// *Error that carries Bound whenever the challenge was one of ours; any other
// error is the hub's own trouble.
func (v *Verifier) Verify(ctx context.Context, id string, r UnverifiedResponse) (Identity, error) {
	// 1. Parse: ParseResponse did.
	// 2. The challenge, before anything that can fail.
	challenge, err := v.deps.Challenges.take(ctx, id)
	if err != nil {
		return Identity{}, err
	}
	identity, err := v.judge(ctx, challenge, r)
	if refusal, ok := errors.AsType[*Error](err); ok {
		refusal.Bound = challenge.Bound
	}
	return identity, err
}

func (v *Verifier) judge(ctx context.Context, challenge record, r UnverifiedResponse) (Identity, error) {
	now := v.deps.Now()
	// 3. The certificate by itself. From here on this one object is the leaf:
	// its key, its dates, its serial number.
	leaf, err := parseLeaf(r.certificate, v.deps.PhonePolicy)
	if err != nil {
		return Identity{}, err
	}
	// 4. Who issued it, and the dates, which mean nothing before that.
	issuer, err := v.deps.Anchors.issuerOf(leaf, now)
	if err != nil {
		return Identity{}, err
	}
	if err = leaf.validAt(now); err != nil {
		return Identity{}, err
	}
	// 5. The card's signature.
	if err = leaf.signed(r); err != nil {
		return Identity{}, err
	}
	// 6. What it signed.
	if err = challenge.compare(v.deps.Challenges.deps.Issuer, r.claims); err != nil {
		return Identity{}, err
	}
	// 7. Whether the certificate still counts. The only step on the network.
	handle := leaf.handle()
	fresh, err := v.deps.Revocation.check(ctx, handle, issuer)
	if err != nil {
		return Identity{}, err
	}
	// 8. Whose account it is: the caller's step.
	return Identity{
		binding: Binding{IssuerKeyID: issuer.id, SerialDigest: v.serialDigest(issuer, leaf)},
		bound:   challenge.Bound, acr: challenge.ACR, kind: leaf.kind, notAfter: leaf.cert.NotAfter, fresh: fresh, handle: &handle,
	}, nil
}

// signed checks the response's signature: RSASSA-PKCS1-v1_5 with SHA-256 (RFC
// 8017 §8.2.2), whatever the header might have said.
func (l *leaf) signed(r UnverifiedResponse) error {
	if err := rsa.VerifyPKCS1v15(l.key, crypto.SHA256, r.digest[:], r.signature); err != nil {
		return &Error{Reason: SignatureInvalid, Err: err}
	}
	return nil
}

// serialDigest covers the issuer too: serial numbers are unique per authority.
func (v *Verifier) serialDigest(issuer *anchor, l *leaf) [32]byte {
	return v.digestSerial(issuer.cert.SubjectKeyId, l.serial)
}

func (v *Verifier) digestSerial(issuerKey []byte, serial uint32) [32]byte {
	return v.deps.Digest("card-serial", binary.BigEndian.AppendUint32(append([]byte(nil), issuerKey...), serial))
}
