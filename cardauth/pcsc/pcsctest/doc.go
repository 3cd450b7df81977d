// Package pcsctest runs a PC/SC service for tests: Debian's pcscd with two virtual readers, its socket in a directory of
// its own, its readers on free loopback ports. It meets no other service of the computer, and ends with the test.
package pcsctest
