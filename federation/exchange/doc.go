// Package exchange is the exchange of information between offices: on which legal bases one office may ask another for an item about a
// citizen, and the record of every time one did.
//
// The bases are sets with versions. One person proposes a set, another approves it, and one set is in force at a time; what a set said
// stays, because records refer to it. Judge decides whether a request may be, writes the record and tells the audit log in one
// transaction, before any token exists: an exchange that nobody can read about must not have been. What was refused is recorded too.
//
//	asked ──► provided | none | declined        (the provider says so; late or not)
//	refused                                     (by the hub; no token was made)
//
// That no answer came in time is not a state but what a reader says of a record that is still asked for. The package knows citizens by
// account and offices by their codes; tokens, and who may call, are the provider's.
package exchange
