package cardauth

// SigningAnchors are the authorities that issue signature certificates. They
// are a type of their own: no login verifier takes them, and a
// [SigningVerifier] takes nothing else.
type SigningAnchors struct{ set *Anchors }

// ParseSigningAnchors reads PEM certificates, each with the profile of a JPKI
// authority for digital signatures in the given environment. One that is not
// is an error, an authority for user authentication too.
func ParseSigningAnchors(env Environment, files ...[]byte) (*SigningAnchors, error) {
	set, err := parseAnchors(env, signUnit, files)
	if err != nil {
		return nil, err
	}
	return &SigningAnchors{set: set}, nil
}
