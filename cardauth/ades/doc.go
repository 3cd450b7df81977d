// Package ades builds the two forms of an advanced electronic signature that
// a card makes over one document, and knows no card, key or authority:
//
//   - a compact JWS (RFC 7515) in the form of JAdES baseline B (ETSI TS 119
//     182-1 v1.2.1): alg, x5c, x5t#S256 and iat are protected, and the payload
//     is a [Statement] that names the document by its digest. It has no crit,
//     so that any JOSE library verifies it;
//   - a detached CMS SignedData (RFC 5652) in the form of CAdES baseline B
//     (ETSI EN 319 122-1) over the document itself, of which only the digest is
//     needed: openssl verifies it with the document beside it.
//
// Both are functions of what is signed, of the certificate and of the time,
// byte for byte. The card app builds them from what it showed; the hub builds
// them again from what it asked, and compares.
package ades
