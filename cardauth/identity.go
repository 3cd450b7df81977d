package cardauth

import "time"

// Identity is the proof that a good card signed this login. Only
// Verifier.Verify makes one.
type Identity struct {
	binding  Binding
	bound    string
	acr      string
	kind     Kind
	notAfter time.Time
	fresh    Freshness
	handle   *Handle // a pointer: package fmt prints the fields of a field, but not through a pointer
}

// Binding is what ties an account to a certificate for as long as the
// certificate lasts. It is not the person: a renewed card has another one.
type Binding struct {
	IssuerKeyID  string   // key identifier of the authority, hex
	SerialDigest [32]byte // keyed, so that a copy of the database names no certificate
}

// Freshness says how we know that the certificate is not revoked.
type Freshness struct {
	Source     string    // "ocsp" or "crl"
	ProducedAt time.Time // as of when the authority said so
	CheckedAt  time.Time // when it was asked
}

// Binding returns the certificate's stand-in.
func (i Identity) Binding() Binding { return i.binding }

// Bound returns what the challenge was issued with.
func (i Identity) Bound() string { return i.bound }

// ACR returns the level that the card signed: that of the challenge.
func (i Identity) ACR() string { return i.acr }

// Kind says what carries the certificate.
func (i Identity) Kind() Kind { return i.kind }

// NotAfter is the certificate's last second.
func (i Identity) NotAfter() time.Time { return i.notAfter }

// Handle is for asking about the certificate again: see Verifier.Recheck.
func (i Identity) Handle() Handle { return *i.handle }

// Fresh returns how fresh the revocation answer was.
func (i Identity) Fresh() Freshness { return i.fresh }
