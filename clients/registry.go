package clients

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tsunagu-id/tsunagu/internal/audit"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
	"github.com/tsunagu-id/tsunagu/keys"
)

// Deps is what a Registry needs. DB and Now are required.
type Deps struct {
	DB  *sqldb.DB
	Now func() time.Time
	// Fetch reads jwks_uri and sector_identifier_uri. Without it no client that
	// names one can be registered.
	Fetch *Fetcher
	// Authorities issue the certificates of tls_client_auth clients. Without any no
	// such client is believed.
	Authorities *x509.CertPool
	// Record writes an audit event, in the transaction of ctx. Without it nothing is recorded.
	Record func(ctx context.Context, e audit.Event) error
}

// Registry is the table of clients.
type Registry struct {
	d       Deps
	current atomic.Pointer[cache]
	used    sync.Map // id of a secret → the hour (Unix seconds) that its use was written for
}

// Open migrates the tables.
func Open(ctx context.Context, d Deps) (*Registry, error) {
	if d.DB == nil || d.Now == nil {
		return nil, errors.New("clients: DB and Now are required")
	}
	if err := migrate(ctx, d.DB); err != nil {
		return nil, fmt.Errorf("clients: %w", err)
	}
	if d.Record == nil {
		d.Record = func(context.Context, audit.Event) error { return nil }
	}
	r := &Registry{d: d}
	r.forget()
	return r, r.indexAll(ctx)
}

// Origin says where a version comes from that goes live without an operator's draft.
type Origin struct {
	By   string // seed, policy:NAME, or the program that puts it
	Note string
	// Hidden leaves the client out of operators' lists: it is one of the hub's own programs.
	Hidden bool
}

// Put registers a client, or a new version of it, at once. A secret, if given,
// becomes the client's only one; without it the client keeps the one it has. Metadata and
// secret that are what the client has already make no new version. Faults are
// reported as *FieldErrors.
func (r *Registry) Put(ctx context.Context, m Metadata, secret *keys.Secret, from Origin) (*Client, error) {
	m = m.withDefaults()
	if err := m.check(); err != nil {
		return nil, err
	}
	e, err := entryOf(m, secret)
	if err != nil {
		return nil, err
	}
	e.origin = origin{by: from.By, note: from.Note, hidden: from.Hidden, kind: eventPut}
	if err := r.checkRemote(ctx, m); err != nil {
		return nil, err
	}
	var stored clientRow
	err = r.change(ctx, func(ctx context.Context) (err error) {
		stored, err = r.store(ctx, e)
		return err
	})
	if err != nil {
		return nil, err
	}
	return clientOf(stored)
}

// change runs fn in a transaction that every process will notice.
func (r *Registry) change(ctx context.Context, fn func(context.Context) error) error {
	err := r.d.DB.Tx(ctx, func(ctx context.Context) error {
		if err := touch(ctx, r.d.DB); err != nil {
			return err
		}
		return fn(ctx)
	})
	if err != nil {
		return err
	}
	r.forget()
	return nil
}

// entry is a registration to store.
type entry struct {
	m      Metadata
	secret []byte // SHA-256; empty keeps what there is
	seed   []byte // SHA-256 of the seed entry; empty keeps what there is
	origin origin
	// secretLater lets a client of a method with a secret go live without one: an operator makes it.
	secretLater bool
}

// origin is what a version says of how it came to be.
type origin struct {
	by, note, approvedBy, exception, preflight string
	of                                         int64      // the version that it brings back, or 0
	hidden                                     bool       // only looked at for a new client
	kind                                       audit.Kind // empty: the caller records
}

// The audit events of versions that programs bring. The actor is where they come from.
const (
	eventPut    audit.Kind = "client.put"
	eventSeeded audit.Kind = "client.seeded"
)

func entryOf(m Metadata, secret *keys.Secret) (entry, error) {
	e := entry{m: m}
	if secret != nil {
		digest, err := digestSecret(*secret)
		if err != nil {
			return entry{}, err
		}
		e.secret = digest[:]
	}
	return e, nil
}

// store writes a new version, unless nothing would change. It runs in a
// transaction that holds the stamp, so nobody else writes meanwhile.
func (r *Registry) store(ctx context.Context, e entry) (clientRow, error) {
	if isTwin(e.m.ClientID) {
		return clientRow{}, faultOf("client_id", "contains "+twinMark+", as those of twins for trying do", "use another one")
	}
	metadata, err := json.Marshal(e.m)
	if err != nil {
		return clientRow{}, fmt.Errorf("encode client %s: %w", e.m.ClientID, err)
	}
	next := clientRow{
		id: string(e.m.ClientID), status: statusLive, sector: e.m.sector(), metadata: string(metadata), version: 1, seed: e.seed,
		origin: e.origin,
	}
	before, err := r.findClient(ctx, e.m.ClientID)
	switch {
	case errors.Is(err, ErrUnknown):
	case err != nil:
		return clientRow{}, err
	case before.status == statusRetired:
		return clientRow{}, faultOf("client_id", "belonged to a client that was retired", "use another one")
	default:
		next.version, next.status = before.version+1, before.status
		if len(next.seed) == 0 {
			next.seed = before.seed
		}
		if next.sector != before.sector {
			return clientRow{}, sectorChanged(before.sector, next.sector)
		}
	}
	if err := r.checkServed(ctx, e.m); err != nil {
		return clientRow{}, err
	}
	if err := r.checkLogo(ctx, e.m); err != nil {
		return clientRow{}, err
	}
	good, err := r.goodSecrets(ctx, e.m.ClientID)
	if err != nil {
		return clientRow{}, err
	}
	method := e.m.TokenEndpointAuthMethod
	if err := checkSecret(method, len(e.secret) > 0 || method.usesSecret() && len(good) > 0); err != nil && !e.secretLater {
		return clientRow{}, err
	}
	secretChanges := e.changesSecret(good, r.d.Now())
	if before.metadata == next.metadata && !secretChanges && slices.Equal(before.seed, next.seed) {
		return before, nil
	}
	if err := storeClient(ctx, r.d.DB, next, r.d.Now()); err != nil {
		return clientRow{}, err
	}
	if secretChanges {
		if err := r.replaceSecrets(ctx, e); err != nil {
			return clientRow{}, err
		}
	}
	if next.secrets, err = r.goodSecrets(ctx, e.m.ClientID); err != nil {
		return clientRow{}, err
	}
	if err := r.reindex(ctx, e.m.ClientID); err != nil || e.origin.kind == "" {
		return next, err
	}
	return next, r.d.Record(ctx, audit.Event{Kind: e.origin.kind, Client: next.id, Actor: e.origin.by, Facts: versionFact(next.version)})
}

func sectorChanged(from, to string) error {
	var faults FieldErrors
	faults.add("redirect_uris", "would change the client's sector from "+from+" to "+to+", and every citizen would come back as a stranger",
		"keep an address of that host first, or register a new client")
	return faults.orNil()
}

// checkSecret wants a secret for a method that uses one, and none for another.
func checkSecret(method Method, has bool) error {
	switch {
	case has == method.usesSecret():
		return nil
	case has:
		return faultOf("token_endpoint_auth_method", "is "+string(method)+", but there is a client secret", "give no secret")
	}
	return faultOf("client_secret", "is missing", "give a secret, or use another token_endpoint_auth_method")
}

// minSecret is the length of 256 random bits in base64url, in characters.
const minSecret = 43

// digestSecret returns what is stored of a client secret. A plain SHA-256 suffices
// because secrets are random: there is nothing to guess. Characters are limited to
// those that HTTP Basic, form encoding and people's tools leave alone.
func digestSecret(secret keys.Secret) ([sha256.Size]byte, error) {
	b := secret.Reveal()
	if len(b) < minSecret || len(b) > maxSecret || slices.ContainsFunc(b, func(c byte) bool { return !unreserved(c) }) {
		var faults FieldErrors
		faults.add("client_secret", `is not at least 43 letters, digits and "-", ".", "_", "~"`, "let the hub draw one")
		return [sha256.Size]byte{}, faults.orNil()
	}
	return sha256.Sum256(b), nil
}

// clientOf builds the client of a row.
func clientOf(row clientRow) (*Client, error) {
	o, err := decodeObject([]byte(row.metadata))
	if err != nil {
		return nil, fmt.Errorf("client %s, version %d: %w", row.id, row.version, err)
	}
	m, err := readMembers(o)
	if err != nil {
		return nil, fmt.Errorf("client %s, version %d: %w", row.id, row.version, err)
	}
	return newClient(m, row.version, row.status == statusSuspended, row.secrets)
}
