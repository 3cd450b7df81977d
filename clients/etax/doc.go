// Package etax is a sample tax site: a service with accounts and passwords of its own, older than the hub, that people can
// tie to their sign-in there once. From then on nobody asks them for the number again.
//
// It is a relying party like any other and knows the hub only through clients/rp. No official system is behind it: what is filed
// here reaches no tax office.
//
// # A binding
//
// A binding is a row that says which account belongs to which person, by the person's name at the hub (sub). Neither side is
// in two bindings; the database decides who of many at once is first.
//
// The hub has its own record of the tie, the link, which the citizen sees in the portal. A tie has a random name, which both records hold. The
// two are kept together like this:
//
//	bound here     the row is written first, as not reported; then the hub is told, "linked". If it does not answer, every
//	               later visit asks how the link stands and tells it again, and so does Run, until it answers.
//	ended here     the row goes, and in the same transaction a row of the outbox comes ("ended"), which Run delivers until
//	               the hub has heard it, and which stays: a hub that is restored from a backup is told again.
//	ended there    Run reads what changed at the hub, at once when the hub ends sessions here; and the hub is asked at every
//	               login, and while somebody stays at the home page once a minute. If it says that the tie is over, the row
//	               goes, and the person is asked again. rp.Judge is the whole rule.
//	restored       either database may be yesterday's. Run notices by the hub's history, or at the daily census; see rp.Follow.
//
// # A return
//
// Whoever is tied to an account fills in a few figures; of them a document is made, which is shown, signed through the hub and filed.
// filing.go has the states. The signature is verified here (signed.go), against authorities that this service was configured with: of
// the hub's answer only two things are believed, that the certificate was not revoked, and that it is the person's who is signed in.
package etax
