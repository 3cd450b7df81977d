// Package shapes remembers for a day what requests of services looked like: so that a change of a service's registration can be tried on what the
// service really does before it counts, and so that an operator sees how it fares.
//
// A shape is what of a request a registration decides about: which redirect address, which scopes, by which method and algorithm the service proved
// itself. It has nothing of a person and nothing that could be shown again: no state, nonce, hint, subject, value of a claim, code, token, secret or
// network address. Equal shapes are counted, by the hour; nothing says which came when. Of requests that were refused only the reason is counted: a
// stranger chose what stands in them.
//
// Noting costs a lock and a map. Counts are added to the database every few seconds, by every process; one that is killed loses those of
// the last seconds, which is why nothing else rests on them. Shapes are bounded by number for each client and hour, those that anybody can cause by
// an address, or push for a client without credentials, apart from those that the service proved; and by their length, each and all together. What comes
// beyond is counted without its shape.
//
// The package knows no rule of any request: who notes decides what the shape is, and who reads tries it.
package shapes
