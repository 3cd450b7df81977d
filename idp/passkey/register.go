package passkey

import (
	"encoding/json"
	"fmt"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/protocol/webauthncose"
	"github.com/go-webauthn/webauthn/webauthn"
)

// Owner is whose passkey it is to be, as the authenticator gets to know.
type Owner struct {
	Handle []byte       // user handle: random, at most 64 bytes, nothing else is known by it (§5.4.3)
	Name   string       // what the citizen's own device shows beside the passkey
	Site   string       // what it shows of the hub
	Known  []Credential // those that the account has: the authenticator refuses to make a second
}

// Creation returns what navigator.credentials.create() is called with, as JSON (§5.1.8), and the challenge in it, base64url.
func (p *Party) Creation(o Owner) (options []byte, challenge string, err error) {
	exclude := make([]protocol.CredentialDescriptor, 0, len(o.Known))
	for _, c := range o.Known {
		exclude = append(exclude, c.descriptor())
	}
	creation, session, err := p.lib.BeginRegistration(owner{handle: o.Handle, name: o.Name},
		webauthn.WithCredentialParameters(algorithms()), webauthn.WithExclusions(exclude), webauthn.WithRegistrationRelyingPartyName(o.Site))
	if err != nil {
		return nil, "", fmt.Errorf("passkey: begin registration: %w", err)
	}
	options, err = json.Marshal(creation.Response)
	return options, session.Challenge, err
}

// Attestation is what a browser posted after a registration. Nothing in it is believed.
type Attestation struct {
	parsed *protocol.ParsedCredentialCreationData
}

// ParseAttestation reads a PublicKeyCredential with an AuthenticatorAttestationResponse, in the JSON of §5.1, at most MaxAnswer bytes.
func ParseAttestation(body []byte) (Attestation, error) {
	if err := checkAnswer(body); err != nil {
		return Attestation{}, err
	}
	parsed, err := protocol.ParseCredentialCreationResponseBytes(body)
	if err != nil {
		return Attestation{}, &Error{Reason: Malformed, Detail: "registration", Err: err}
	}
	// Extensions were not asked for; what the client volunteers is ignored (§7.1 step 17).
	parsed.ClientExtensionResults = protocol.AuthenticationExtensionsClientOutputs{}
	return Attestation{parsed}, nil
}

// Register judges an answer to the challenge, which the caller has spent, for the owner of the handle. The order is that of §7.1; the
// library goes through all of it once more, with the signature of a self attestation.
func (p *Party) Register(challenge string, handle []byte, a Attestation) (Credential, error) {
	r := a.parsed.Response
	auth := r.AttestationObject.AuthData
	if err := p.client(r.CollectedClientData, protocol.CreateCeremony, challenge); err != nil { // steps 7 to 12
		return Credential{}, err
	}
	if err := p.authenticator(auth); err != nil { // steps 14 to 18
		return Credential{}, err
	}
	if !auth.Flags.HasAttestedCredentialData() || string(auth.AttData.CredentialID) != string(a.parsed.RawID) {
		return Credential{}, refuse(Malformed, "no credential, or another than its id says")
	}
	if err := acceptableKey(auth.AttData.CredentialPublicKey); err != nil { // step 20
		return Credential{}, err
	}
	if err := acceptableAttestation(r.AttestationObject); err != nil { // step 21
		return Credential{}, err
	}
	session := webauthn.SessionData{
		Challenge: challenge, RelyingPartyID: p.id, UserID: handle, UserVerification: protocol.VerificationRequired, CredParams: algorithms(),
	}
	made, err := p.lib.CreateCredential(owner{handle: handle}, session, a.parsed)
	if err != nil {
		return Credential{}, &Error{Reason: SignatureInvalid, Detail: "registration", Err: err}
	}
	return Credential{
		id: made.ID, key: made.PublicKey, aaguid: made.Authenticator.AAGUID, transports: knownTransports(made.Transport),
		eligible: made.Flags.BackupEligible, backedUp: made.Flags.BackupState, counter: made.Authenticator.SignCount,
	}, nil
}

// acceptableKey: of an algorithm that was asked for, and of the kind that the algorithm is for.
func acceptableKey(cose []byte) error {
	key, err := webauthncose.ParsePublicKey(cose)
	if err != nil {
		return &Error{Reason: KeyRefused, Detail: "public key", Err: err}
	}
	ok := false
	switch k := key.(type) {
	case webauthncose.EC2PublicKeyData:
		ok = k.Algorithm == int64(webauthncose.AlgES256) && k.Curve == int64(webauthncose.P256)
	case webauthncose.OKPPublicKeyData:
		ok = k.Algorithm == int64(webauthncose.AlgEdDSA) && k.Curve == int64(webauthncose.Ed25519)
	case webauthncose.RSAPublicKeyData:
		ok = k.Algorithm == int64(webauthncose.AlgRS256) && len(k.Modulus) >= 256 && len(k.Modulus) <= 512
	}
	if !ok {
		return refuse(KeyRefused, "algorithm, curve or size")
	}
	return nil
}

// acceptableAttestation: none was asked for, and what a browser leaves standing then is "none" or a self attestation (§5.4.7). The other
// formats carry certificates and statements that nobody here would read.
func acceptableAttestation(o protocol.AttestationObject) error {
	format := protocol.AttestationFormat(o.Format)
	_, certificates := o.AttStatement["x5c"]
	if format == protocol.AttestationFormatNone || format == protocol.AttestationFormatPacked && !certificates {
		return nil
	}
	return refuse(KeyRefused, "attestation that was not asked for")
}
