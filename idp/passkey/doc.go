// Package passkey is the hub as a WebAuthn relying party (Web Authentication Level 3): what it asks an authenticator for, and whether
// the answer is good.
//
//	Party.Creation ─► browser, authenticator ─► ParseAttestation ─► Party.Register ─► Credential, to be stored
//	Party.Request  ─► browser, authenticator ─► ParseAssertion ─► stored Credential ─► Party.Verify ─► Use
//
// It knows no account, no store and no page: the caller spends the challenge before it asks, finds the credential, and remembers the
// counter. Credentials are discoverable, the authenticator always verifies its user, and no attestation is asked for: the hub accepts
// every authenticator that its owner trusts, so to know the make would serve only to tell citizens apart.
//
// The cryptography and the parsing of CBOR are go-webauthn's, for which this package is the only door.
package passkey
