// Package ephemeraltest holds the suite that every ephemeral store must pass, and opens all of them for the tests of packages
// that keep their state in one.
package ephemeraltest
