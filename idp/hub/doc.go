// Package hub puts the hub together: keys, clients, card verification, federation and the provider, on one database and one
// ephemeral store. It makes no decision of its own; programs use it so that they need not know the parts.
package hub
