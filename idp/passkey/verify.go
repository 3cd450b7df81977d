package passkey

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"
)

// Request returns what navigator.credentials.get() is called with, as JSON (§5.1.9), and the challenge in it, base64url. It names no
// credential: the citizen chooses one on the device, and nobody learns from the page which there are.
func (p *Party) Request() (options []byte, challenge string, err error) {
	request, session, err := p.lib.BeginDiscoverableLogin()
	if err != nil {
		return nil, "", fmt.Errorf("passkey: begin login: %w", err)
	}
	options, err = json.Marshal(request.Response)
	return options, session.Challenge, err
}

// Assertion is what a browser posted after a login. Nothing in it is believed.
type Assertion struct {
	parsed *protocol.ParsedCredentialAssertionData
}

// ParseAssertion reads a PublicKeyCredential with an AuthenticatorAssertionResponse, in the JSON of §5.1, at most MaxAnswer bytes.
func ParseAssertion(body []byte) (Assertion, error) {
	if err := checkAnswer(body); err != nil {
		return Assertion{}, err
	}
	parsed, err := protocol.ParseCredentialRequestResponseBytes(body)
	if err != nil {
		return Assertion{}, &Error{Reason: Malformed, Detail: "login", Err: err}
	}
	parsed.ClientExtensionResults = protocol.AuthenticationExtensionsClientOutputs{} // none was asked for (§7.2 step 18)
	return Assertion{parsed}, nil
}

// CredentialID is the id of the credential that the answer says it was made with; it finds the credential and proves nothing.
func (a Assertion) CredentialID() []byte { return slices.Clone(a.parsed.RawID) }

// Use is a good assertion: the owner of the credential was here, for this challenge.
type Use struct {
	Counter            uint32 // to be stored
	Eligible, BackedUp bool
}

// Verify judges an answer to the challenge, which the caller has spent, by the stored credential and the user handle of its owner. The
// order is that of §7.2; the library goes through all of it once more, with the signature. An answer that is good but for its counter
// is refused as Cloned, and as nothing else.
func (p *Party) Verify(challenge string, a Assertion, c Credential, handle []byte) (Use, error) {
	r := a.parsed.Response
	if len(handle) == 0 || subtle.ConstantTimeCompare(r.UserHandle, handle) != 1 { // step 6
		return Use{}, refuse(OwnerMismatch, "user handle")
	}
	if err := p.client(r.CollectedClientData, protocol.AssertCeremony, challenge); err != nil { // steps 10 to 14
		return Use{}, err
	}
	if err := p.authenticator(r.AuthenticatorData); err != nil { // steps 15 to 19
		return Use{}, err
	}
	if r.AuthenticatorData.Flags.HasBackupEligible() != c.eligible { // step 19
		return Use{}, refuse(FlagsInvalid, "backup eligibility changed")
	}
	session := webauthn.SessionData{Challenge: challenge, RelyingPartyID: p.id, UserVerification: protocol.VerificationRequired}
	find := func(_, _ []byte) (webauthn.User, error) {
		return owner{handle: handle, known: []webauthn.Credential{c.library()}}, nil
	}
	if _, _, err := p.lib.ValidatePasskeyLogin(find, session, a.parsed); err != nil { // steps 20 and 21
		return Use{}, &Error{Reason: SignatureInvalid, Detail: "login", Err: err}
	}
	use := Use{Counter: r.AuthenticatorData.Counter, Eligible: c.eligible, BackedUp: r.AuthenticatorData.Flags.HasBackupState()}
	if went := use.Counter; (went != 0 || c.counter != 0) && went <= c.counter { // step 22
		return Use{}, refuse(Cloned, fmt.Sprintf("counter %d after %d", went, c.counter))
	}
	return use, nil
}

// client judges what the browser says of where and why the authenticator was asked (§5.8.1).
func (p *Party) client(c protocol.CollectedClientData, ceremony protocol.CeremonyType, challenge string) error {
	switch {
	case c.Type != ceremony:
		return refuse(TypeMismatch, "client data is of another ceremony")
	case subtle.ConstantTimeCompare([]byte(c.Challenge), []byte(challenge)) != 1:
		return refuse(ChallengeMismatch, "client data is of another challenge")
	case c.Origin != p.origin:
		return refuse(OriginMismatch, "client data is of another origin")
	case c.CrossOrigin || c.TopOrigin != "": // our pages may be in nobody's frame
		return refuse(OriginMismatch, "client data is of a frame")
	}
	return nil
}

// authenticator judges what the authenticator says of itself and its user (§6.1).
func (p *Party) authenticator(d protocol.AuthenticatorData) error {
	id := sha256.Sum256([]byte(p.id))
	switch f := d.Flags; {
	case subtle.ConstantTimeCompare(d.RPIDHash, id[:]) != 1:
		return refuse(PartyMismatch, "authenticator data is of another relying party")
	case !f.HasUserPresent() || !f.HasUserVerified():
		return refuse(UserNotVerified, "user not present or not verified")
	case f.HasBackupState() && !f.HasBackupEligible():
		return refuse(FlagsInvalid, "backed up, and not eligible for backup")
	}
	return nil
}
