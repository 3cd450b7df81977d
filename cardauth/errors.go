package cardauth

// Reason says why a card login was refused. Its String is the word in
// data-error, in the audit log and in the answer to the card app.
type Reason int

// The reasons, in the order of the checks. There are no others.
const (
	_                      Reason = iota
	Malformed                     // not a response at all
	ChallengeUnknown              // never issued, or forgotten
	ChallengeExpired              // issued, answered too late
	ChallengeSpent                // answered before: a replay
	CertificateMalformed          // not a certificate
	CertificateIsCA               // an authority's own certificate presented as a citizen's
	CertificateForSigning         // the signature certificate: a signature is not a login
	CertificateForLogin           // the user-authentication certificate: a login is not a signature
	CertificateProfile            // not what the authority issues for cards
	CertificateUntrusted          // no anchor issued it
	CertificateNotYetValid        // before its first second
	CertificateExpired            // after its last second
	SignatureInvalid              // the card did not sign these bytes
	ChallengeMismatch             // signed for another challenge
	ClaimMismatch                 // signed claims differ from what was asked
	DocumentMismatch              // another document was signed than was asked for
	CertificateRevoked            // the authority took it back
	RevocationUnavailable         // nobody could say whether it is revoked; never taken for "good"
)

var reasonWords = map[Reason]string{
	Malformed:              "response_malformed",
	ChallengeUnknown:       "challenge_unknown",
	ChallengeExpired:       "challenge_expired",
	ChallengeSpent:         "challenge_spent",
	CertificateMalformed:   "cert_malformed",
	CertificateIsCA:        "cert_is_ca",
	CertificateForSigning:  "cert_signing",
	CertificateForLogin:    "cert_login",
	CertificateProfile:     "cert_profile",
	CertificateUntrusted:   "cert_untrusted",
	CertificateNotYetValid: "cert_not_yet_valid",
	CertificateExpired:     "cert_expired",
	SignatureInvalid:       "signature_invalid",
	ChallengeMismatch:      "challenge_mismatch",
	ClaimMismatch:          "claim_mismatch",
	DocumentMismatch:       "document_mismatch",
	CertificateRevoked:     "cert_revoked",
	RevocationUnavailable:  "status_unknown",
}

// String returns the reason's word.
func (r Reason) String() string {
	if w, ok := reasonWords[r]; ok {
		return w
	}
	return "unknown"
}

// ParseReason is the inverse of String.
func ParseReason(word string) (Reason, bool) {
	for r, w := range reasonWords {
		if w == word {
			return r, true
		}
	}
	return 0, false
}

// Error is a refusal. Failures of the hub itself, such as a store that does
// not answer, are not of this type.
type Error struct {
	Reason Reason
	Detail string // for operators, never shown; holds no personal data
	Err    error
	Bound  string // the login that asked, if the challenge was known
	// RevokedFor is why the authority took the certificate back; with
	// CertificateRevoked only.
	RevokedFor RevocationReason
}

// Error describes the refusal for a log.
func (e *Error) Error() string {
	s := "card login refused: " + e.Reason.String()
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// refuse returns an *Error.
func refuse(r Reason, detail string) error { return &Error{Reason: r, Detail: detail} }

// revokedBy returns the refusal of a revoked certificate; by is "OCSP" or "list".
func revokedBy(by string, why RevocationReason) error {
	return &Error{Reason: CertificateRevoked, Detail: "by " + by + ": " + why.String(), RevokedFor: why}
}
