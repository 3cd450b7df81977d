package passkey

import (
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/protocol/webauthncose"
	"github.com/go-webauthn/webauthn/webauthn"
)

// Patience is how long a citizen may take over the authenticator's questions; a challenge lives no longer.
const Patience = 5 * time.Minute

// ErrNoDomain is an issuer whose host is an address: browsers know relying parties by domain only (§5.1.2).
var ErrNoDomain = errors.New("passkey: the issuer's host is no domain")

// Party is the relying party: its id is the issuer's host and its only origin is the issuer.
type Party struct {
	id, origin string
	lib        *webauthn.WebAuthn
}

// NewParty returns the relying party of an issuer, "https://host[:port]"; or ErrNoDomain.
func NewParty(issuer string) (*Party, error) {
	u, err := url.Parse(issuer)
	if err != nil {
		return nil, fmt.Errorf("passkey: %w", err)
	}
	id := u.Hostname()
	if protocol.ValidateRPID(id) != nil {
		return nil, ErrNoDomain
	}
	lib, err := webauthn.New(&webauthn.Config{
		RPID: id, RPDisplayName: id, RPOrigins: []string{issuer},
		AttestationPreference: protocol.PreferNoAttestation,
		AuthenticatorSelection: protocol.AuthenticatorSelection{
			RequireResidentKey: protocol.ResidentKeyRequired(), ResidentKey: protocol.ResidentKeyRequirementRequired,
			UserVerification: protocol.VerificationRequired,
		},
		Timeouts: webauthn.TimeoutsConfig{Login: patience(), Registration: patience()},
	})
	if err != nil {
		return nil, fmt.Errorf("passkey: %w", err)
	}
	return &Party{id: id, origin: issuer, lib: lib}, nil
}

// patience tells the browser; that the challenge is too old is for whoever keeps it to see.
func patience() webauthn.TimeoutConfig {
	return webauthn.TimeoutConfig{Timeout: Patience, TimeoutUVD: Patience}
}

// algorithms are those asked for, in order of preference (RFC 9053 §2, RFC 8812 §2): what today's authenticators have.
func algorithms() []protocol.CredentialParameter {
	var out []protocol.CredentialParameter
	for _, alg := range []webauthncose.COSEAlgorithmIdentifier{webauthncose.AlgES256, webauthncose.AlgEdDSA, webauthncose.AlgRS256} {
		out = append(out, protocol.CredentialParameter{Type: protocol.PublicKeyCredentialType, Algorithm: alg})
	}
	return out
}

// owner is a person as go-webauthn wants to see one.
type owner struct {
	handle []byte
	name   string
	known  []webauthn.Credential
}

func (o owner) WebAuthnID() []byte                         { return o.handle }
func (o owner) WebAuthnName() string                       { return o.name }
func (o owner) WebAuthnDisplayName() string                { return o.name }
func (o owner) WebAuthnCredentials() []webauthn.Credential { return o.known }
