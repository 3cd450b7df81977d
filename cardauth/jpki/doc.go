// Package jpki speaks to a My Number Card's user-authentication application at
// the level of command bytes, over anything that can carry one command to the
// card and bring its answer back: a PC/SC reader, a phone, a virtual card.
//
// A login is
//
//	card, err := jpki.Open(ctx, reader)      // SELECT the JPKI application
//	left, err := card.AuthPINTries(ctx)      // shown to the citizen; costs nothing
//	err = card.Unlock(ctx, pin)              // the only command that can cost a try
//	der, err := card.AuthCertificate(ctx)    // free on a plastic card, after the PIN on a phone
//	sig, err := card.SignAuth(ctx, digest)   // RSASSA-PKCS1-v1_5 with SHA-256
//	err = card.Close(ctx)                    // leaves the application: the PIN no longer counts
//
// Unlock comes before AuthCertificate because the certificate of a phone token
// can only be read behind the PIN, and the certificate belongs to what is
// signed. One order serves every kind of card.
//
// The card is a stranger: every answer is bounded and judged, a wrong one is a
// *Error. VERIFY is sent once for each call of Unlock and never repeated,
// whatever comes back, and not at all when a single try is left, unless the
// caller says so with UnlockLastTry.
//
// Beside a login it tells what kind of token there is and how many tries are
// left, and changes the PIN and the signing password under the same rules.
//
// The package does not know readers, certificates' contents or challenges. The
// signing password is never asked for at a login.
package jpki
