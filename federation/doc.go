// Package federation knows who is whom where: under which name each service
// knows a person, and which services a person has connected.
//
// Three things live here, all promises and therefore SQL:
//
//   - Subjects: a person is an AccountID inside the hub and a different,
//     random, stored name in every sector (OpenID Connect Core §8.1). Nothing
//     about a person can be computed from a subject, and two services that put
//     their tables side by side learn nothing.
//   - Links: the connection between a person and a service, visible on both
//     sides. Every change is a row of history and an entry of the audit log,
//     written in the transaction that makes the change. Both sides may be
//     restored from a backup: reconcile.go has what makes them agree again.
//   - Deliveries: what each service is told when a person signs out (OpenID
//     Connect Back-Channel Logout 1.0), tried again until it answers, and kept
//     as a receipt that the person can read.
//   - Signals: what services are told of security events about their people
//     (OpenID Shared Signals Framework 1.0), in streams that they are pushed or
//     collect.
//
// The life of a link:
//
//	from      may become
//	none      offered, linked (a service visited first)
//	offered   linked, ended
//	linked    broken, ended
//	broken    linked, offered, ended
//	ended     offered, linked
//
// The portal offers, the service confirms once it has tied the person's
// subject to an account of its own, and either side may end it. The table is
// in moves.go. A service names each tie; one that ended is never linked again.
//
// The package also serves the API by which the portal and the services do
// that, and builds the address that starts a sign-in at a service (Core §4).
// It refuses to know how a person logged in and what a token looks like: the
// provider hands it a function that turns a request into a Caller.
package federation
