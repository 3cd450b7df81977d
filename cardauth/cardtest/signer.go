package cardtest

import (
	"crypto/x509/pkix"
	"time"

	"golang.org/x/crypto/cryptobyte"
)

// signer is who signs an answer: the authority, somebody it appointed, or
// somebody it did not.
func (r *Responder) signer(behaviour OCSPBehaviour, ca *CA) (*Leaf, error) {
	now := ca.now()
	switch behaviour {
	case OCSPWrongSigner:
		return r.strangerKey()
	case OCSPDelegated:
		return r.appointee(ca)
	case OCSPRetired:
		return ca.appoint(now.Add(-2*day), now.Add(-time.Hour))
	case OCSPImpostor:
		stranger, err := r.strangerKey()
		if err != nil {
			return nil, err
		}
		named, cert := *ca, *ca.cert
		cert.PublicKey = nil // or package x509 would notice
		named.cert, named.key = &cert, stranger.Key
		return named.appoint(now.Add(-day), now.Add(day))
	case OCSPUnappointed:
		return ca.IssueAuth(Profile{Person: drawerContents()[0].person, NotBefore: now.Add(-day), NotAfter: now.Add(day)})
	case OCSPGood, OCSPLate, OCSPFuture, OCSPStale, OCSPWrongNonce, OCSPNoNonce, OCSPWrongCertificate, OCSPAltered, OCSPUnknown,
		OCSPTryLater, OCSPServerError, OCSPGarbage, OCSPHuge, OCSPSilent:
	}
	return &Leaf{Certificate: ca.cert, Key: ca.key}, nil
}

// appointee is the responder that the authority trusts with its answers, the
// same one every time.
func (r *Responder) appointee(ca *CA) (*Leaf, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if leaf := r.appointed[ca]; leaf != nil {
		return leaf, nil
	}
	leaf, err := ca.appoint(ca.now().Add(-day), ca.now().AddDate(1, 0, 0))
	if err == nil {
		r.appointed[ca] = leaf
	}
	return leaf, err
}

// appoint makes a responder's certificate (RFC 6960 §4.2.2.2).
func (ca *CA) appoint(from, until time.Time) (*Leaf, error) {
	subject := name(attribute{oidCountry, "JP"}, attribute{oidOrganisation, organisation}, attribute{oidUnit, ca.unit},
		attribute{oidCommonName, "OCSP Responder TEST"})
	return ca.issue(Profile{NotBefore: from, NotAfter: until}, subject, []pkix.Extension{
		fixed(oidKeyUsage, true, "03020780"),
		{Id: oidExtendedKeyUsage, Value: der(func(b *cryptobyte.Builder) {
			seq(b, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(oidOCSPSigning) })
		})},
		fixed(oidOCSPNoCheck, false, "0500"),
		ca.authorityKeyID(),
	})
}
