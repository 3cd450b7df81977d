package idp

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/tsunagu-id/tsunagu/cardauth/ades"
	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/federation"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
	"github.com/tsunagu-id/tsunagu/keys"
)

// signatureLife is how long a service may take to fetch a signature. After that it is deleted: the hub is not where contracts are kept.
const signatureLife = 7 * 24 * time.Hour

// signatures keeps what citizens signed until the service has had time to fetch it. It holds their certificates, sealed.
type signatures struct {
	db   *sqldb.DB
	seal *keys.Sealer
	now  func() time.Time
}

// signatureRecord is whose signature it is, and for whom.
type signatureRecord struct {
	ID      string
	Account federation.AccountID
	Client  clients.ID
	Made    int64 // Unix seconds
	Expires int64
}

// signatureResult is the signature in both forms.
type signatureResult struct {
	Document ades.Document `json:"document"`
	JWS      string        `json:"jws"`
	CMS      []byte        `json:"cms"`
	SignedAt int64         `json:"signed_at"`
	Source   string        `json:"source"` // of the revocation answer: ocsp or crl
	Produced int64         `json:"produced"`
}

var errNoSignature = errors.New("no such signature")

// place binds a sealed result to its row, account and client.
func (r signatureRecord) place() []byte {
	return []byte("signature/1\x00" + r.ID + "\x00" + string(r.Account) + "\x00" + string(r.Client))
}

// keep stores a signature and a line of the citizen's list, and deletes those whose time is over. then runs in the same transaction.
func (s signatures) keep(ctx context.Context, r signatureRecord, result signatureResult, then func(context.Context) error) error {
	plain, err := json.Marshal(result)
	if err != nil {
		return fmt.Errorf("encode signature: %w", err)
	}
	now := s.now()
	return s.db.Tx(ctx, func(ctx context.Context) error {
		if _, err := s.db.Exec(ctx, `DELETE FROM signature WHERE expires <= $1`, now.Unix()); err != nil {
			return fmt.Errorf("delete old signatures: %w", err)
		}
		if _, err := s.db.Exec(ctx, `INSERT INTO signature (id, account, client, made_at, expires, result) VALUES ($1, $2, $3, $4, $5, $6)`,
			r.ID, string(r.Account), string(r.Client), now.Unix(), now.Add(signatureLife).Unix(), s.seal.Seal(plain, r.place())); err != nil {
			return fmt.Errorf("store signature: %w", err)
		}
		if err := s.remember(ctx, r, result.Document.Name); err != nil {
			return err
		}
		return then(ctx)
	})
}

// get returns a signature made for a client, and in whose name, or errNoSignature.
func (s signatures) get(ctx context.Context, id string, client clients.ID) (federation.AccountID, signatureResult, error) {
	var out signatureResult
	var account federation.AccountID
	var sealed []byte
	err := s.db.QueryRow(ctx, `SELECT account, result FROM signature WHERE id = $1 AND client = $2 AND expires > $3`,
		id, string(client), s.now().Unix()).Scan(&account, &sealed)
	if errors.Is(err, sql.ErrNoRows) {
		return "", out, errNoSignature
	}
	if err != nil {
		return "", out, fmt.Errorf("read signature: %w", err)
	}
	plain, err := s.seal.Open(sealed, signatureRecord{ID: id, Account: account, Client: client}.place())
	if err != nil {
		return "", out, fmt.Errorf("open signature: %w", err)
	}
	if err := json.Unmarshal(plain, &out); err != nil {
		return "", out, fmt.Errorf("decode signature: %w", err)
	}
	return account, out, nil
}
