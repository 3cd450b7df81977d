// Package agency is a sample government office that exchanges information about citizens with other offices. One program serves several;
// each is a relying party of its own, with a key, a database and a name for every citizen of its own, and knows the hub only through
// clients/rp. No official system is behind it.
//
// # What an office does
//
//	applications   a citizen signs in and applies; a clerk works on the case and asks other offices about it (Config.Inquiries)
//	records        a citizen signs in and ties her record, once; other offices are answered from it (Config.Records)
//
// Both kinds have a desk, for staff alone: people who signed in through the hub and redeemed an invitation (staff.go).
//
// # Asking (inquiry.go, ask.go)
//
// An inquiry is a row, one for each case and item. It is written first, as waiting; then whoever holds it asks the hub for a token
// (RFC 8693), writes that down, shows it to the other office, and writes the answer down. Killed anywhere in between, the row still
// says waiting, the hold ends by itself, and the next try goes on with the token while that is good. Pressing the button again moves
// nothing but the time of the next try. A refusal, by the hub or the other office, is shown in words; a clerk may ask anew.
//
// # Answering (items.go, provision.go)
//
// A token is judged by clients/rp (bound to a key, for this resource alone, still good); here its details must name the one item that is
// asked for. What is answered is written down before it is sent, once for each exchange, and Run tells the hub of it until the hub has
// heard: at once if it answers, after a crash or an outage later. Should the answer get lost on the way, the citizen reads of one that
// did not arrive, rather than the other way round.
//
// No office ever holds another's name for a citizen: the hub translates.
package agency
