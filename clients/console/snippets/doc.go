// Package snippets writes programs that sign somebody in at the hub, for one service: its client_id, its addresses, its way to prove who it is,
// and the libraries that most people take. The console shows them; docs/integrating.md has those of the quick start, character for character.
//
// A snippet is a whole program. It never contains a secret: that comes from the environment, and a private key from a file beside it, private-key.pem. What a
// library cannot do for a service is not offered for it.
package snippets
