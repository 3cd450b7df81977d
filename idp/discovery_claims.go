package idp

import "github.com/tsunagu-id/tsunagu/keys"

// claimsMetadata are the members of the discovery document about claims and how they are protected on their way (OIDC Discovery §3).
type claimsMetadata struct {
	Claims          []string          `json:"claims_supported"`
	ClaimTypes      []string          `json:"claim_types_supported"`
	IDTokenKeyAlgs  []keys.KeyAlg     `json:"id_token_encryption_alg_values_supported"`
	IDTokenEncs     []keys.ContentEnc `json:"id_token_encryption_enc_values_supported"`
	UserinfoAlgs    []string          `json:"userinfo_signing_alg_values_supported"`
	UserinfoKeyAlgs []keys.KeyAlg     `json:"userinfo_encryption_alg_values_supported"`
	UserinfoEncs    []keys.ContentEnc `json:"userinfo_encryption_enc_values_supported"`

	// OpenID Connect for Identity Assurance 1.0 §8; the first is of its drafts, and what older software looks at.
	Verified       bool     `json:"verified_claims_supported,omitempty"`
	Frameworks     []string `json:"trust_frameworks_supported,omitempty"`
	Evidence       []string `json:"evidence_supported,omitempty"`
	VerifiedClaims []string `json:"claims_in_verified_claims_supported,omitempty"`
}

func newClaimsMetadata(algs []string, verifies bool) claimsMetadata {
	protocol := []string{"iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "sid", "at_hash", "act"}
	m := claimsMetadata{
		Claims: append(protocol, personalClaims()...), ClaimTypes: []string{"normal"},
		IDTokenKeyAlgs: keys.KeyAlgs(), IDTokenEncs: keys.ContentEncs(),
		UserinfoAlgs: algs, UserinfoKeyAlgs: keys.KeyAlgs(), UserinfoEncs: keys.ContentEncs(),
	}
	if verifies {
		m.Verified, m.Frameworks, m.Evidence = true, []string{trustFramework}, []string{evidenceOfSignature}
		m.VerifiedClaims = append(verifiedClaims(), claimSubstitutes)
	}
	return m
}
