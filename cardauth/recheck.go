package cardauth

import (
	"context"
	"time"
)

// Recheck asks again about a certificate that was good once. An *Error says
// that it no longer counts: CertificateRevoked (RevokedFor says why),
// CertificateExpired, or CertificateUntrusted if its authority was taken out of
// the configuration; or RevocationUnavailable: nobody could say. It costs what
// revocation costs in a login: a good OCSP answer counts for MaxAge here too.
func (v *Verifier) Recheck(ctx context.Context, h Handle) (Freshness, error) {
	return recheck(ctx, v.deps.Anchors, v.deps.Revocation, h, v.deps.Now())
}

func recheck(ctx context.Context, anchors *Anchors, r *Revocation, h Handle, now time.Time) (Freshness, error) {
	issuer := anchors.byKeyID[string(h.issuerKey[:])]
	switch {
	case issuer == nil || !issuer.validAt(now):
		return Freshness{}, refuse(CertificateUntrusted, "no anchor with this key identifier, or out of its dates")
	case now.Unix() > h.notAfter:
		return Freshness{}, refuse(CertificateExpired, "")
	}
	return r.check(ctx, h, issuer)
}
