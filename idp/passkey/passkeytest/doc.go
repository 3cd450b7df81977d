// Package passkeytest is an authenticator and a browser in software, for tests. It writes CBOR, COSE keys and authenticator data itself,
// so that what is tested is not tested against itself, and it can be told to lie in every field.
package passkeytest
