package clients

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/tsunagu-id/tsunagu/internal/sqldb"
	"github.com/tsunagu-id/tsunagu/keys"
)

// clock is a time that tests move.
type clock struct{ nanos atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.nanos.Store(time.Unix(1_800_000_000, 0).UnixNano())
	return c
}

func (c *clock) now() time.Time       { return time.Unix(0, c.nanos.Load()) }
func (c *clock) pass(d time.Duration) { c.nanos.Add(int64(d)) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func openRegistry(t testing.TB, db *sqldb.DB, c *clock, f *Fetcher) *Registry {
	t.Helper()
	r, err := Open(t.Context(), Deps{DB: db, Now: c.now, Fetch: f})
	must(t, err)
	return r
}

// put registers a client as a program does.
func (r *Registry) put(ctx context.Context, m Metadata, secret *keys.Secret) (*Client, error) {
	return r.Put(ctx, m, secret, Origin{By: "test"})
}

var forTest = Because{By: "op_test", Reason: "a test"}

// document is metadata with the members every client needs.
func document(t testing.TB, id ID, more map[string]any) []byte {
	t.Helper()
	all := map[string]any{
		"client_id": id, "client_name": "イータックス", "client_name#en": "e-Tax", "operator": "国税庁",
		"redirect_uris": []string{"https://" + strings.ToLower(string(id)) + ".example/callback"},
	}
	maps.Copy(all, more)
	b, err := json.Marshal(all)
	must(t, err)
	return b
}

func metadata(t testing.TB, id ID, more map[string]any) Metadata {
	t.Helper()
	m, err := ParseMetadata(document(t, id, more))
	must(t, err)
	return m
}

func reasonOf(err error) Reason {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Reason
	}
	return 0
}

// refusalOf returns the reason of a *ChangeError.
func refusalOf(err error) ChangeReason {
	if e, ok := errors.AsType[*ChangeError](err); ok {
		return e.Reason
	}
	return 0
}

// faultsOf returns the fields of a *FieldErrors.
func faultsOf(err error) string {
	e, ok := errors.AsType[*FieldErrors](err)
	if !ok {
		return ""
	}
	var out []string
	for _, f := range e.List {
		out = append(out, f.Field)
	}
	return strings.Join(out, ", ")
}

// signing is a client's own key pair.
type signing struct {
	alg     jose.SignatureAlgorithm
	kid     string
	private any
}

func newECKey(t testing.TB, kid string) signing {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	return signing{jose.ES256, kid, k}
}

func newRSAKey(t testing.TB, kid string, alg jose.SignatureAlgorithm) signing {
	t.Helper()
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	return signing{alg, kid, k}
}

func jwks(t testing.TB, of ...signing) json.RawMessage {
	t.Helper()
	var set jose.JSONWebKeySet
	for _, s := range of {
		private := jose.JSONWebKey{Key: s.private, KeyID: s.kid}
		set.Keys = append(set.Keys, private.Public())
	}
	b, err := json.Marshal(set)
	must(t, err)
	return b
}

func (s signing) sign(t testing.TB, typ string, claims map[string]any) string {
	t.Helper()
	opts := (&jose.SignerOptions{}).WithHeader("kid", s.kid)
	if s.kid == "" {
		opts = &jose.SignerOptions{}
	}
	if typ != "" {
		opts.WithType(jose.ContentType(typ))
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: s.alg, Key: s.private}, opts)
	must(t, err)
	payload, err := json.Marshal(claims)
	must(t, err)
	jws, err := signer.Sign(payload)
	must(t, err)
	token, err := jws.CompactSerialize()
	must(t, err)
	return token
}

func idsOf(list []*Client) []ID {
	var out []ID
	for _, c := range list {
		out = append(out, c.ID())
	}
	return out
}

func sameIDs(list []*Client, want ...ID) bool { return slices.Equal(idsOf(list), want) }

func secretOf(s keys.Secret) string { return string(s.Reveal()) }
