// Package rptest is a small hub for testing relying parties: discovery, pushed requests, the code flow with PKCE, refresh
// tokens that rotate and are not forgiven when used twice, revocation, logout, and the API for links. It shows no pages: whoever
// comes to its authorization endpoint is the person it was told, and agrees.
//
// It keeps to the standards where a relying party could see the difference, and can be told to break them one at a time. It
// holds no key: tests hand it one, because only few packages may touch JOSE.
package rptest
