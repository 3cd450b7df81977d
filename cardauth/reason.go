package cardauth

// RevocationReason says why a certificate was taken back: CRLReason of RFC 5280
// §5.3.1. The zero value is "unspecified", which is also what no reason means.
type RevocationReason uint8

// The reasons, with their numbers. 7 is not used; 8 (removeFromCRL) is no
// reason but an entry of delta lists.
const (
	Unspecified          RevocationReason = 0
	KeyCompromise        RevocationReason = 1
	CACompromise         RevocationReason = 2
	AffiliationChanged   RevocationReason = 3
	Superseded           RevocationReason = 4 // a newer certificate took its place
	CessationOfOperation RevocationReason = 5
	CertificateHold      RevocationReason = 6 // suspended; it may be lifted again
	PrivilegeWithdrawn   RevocationReason = 9
	AACompromise         RevocationReason = 10
)

// parseRevocationReason accepts the numbers that an entry may have.
func parseRevocationReason(n int) (RevocationReason, bool) {
	if n < 0 || n > int(AACompromise) || n == 7 || n == reasonRemove {
		return 0, false
	}
	return RevocationReason(n), true
}

// String returns the reason's name in RFC 5280.
func (r RevocationReason) String() string {
	switch r {
	case Unspecified:
		return "unspecified"
	case KeyCompromise:
		return "keyCompromise"
	case CACompromise:
		return "cACompromise"
	case AffiliationChanged:
		return "affiliationChanged"
	case Superseded:
		return "superseded"
	case CessationOfOperation:
		return "cessationOfOperation"
	case CertificateHold:
		return "certificateHold"
	case PrivilegeWithdrawn:
		return "privilegeWithdrawn"
	case AACompromise:
		return "aACompromise"
	}
	return "unknown"
}
