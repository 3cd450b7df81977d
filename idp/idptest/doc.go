// Package idptest runs a complete hub on a loopback port, with a test authority, a drawer of virtual cards and a browser that keeps
// cookies, for tests of the hub and of relying parties. Nothing in it is a double: the stores, keys, certificates and the card
// protocol are the real ones.
package idptest
