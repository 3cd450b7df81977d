// Package rp is what a relying party needs to let people sign in at a hub: the code flow of OpenID Connect with pushed
// requests (RFC 9126), PKCE (RFC 7636) and the issuer check (RFC 9207), sessions of its own, tokens kept fresh, calls to the
// hub's API, and signing out.
//
// It knows the hub only by its issuer address. Everything else comes from the discovery document, fetched when first needed
// and tried again for as long as the hub is down, so that the hub may start later than its relying parties.
//
// # What is bound to what
//
// A login in progress ("flow") is a record under the digest of its state. It names the browser that started it by the digest
// of a cookie, so that a callback made for one browser is refused in another (login CSRF, session fixation), and it is taken
// before anything that can fail, so that a callback works once. A session is a record under the digest of its cookie, sealed
// under a key made from that cookie: a copy of the database lets nobody in and shows no token. Its id is new at every login.
//
// The hub ends sessions from outside (OpenID Connect Back-Channel Logout). For that a roster, named by the digest of a person's or
// a hub session's name, lists the keys of sessions; it opens none of them.
//
// # What is not here
//
// What a service does with a person it knows, and every page but the words for what can go wrong (Messages, Answer).
package rp
