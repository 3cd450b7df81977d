// Package ephemeral keeps what has a deadline and whose loss costs one retry: login transactions, challenges, sessions, grants,
// replay marks, rate counters. It refuses to know what any of these is: a record is bytes under a key.
//
// [Store] is the contract. [SQL] keeps records in the SQL database and is the default; [Redis] keeps them in a Redis server,
// Sentinel group or Cluster. Package ephemeraltest holds the suite both must pass.
//
// # Keys
//
// A key is "area:version:id": the owner of the record, the version of its encoding, and an identifier of random or digested
// bytes, so that nothing secret and nothing personal stands in a key. Printable ASCII without spaces, at most [MaxKey] bytes.
// A key that breaks this rule cannot exist: reading it finds nothing, writing it is an error. The same key is never used for a
// record and for a counter.
//
// # Who wins
//
// Create, Swap and Take have at most one winner however many callers there are in however many processes. A change that depends
// on a record is read, decide, Swap; whoever loses the Swap reads again and decides again. A version never comes back, not even
// when a record is deleted and created anew under the same key: versions are random.
//
// # Transactions
//
// Do not call a store within a sqldb transaction. Redis cannot take part in one, so a rollback would undo on one store and not
// on the other. (SQL joins the transaction rather than waiting for it for ever.)
//
// # When an answer is lost
//
// If the connection breaks after the request was sent, nobody knows whether it was done. Create and Swap on Redis may be sent
// again by its client and then still report success, because they recognise their own version. A Take that is sent again
// reports ErrNotFound: the record is gone and nobody won, which costs the retry this package may cost.
package ephemeral
