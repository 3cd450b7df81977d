// Package keys owns secret material: the hub's signing keys and their rotation,
// the JWKS it publishes, signing and verifying with a pinned algorithm, sealing
// at rest, the Secret type, and the judgement of keys that strangers bring.
//
// It refuses to know clients, citizens and HTTP.
//
// # Life of a signing key
//
//	announced ──Announce──▶ active ──successor──▶ retired ──Retire──▶ gone
//	in the JWKS,            in the JWKS,          in the JWKS,        row deleted
//	signs nothing           signs                 verifies only
//
// At most one key per algorithm is active and at most one announced; the
// database enforces both with unique indexes, and every move is a conditional
// write, so any number of processes may run the schedule at once. A key is
// published for Deps.Announce before its first signature, which gives every
// relying party and every sibling process time to see it. When a key retires
// its row keeps only the public half: the private one no longer exists.
//
// Rows are sealed (see Sealer) with the key id, algorithm and form as
// associated data. A copy of the database signs nothing, and a row written or
// exchanged by someone without the seal key is refused when it is loaded.
//
// # Algorithms
//
// The list is closed: ES256, RS256, PS256 and EdDSA. "none" and HMAC are not
// values of Alg. RS256 and PS256 use separate RSA keys, so that one key is never
// used with two paddings (RFC 8725 §3.1, §3.5).
//
// What is encrypted is encrypted to a stranger's key (see Encrypt): RSA-OAEP-256,
// ECDH-ES and ECDH-ES+A256KW on P-256, with A128GCM, A256GCM or A128CBC-HS256. The
// hub has no key of its own that others encrypt to.
package keys
