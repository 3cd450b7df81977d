package clients

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// twinMark stands in the ids of twins, and of nobody else.
const twinMark = "~test-"

// Bounds of twins.
const (
	twinLife = time.Hour
	maxTwins = 10 // of one client at a time
)

// isTwin says whether an id is a twin's, which is registered nowhere.
func isTwin(id ID) bool { return strings.Contains(string(id), twinMark) }

// Twin is a copy of a client that somebody tries sign-ins with. Nobody's numbers are the client's: it has a sector of its own.
type Twin struct {
	Client *Client
	Until  time.Time
}

// TwinOrder says what a twin is of, and how it differs.
type TwinOrder struct {
	Of       ID
	Document []byte // metadata of a draft or of a version
	Redirect string // where its answers come
	JWKS     json.RawMessage
}

// Twin makes a twin for an hour. It asks for what the client asks for, and proves itself with the caller's key; nothing that happens to it is told to
// the client: it has no addresses of its own, and none of the rights that the client has beside those of a service that signs people in. Faults are
// *FieldErrors.
func (r *Registry) Twin(ctx context.Context, o TwinOrder) (Twin, error) {
	m, err := ParseMetadata(o.Document)
	if err != nil {
		return Twin{}, err
	}
	if !m.has(GrantAuthorizationCode) {
		return Twin{}, faultOf("grant_types", "has no authorization_code", "try it in another way: this service signs nobody in by a browser")
	}
	of := string(o.Of)
	of = of[:min(len(of), maxID-len(twinMark)-26)]
	m = m.twin(ID(of+twinMark+strings.ToLower(rand.Text())), o.Redirect, o.JWKS)
	if err := m.check(); err != nil {
		return Twin{}, err
	}
	metadata, err := json.Marshal(m)
	if err != nil {
		return Twin{}, fmt.Errorf("encode twin of client %s: %w", o.Of, err)
	}
	until := r.d.Now().Add(twinLife).Truncate(time.Second)
	err = r.d.DB.Tx(ctx, func(ctx context.Context) error {
		if err := r.holdOriginal(ctx, o.Of); err != nil {
			return err
		}
		n, err := r.d.DB.Exec(ctx, `INSERT INTO client_twin (id, of_client, metadata, until) SELECT $1, $2, $3, $4
			WHERE (SELECT count(*) FROM client_twin WHERE of_client = $2 AND until > $5) < $6`,
			string(m.ClientID), string(o.Of), string(metadata), until.Unix(), r.d.Now().Unix(), maxTwins)
		if err != nil {
			return fmt.Errorf("store twin of client %s: %w", o.Of, err)
		}
		if n == 0 {
			return wrongState("there are ten twins of this service already: each is gone after an hour")
		}
		return nil
	})
	if err != nil {
		return Twin{}, err
	}
	return r.findTwin(ctx, m.ClientID)
}

// holdOriginal locks a client until the transaction ends, so that its twins are counted by one after the other.
func (r *Registry) holdOriginal(ctx context.Context, id ID) error {
	var status string
	err := r.d.DB.QueryRow(ctx, `UPDATE client SET status = status WHERE id = $1 RETURNING status`, string(id)).Scan(&status)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return notFound("there is no such client")
	case err != nil:
		return fmt.Errorf("hold client %s: %w", id, err)
	case status == statusSuspended || status == statusRetired:
		return wrongState("the client is " + status + ": nobody signs in to it, and to no twin of it")
	}
	return nil
}

// twin is the metadata of a twin.
func (m Metadata) twin(id ID, redirect string, jwks json.RawMessage) Metadata {
	m.ClientID = id
	m.ClientName = Text{JA: shortened("（テスト）"+m.ClientName.JA, maxName), EN: shortened("(test) "+m.ClientName.In("en"), maxName)}
	m.RedirectURIs, m.PostLogoutRedirectURIs, m.RequestURIs = []string{redirect}, nil, nil
	m.InitiateLoginURI, m.SectorIdentifierURI = "", ""
	m.BackchannelLogoutURI, m.BackchannelLogoutSessionRequired = "", false
	m.FrontchannelLogoutURI, m.FrontchannelLogoutSessionRequired, m.StatusListLogout = "", false, false
	m.Listed, m.FirstParty, m.Serves, m.Agency = false, false, nil, nil
	m.Verified, m.AcceptsProxies, m.Resources, m.DetailTypes = false, false, nil, nil
	m.ApplicationType = "web"
	if a, err := parseAddress(redirect); err == nil && a.loopback {
		m.Development = true
	}
	m.TokenEndpointAuthMethod, m.TokenEndpointAuthSigningAlg, m.TLS, m.CertificateBound = PrivateKeyJWT, "", TLSIdentity{}, false
	m.JWKS, m.JWKSURI, m.RequestObjectSigningAlg, m.RequireSignedRequestObject = jwks, "", "", false
	m.IDTokenEncryption, m.UserinfoEncryption = Encryption{}, Encryption{}
	m.GrantTypes = slices.DeleteFunc(slices.Clone(m.GrantTypes), func(g string) bool { return g != GrantAuthorizationCode && g != GrantRefreshToken })
	m.Scopes = slices.DeleteFunc(slices.Clone(m.Scopes), func(s string) bool { return !slices.Contains(citizenScopes(), s) || s == ScopeLinks })
	for scope := range m.Purposes {
		if !slices.Contains(m.Scopes, scope) {
			purposes := make(map[string]Text, len(m.Purposes))
			for s, t := range m.Purposes {
				if slices.Contains(m.Scopes, s) {
					purposes[s] = t
				}
			}
			m.Purposes = purposes
			break
		}
	}
	return m
}

// shortened cuts a text to so many characters.
func shortened(s string, most int) string {
	r := []rune(s)
	return strings.TrimSpace(string(r[:min(len(r), most)]))
}

// findTwin returns a twin whose hour is not over, and whose service nobody stopped.
func (r *Registry) findTwin(ctx context.Context, id ID) (Twin, error) {
	var metadata string
	var until int64
	err := r.d.DB.QueryRow(ctx, `SELECT t.metadata, t.until FROM client_twin t JOIN client c ON c.id = t.of_client
		WHERE t.id = $1 AND c.status NOT IN ($2, $3)`, string(id), statusSuspended, statusRetired).Scan(&metadata, &until)
	if errors.Is(err, sql.ErrNoRows) || err == nil && r.d.Now().Unix() >= until {
		return Twin{}, ErrUnknown
	}
	if err != nil {
		return Twin{}, fmt.Errorf("read twin %s: %w", id, err)
	}
	c, err := Candidate([]byte(metadata))
	if err != nil {
		return Twin{}, fmt.Errorf("read twin %s: %w", id, err)
	}
	return Twin{c, time.Unix(until, 0).UTC()}, nil
}

// OverTwins returns the ids of twins whose hour is over, a bounded number.
func (r *Registry) OverTwins(ctx context.Context) (out []ID, err error) {
	rows, err := r.d.DB.Query(ctx, `SELECT id FROM client_twin WHERE until <= $1 ORDER BY until LIMIT 100`, r.d.Now().Unix())
	if err != nil {
		return nil, fmt.Errorf("list twins: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var id ID
		if err := rows.Scan(&id); err != nil {
			return nil, fmt.Errorf("list twins: %w", err)
		}
		out = append(out, id)
	}
	return out, rows.Err()
}

// RemoveTwin forgets a twin.
func (r *Registry) RemoveTwin(ctx context.Context, id ID) error {
	if _, err := r.d.DB.Exec(ctx, `DELETE FROM client_twin WHERE id = $1`, string(id)); err != nil {
		return fmt.Errorf("remove twin %s: %w", id, err)
	}
	return nil
}

// Document returns the metadata of a client as it is written.
func (c *Client) Document() (json.RawMessage, error) { return json.Marshal(c.m) }
