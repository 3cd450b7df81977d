// Package admintest runs a hub with its administration API over HTTP, and makes operators with tokens: people who signed in with a card of
// the test authority, and programs.
package admintest
