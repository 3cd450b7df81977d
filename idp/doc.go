// Package idp is the OpenID provider and the login: the protocol's endpoints, login transactions, sessions, consent, the citizen's
// folder (利用者フォルダ) and the hub's pages.
//
// It refuses to know what a certificate or a card looks like (package cardauth), how a client's metadata is judged (package
// clients) and what two services know of each other (package federation).
//
// An authorization request becomes a transaction. What must happen before it may be answered is decided by one pure function,
// next, from stored facts; moves is the table of states it may pass through:
//
//	Received ──────────────► Authenticated ──► Completed
//	   │                      ▲   │   ▲  │         ▲
//	   ▼                      │   │   │  ▼         │
//	Authenticating ──► Proven ┘   │  Consented ────┘
//	   ▲     └────────────────────┘
//	   └── (again, as often as the citizen tries)          any ──► Refused
//
// Proven is the state of a person whose card is good and who has no folder yet. Everything else the provider promises for a
// grant lives in one ephemeral record, see grant.
//
// Files engine*.go and store*.go are the fence around ory/fosite: no other file sees one of its types.
package idp
