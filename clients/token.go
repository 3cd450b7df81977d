package clients

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tsunagu-id/tsunagu/internal/audit"
	"github.com/tsunagu-id/tsunagu/keys"
)

// The audit events of initial access tokens that operators issue. The actor is the operator.
const (
	eventTokenIssued audit.Kind = "registration.token_issued"
	eventTokenEnded  audit.Kind = "registration.token_ended"
)

// RegistrationToken is an initial access token (RFC 7591 §3) that an operator issued: a policy of its own, which stands beside those of the
// hub's configuration.
type RegistrationToken struct {
	ID           string
	Name         string // of the policy
	Organisation string
	Scopes       []string
	GrantTypes   []string
	Profiles     []Profile
	MaxClients   int64
	Clients      int64           // that there are now
	Statements   json.RawMessage // keys of software statements, or nil
	By           string
	Created      time.Time
	Until        time.Time
	Ended        bool
}

// IssueToken stores a new token and returns it with its secret, which is shown once. Reserved are the names of configured policies. The error is
// *FieldErrors.
func (r *Registry) IssueToken(ctx context.Context, t RegistrationToken, reserved []Policy) (RegistrationToken, keys.Secret, error) {
	secret := keys.RandomSecret()
	sum := sha256.Sum256(secret.Reveal())
	p := t.policy(sum[:]).withDefaults()
	for _, other := range reserved {
		if other.Name == t.Name {
			return t, secret, faultOf("name", "is that of a policy in the hub's configuration", "choose another")
		}
	}
	if err := p.check(); err != nil {
		return t, secret, faultOf("scopes", "or grant_types or profiles have a value that clients that register themselves cannot have", "leave them out, or write others")
	}
	if t.Statements != nil {
		if set, err := keys.ParsePublicSet(t.Statements); err != nil || len(set.Algs()) == 0 {
			return t, secret, faultOf("statement_jwks", "is not a set of public keys that verify", "publish RSA keys of 2048 to 4096 bits, P-256 or Ed25519 keys, public half only")
		}
	}
	now := r.d.Now().Truncate(time.Second)
	t.ID, t.Created, t.Scopes, t.GrantTypes, t.Profiles, t.MaxClients = rand.Text(), now.UTC(), p.Scopes, p.GrantTypes, p.Profiles, p.MaxClients
	err := r.d.DB.Tx(ctx, func(ctx context.Context) error {
		if err := r.checkOrganisation(ctx, t.Organisation); err != nil {
			return err
		}
		n, err := r.d.DB.Exec(ctx, `INSERT INTO registration_token (id, name, token_sha256, organisation, scopes, grant_types, profiles, max_clients,
				statement_jwks, issued_by, created_at, until, ended_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 0) ON CONFLICT (name) DO NOTHING`,
			t.ID, t.Name, sum[:], t.Organisation, strings.Join(t.Scopes, " "), strings.Join(t.GrantTypes, " "), strings.Join(texts(t.Profiles), " "), t.MaxClients,
			string(t.Statements), t.By, now.Unix(), t.Until.Unix())
		if err != nil {
			return fmt.Errorf("store registration token: %w", err)
		}
		if n == 0 {
			return faultOf("name", "is that of another token", "choose another: versions of clients name it for ever")
		}
		return r.d.Record(ctx, audit.Event{Kind: eventTokenIssued, Actor: t.By, Facts: map[string]string{"policy": t.Name}})
	})
	return t, secret, err
}

// policy is what a token lets its holder register.
func (t RegistrationToken) policy(digest []byte) Policy {
	p := Policy{
		Name: t.Name, Token: digest, Scopes: t.Scopes, GrantTypes: t.GrantTypes, Profiles: t.Profiles, MaxClients: t.MaxClients, Expires: t.Until,
		issued: true, organisation: t.Organisation, statements: t.Statements,
	}
	if len(p.Scopes) == 0 {
		p.Scopes = []string{ScopeOpenID, ScopeProfile, ScopeOfflineAccess}
	}
	if len(p.GrantTypes) == 0 {
		p.GrantTypes = nil
	}
	if len(p.Profiles) == 0 {
		p.Profiles = nil
	}
	return p
}

const selectToken = `SELECT t.id, t.name, t.organisation, t.scopes, t.grant_types, t.profiles, t.max_clients, COALESCE(p.clients, 0), t.statement_jwks, t.issued_by,
	t.created_at, t.until, t.ended_at, t.token_sha256 FROM registration_token t LEFT JOIN client_policy p ON p.name = t.name`

func scanToken(scan func(...any) error) (t RegistrationToken, digest []byte, err error) {
	var scopes, grants, profiles, statements string
	var created, until, ended int64
	err = scan(&t.ID, &t.Name, &t.Organisation, &scopes, &grants, &profiles, &t.MaxClients, &t.Clients, &statements, &t.By, &created, &until, &ended, &digest)
	t.Scopes, t.GrantTypes = strings.Fields(scopes), strings.Fields(grants)
	for _, p := range strings.Fields(profiles) {
		t.Profiles = append(t.Profiles, Profile(p))
	}
	if statements != "" {
		t.Statements = json.RawMessage(statements)
	}
	t.Created, t.Until, t.Ended = time.Unix(created, 0).UTC(), time.Unix(until, 0).UTC(), ended != 0
	return t, digest, err
}

// Tokens returns a page of the tokens in the order of their names; after is the last name of the page before, organisation chooses one's.
func (r *Registry) Tokens(ctx context.Context, organisation, after string, limit int) (out []RegistrationToken, err error) {
	rows, err := r.d.DB.Query(ctx, selectToken+` WHERE ($1 = '' OR t.organisation = $1) AND t.name > $2 ORDER BY t.name LIMIT $3`, organisation, after, limit)
	if err != nil {
		return nil, fmt.Errorf("list registration tokens: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		t, _, err := scanToken(rows.Scan)
		if err != nil {
			return nil, fmt.Errorf("list registration tokens: %w", err)
		}
		out = append(out, t)
	}
	return out, rows.Err()
}

// EndToken makes a token good for nothing more. What was registered with it stays, and cannot be changed by its owners any more.
func (r *Registry) EndToken(ctx context.Context, id, by string) error {
	return r.d.DB.Tx(ctx, func(ctx context.Context) error {
		var name string
		err := r.d.DB.QueryRow(ctx, `UPDATE registration_token SET ended_at = $2 WHERE id = $1 AND ended_at = 0 RETURNING name`, id, r.d.Now().Unix()).Scan(&name)
		if errors.Is(err, sql.ErrNoRows) {
			return notFound("there is no such token, or it was ended before")
		}
		if err != nil {
			return fmt.Errorf("end registration token: %w", err)
		}
		return r.d.Record(ctx, audit.Event{Kind: eventTokenEnded, Actor: by, Facts: map[string]string{"policy": name}})
	})
}

// issued returns the policy of a token that an operator issued and nobody ended, by the column that names it.
func (r *Registry) issued(ctx context.Context, where string, arg any) (Policy, bool, error) {
	t, digest, err := scanToken(r.d.DB.QueryRow(ctx, selectToken+` WHERE t.ended_at = 0 AND `+where, arg).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return Policy{}, false, nil
	}
	if err != nil {
		return Policy{}, false, fmt.Errorf("read registration token: %w", err)
	}
	return t.policy(digest).withDefaults(), true, nil
}

// holdToken makes sure that nobody ended the token of a policy since it was read, nor does until the transaction ends.
func (r *Registry) holdToken(ctx context.Context, p Policy) error {
	if !p.issued {
		return nil
	}
	n, err := r.d.DB.Exec(ctx, `UPDATE registration_token SET name = name WHERE name = $1 AND ended_at = 0`, p.Name)
	if err != nil {
		return fmt.Errorf("hold registration token: %w", err)
	}
	if n == 0 {
		return errRegistrationGone
	}
	return nil
}
