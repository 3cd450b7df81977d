// Package admin is the administration API: what operators do to the registry of services, and what they look up, as JSON over HTTP under
// /api on the operators' address. The console and hubctl do all they do through it. The types on the wire are those of clients/adminapi.
//
// There is one table of operations, filled by [register]: method, path, the role it takes, and a function from a parsed request to an
// answer. The OpenAPI document at /api/openapi.json is made from that table, and requests are held to it, so that it says neither more nor
// less than what is done.
//
// Every call passes the same gates in the same order, each of which is one function: a known address (404, 405); an access token of the
// hub with scope admin, of a person who signed in with the card lately, or of a program (401, 403); an operator behind it who is not
// suspended (403); her role (403); an operation that is for the whole hub is not for operators of one organisation (403); a request as
// described (400, 413, 415, 422). What a refusal looks like is in problem.go alone.
//
// Operators are kept here. They are invited with a code that is good once and becomes a person's by her sign-in; nobody changes her own
// roles. Programs are operators by the client they are registered as; they approve nothing and never have the role security.
//
// It refuses to know how anybody signs in, and what a page looks like.
package admin
