// Package clients knows who may ask: the registry of relying parties with its
// metadata, the rules for redirect addresses, and client authentication. The
// relying parties that this repository ships live in folders below it and import
// nothing of the hub, this package included.
//
// It refuses to know citizens, sessions and cards.
//
// # From bytes to proof
//
//	ParseMetadata     bytes → Metadata, or every fault at once as *FieldErrors
//	Registry.Put/Seed Metadata → a new version in SQL, at once
//	Registry.Draft/Save → Request → Approve: the same by two operators
//	Candidate         bytes → *Client that stands in no registry
//	Registry.Get      ID → *Client, which only this package can make
//	ParseCredentials  request → Credentials, still unbelieved
//	Registry.Authenticate  Credentials → *Client, proven
//
// # Changes
//
// Operators' changes are drafts with revisions; see Draft, Approve and GoBack. They
// are refused with a *ChangeError or *FieldErrors, and then nothing is stored. What
// is stored of metadata is its one spelling, Metadata.MarshalJSON.
//
// # Redirect addresses
//
// Compared byte for byte with what was registered (RFC 9700 §2.1), ports of
// loopback addresses included. Registered are https addresses without fragment,
// user part or wildcard. A loopback address (127.0.0.1, [::1], localhost) may use
// http, and needs a client registered as native or as under development.
//
// # Freshness
//
// Get and List answer from memory. About once a second, and then before it
// answers, the registry reads one stamp that every change of a client redraws; if
// it differs, everything remembered is dropped and read again when asked for. So
// a change, a suspension above all, is seen by every process after at most one
// second, and if the database cannot be asked the answer is an error, not an old
// client.
//
// # Sectors
//
// Subjects are pairwise per sector (OpenID Connect Core §8.1): the host of the
// sector_identifier_uri, or else the one host of all redirect addresses. For
// loopback addresses the port belongs to it, because programs on one computer are
// told apart by nothing else. A client of the device grant, and one without
// redirect addresses, is a sector of its own. A registered client never changes its sector: every
// citizen would come back to it as a stranger.
package clients
