// Package careless is a sample service that does some things wrong on purpose, so that operators see what a pre-flight finds. Nobody should
// learn from it: clients/postbox is the sample to look at.
//
// What is wrong with it, and nothing else:
//
//   - It sends a state and does not look at the one that comes back. Whichever login the browser began last is the one that is ended, so that
//     a stranger can have somebody signed in to an account of his own.
//   - It believes logout tokens without a look at signature, audience, event, nonce or time, so that anybody who knows a session's id
//     can end it.
//
// It knows the hub through clients/rp, and keeps logins in progress and sessions by itself, in the ephemeral store.
package careless
