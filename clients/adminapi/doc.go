// Package adminapi is the administration API as its callers see it: the types on the wire, and the words of its closed sets. The hub's
// handlers, its console and hubctl share them and nothing else; the OpenAPI document at /api/openapi.json is made from them.
//
// Times are UTC, in the form of RFC 3339. Ids are opaque. What is paged has a next, which is the after of the page that follows; an empty one
// says that there is none.
package adminapi
