package clients

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/tsunagu-id/tsunagu/keys"
)

// registrationRow says how a client registered itself.
type registrationRow struct {
	client  ID
	token   []byte // SHA-256 of the registration access token
	policy  string
	created time.Time

	statement string // software statement, or nothing
}

// holds reports whether a token is the row's.
func (r registrationRow) holds(token keys.Secret) bool {
	sum := sha256.Sum256(token.Reveal())
	return !token.Empty() && subtle.ConstantTimeCompare(sum[:], r.token) == 1
}

// errRegistrationGone means that the client is not, or no longer, one that
// registered itself.
var errRegistrationGone = errors.New("clients: no such registration")

func (r *Registry) findRegistration(ctx context.Context, id ID) (registrationRow, error) {
	row := registrationRow{client: id}
	var created int64
	err := r.d.DB.QueryRow(ctx, `SELECT token_sha256, policy, created_at, statement FROM client_registration WHERE client = $1`, string(id)).
		Scan(&row.token, &row.policy, &created, &row.statement)
	if errors.Is(err, sql.ErrNoRows) {
		return registrationRow{}, errRegistrationGone
	}
	if err != nil {
		return registrationRow{}, fmt.Errorf("read registration of client %s: %w", id, err)
	}
	row.created = time.Unix(created, 0)
	return row, nil
}

func (r *Registry) insertRegistration(ctx context.Context, row registrationRow) error {
	_, err := r.d.DB.Exec(ctx, `INSERT INTO client_registration (client, token_sha256, policy, created_at, statement) VALUES ($1, $2, $3, $4, $5)`,
		string(row.client), row.token, row.policy, row.created.Unix(), row.statement)
	if err != nil {
		return fmt.Errorf("store registration of client %s: %w", row.client, err)
	}
	return nil
}

// holdRegistration makes sure that a registration is still there, and stays until
// the transaction ends.
func (r *Registry) holdRegistration(ctx context.Context, id ID) error {
	n, err := r.d.DB.Exec(ctx, `UPDATE client_registration SET client = client WHERE client = $1`, string(id))
	if err != nil {
		return fmt.Errorf("hold registration of client %s: %w", id, err)
	}
	if n == 0 {
		return errRegistrationGone
	}
	return nil
}

// deleteRegistration deletes the client with it. One of several callers gets to.
func (r *Registry) deleteRegistration(ctx context.Context, row registrationRow) error {
	n, err := r.d.DB.Exec(ctx, `DELETE FROM client_registration WHERE client = $1`, string(row.client))
	if err != nil {
		return fmt.Errorf("delete registration of client %s: %w", row.client, err)
	}
	if n == 0 {
		return errRegistrationGone
	}
	if _, err := r.d.DB.Exec(ctx, `UPDATE client SET status = $2, changed_at = $3 WHERE id = $1`,
		string(row.client), statusRetired, r.d.Now().Unix()); err != nil {
		return fmt.Errorf("delete client %s: %w", row.client, err)
	}
	if err := r.endSecrets(ctx, row.client, r.d.Now()); err != nil {
		return err
	}
	if err := r.removeDraft(ctx, row.client); err != nil {
		return err
	}
	if _, err := r.d.DB.Exec(ctx, `UPDATE client_policy SET clients = clients - 1 WHERE name = $1`, row.policy); err != nil {
		return fmt.Errorf("count clients of policy %s: %w", row.policy, err)
	}
	return r.reindex(ctx, row.client)
}

// forgetRegistration takes away a client's own way to change its registration, if it has one.
func (r *Registry) forgetRegistration(ctx context.Context, id ID) error {
	row, err := r.findRegistration(ctx, id)
	if errors.Is(err, errRegistrationGone) {
		return nil
	}
	if err != nil {
		return err
	}
	return r.deleteRegistration(ctx, row)
}

// errTooMany means that a policy has all the clients it may have.
var errTooMany = errors.New("clients: the policy has as many clients as it may have")

// countRegistration counts one more client of a policy, or returns errTooMany.
func (r *Registry) countRegistration(ctx context.Context, p Policy) error {
	n, err := r.d.DB.Exec(ctx, `INSERT INTO client_policy (name, clients) VALUES ($1, 1)
		ON CONFLICT (name) DO UPDATE SET clients = client_policy.clients + 1 WHERE client_policy.clients < $2`, p.Name, p.MaxClients)
	if err != nil {
		return fmt.Errorf("count clients of policy %s: %w", p.Name, err)
	}
	if n == 0 {
		return errTooMany
	}
	return nil
}

// setStatement notes the software statement of the last request of a client that registered itself.
func (r *Registry) setStatement(ctx context.Context, id ID, statement string) error {
	if _, err := r.d.DB.Exec(ctx, `UPDATE client_registration SET statement = $2 WHERE client = $1`, string(id), statement); err != nil {
		return fmt.Errorf("note software statement of client %s: %w", id, err)
	}
	return nil
}

// own gives a client that just registered itself to an organisation; empty: to none.
func (r *Registry) own(ctx context.Context, id ID, organisation string) error {
	if organisation == "" {
		return nil
	}
	if _, err := r.d.DB.Exec(ctx, `UPDATE client SET organisation = $2 WHERE id = $1`, string(id), organisation); err != nil {
		return fmt.Errorf("give client %s to an organisation: %w", id, err)
	}
	return r.reindex(ctx, id)
}
