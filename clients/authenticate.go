package clients

import (
	"context"
	"crypto/sha256"
	"errors"
	"time"

	"github.com/tsunagu-id/tsunagu/keys"
)

// Authenticate returns the client that the credentials prove. A public client
// proves nothing by itself; its codes are protected by PKCE. The method has to be
// the one the client registered. A refusal is an *Error, anything else is the
// hub's own trouble.
//
// An unknown client is told apart from a wrong secret in the reason, and perhaps by
// the time taken. Both are fine: client ids are public, and secrets are too long
// to guess.
func (r *Registry) Authenticate(ctx context.Context, cred Credentials, rules AssertionRules) (*Client, error) {
	c, _, err := r.AuthenticateBy(ctx, cred, rules)
	return c, err
}

// AuthenticateBy is Authenticate, and says by what the client was believed.
func (r *Registry) AuthenticateBy(ctx context.Context, cred Credentials, rules AssertionRules) (*Client, Proof, error) {
	c, proof, err := r.prove(ctx, cred, rules)
	if err != nil {
		return nil, Proof{}, err
	}
	return c, proof, nil
}

func (r *Registry) prove(ctx context.Context, cred Credentials, rules AssertionRules) (*Client, Proof, error) {
	var proof Proof
	if cred.id == "" {
		return nil, proof, &Error{Reason: NoCredentials, Detail: "the request names no client"}
	}
	c, err := r.Get(ctx, cred.id)
	switch {
	case errors.Is(err, ErrUnknown):
		return nil, proof, &Error{Reason: UnknownClient, Client: cred.id, Err: err}
	case errors.Is(err, ErrSuspended):
		return nil, proof, &Error{Reason: SuspendedClient, Client: cred.id, Err: err}
	case err != nil:
		return nil, proof, err
	}
	return r.proveAs(ctx, c, cred, rules)
}

// AuthenticateAs is Authenticate for a client that the caller holds already, which may be a hypothetical version of one.
func (r *Registry) AuthenticateAs(ctx context.Context, c *Client, cred Credentials, rules AssertionRules) (*Client, Proof, error) {
	if cred.id != c.ID() {
		return nil, Proof{}, &Error{Reason: ClientMismatch, Client: c.ID(), Detail: "the credentials name another client"}
	}
	if cred.method == SecretBasic || cred.method == SecretPost { // of a hypothetical version: secrets are the registry's, and of no version
		secrets, err := r.goodSecrets(ctx, c.ID())
		if err != nil {
			return nil, Proof{}, err
		}
		with := *c
		with.secrets = secrets
		c = &with
	}
	return r.proveAs(ctx, c, cred, rules)
}

func (r *Registry) proveAs(ctx context.Context, c *Client, cred Credentials, rules AssertionRules) (_ *Client, proof Proof, err error) {
	if cred.method == None && len(cred.chain) > 0 && c.AuthMethod().usesTLS() {
		cred.method = c.AuthMethod()
	}
	if err := c.takesMethod(cred.method); err != nil {
		return nil, proof, err
	}
	proof.Method = cred.method
	switch cred.method {
	case None:
		return c, proof, nil
	case SecretBasic, SecretPost:
		secret, ok := c.holds(cred.proof, r.d.Now())
		if !ok {
			return nil, proof, &Error{Reason: BadSecret, Client: c.ID()}
		}
		r.noteUse(ctx, secret)
		return c, proof, nil
	case PrivateKeyJWT:
		if proof, err = r.checkAssertion(ctx, c, string(cred.proof.Reveal()), rules); err != nil {
			return nil, proof, err
		}
		return c, proof, nil
	case TLSClientAuth:
		if err := r.checkIssued(c, cred.chain); err != nil {
			return nil, proof, err
		}
		proof.Certificate = cred.chain[0].Raw
		return c, proof, nil
	case SelfSignedTLS:
		if err := r.checkSelfSigned(ctx, c, cred.chain[0]); err != nil {
			return nil, proof, err
		}
		proof.Certificate = cred.chain[0].Raw
		return c, proof, nil
	}
	return nil, proof, &Error{Reason: MethodMismatch, Client: c.ID(), Detail: "unknown method"}
}

// holds reports whether a secret is one of the client's that are good, and which.
func (c *Client) holds(secret keys.Secret, now time.Time) (id string, ok bool) {
	sum := sha256.Sum256(secret.Reveal())
	for _, s := range c.secrets {
		if !secret.Empty() && s.good(now) && keys.NewSecret(sum[:]).Equal(keys.NewSecret(s.digest)) {
			return s.ID, true
		}
	}
	return "", false
}
