// Package audit keeps the log of who did what: typed events in a table that is only ever added to, each row bound to the one
// before it by a hash, and a head row that says where the log ends.
//
// It refuses to know what events mean; the packages that own them declare their kinds. It refuses to hold personal data: an
// event names accounts, clients and sessions by their internal identifiers, and never a person.
//
// # What the chain proves
//
// The hash of a row covers the hash before it, the row's number, its time and every text in it. [Log.Verify] therefore finds
// the first row that was changed, removed, moved or put in, and an end that was cut off, by whoever can write to the tables but
// does not recompute everything after. Whoever does recompute everything, head included, is found by checkpoints: signed statements of
// number and hash, each with a proof by a key that is not in the database ([Notary]). Whoever has that key too is found by a checkpoint that was
// kept elsewhere ([Log.Examine]). The log ends nowhere but at its head, and begins where [Log.Retain] took out what was kept long enough: a whole
// prefix that a checkpoint stands for.
//
// # Transactions
//
// An event appended in a transaction stands in the log if and only if what it tells about was committed. Its row is written as
// the last thing before the commit, so that the head row, which serialises all writers, is held for as short as possible and
// always locked last. A process killed at any point leaves a whole chain: row and head change in one transaction.
//
// [Log.Observe] lets others promise something in the transaction of an event: that somebody is told of it, for one.
package audit
