// Package cardauth answers two questions about a login with a My Number Card:
// is this card good, and whose is it.
//
// The hub issues a challenge, a signed JWT that names the service and the
// nonce. The card app shows it, and the card signs a response: a compact JWS
// (RFC 7515) with the user-authentication certificate in x5c, whose claims
// repeat the destination and the nonce and carry the digest of the challenge.
// [Verifier.Verify] judges it in one fixed order, in verify.go:
//
//	parse → take the challenge → certificate profile → chain → signature →
//	claims → revocation → (account: the caller's step)
//
// Cheap and free of side effects first, the network last, so that nobody who
// cannot sign makes the hub call out. The exception is the challenge, which is
// consumed before anything that can fail: every challenge gets one answer.
//
// Nothing here trusts X.509's general rules. A certificate must have the JPKI
// profile to the letter (profile.go); its issuer is one of a handful of
// anchors, found by key identifier (anchors.go), where production and test
// authorities are never in one store and signature authorities in none; there
// are no intermediates. Revocation fails closed: OCSP with a nonce, else the
// municipality's list, else refusal (revocation.go).
//
// What comes out is an [Identity]: a binding of issuer key and keyed digest of
// the serial number. Neither names nor certificates leave the package.
//
// The package does not know OAuth, pages, accounts or card bytes.
package cardauth
