// Package cardtest is a My Number Card, its certification authorities and
// their revocation services, made for tests and for the demo. It is free of
// package testing, like net/http/httptest.
//
// A [PKI] lives in a directory and survives restarts; several processes may
// use the same directory at once. Its certificates carry the profile of the
// real ones, byte for byte where that is known, and say TEST in every name:
//
//	DIR/auth-ca.pem  DIR/sign-ca.pem      the anchors, self-signed
//	DIR/auth-ca.key  DIR/sign-ca.key      key and certificate, mode 0600
//	DIR/auth-ca/issued/01A2B3C4           one empty file per serial number
//	DIR/auth-ca/revoked/01A2B3C4          reason and time, JSON
//	DIR/cards/taro/…                      certificates, keys and PINs of a card of the drawer
//
// Every file appears whole under its name or not at all, so that no lock is
// needed: whoever comes second uses what the first one made.
//
// A [Card] answers command bytes as a card does, PIN counters and security
// state included; [Quirks] make it another card's model, slow, mute or broken.
// The [Responder] answers OCSP requests and publishes revocation lists,
// honestly unless told to be late, to lie or to be silent.
//
// The constants of the card are written down here a second time, on purpose:
// shared with cardauth/jpki, one mistake would confirm itself.
package cardtest
