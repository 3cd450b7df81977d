package idp

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/tsunagu-id/tsunagu/federation"
	"github.com/tsunagu-id/tsunagu/idp/passkey"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
	"github.com/tsunagu-id/tsunagu/keys"
)

// Bounds of a person's passkeys.
const (
	maxPasskeys     = 10
	maxOldPasskeys  = 10 // removed ones that their owner can still read of
	maxPasskeyName  = 40 // characters
	userHandleBytes = 32
)

// passkeys keeps passkeys, and by which handle authenticators know a person.
type passkeys struct {
	db     *sqldb.DB
	seal   *keys.Sealer
	digest func(purpose string, data []byte) [32]byte
	now    func() time.Time
}

// storedPasskey is a passkey as it is kept. Times are zero for what did not happen.
type storedPasskey struct {
	ID      string
	Account federation.AccountID
	Name    string
	Cred    passkey.Credential // the zero value once it has ended

	Made, Used, Suspect, Ended time.Time
}

func (k storedPasskey) usable() bool { return k.Ended.IsZero() && k.Suspect.IsZero() }

// passkeyPlace is what the sealed columns of a row are bound to.
func passkeyPlace(account federation.AccountID, id, column string) []byte {
	return []byte("passkey/1\x00" + string(account) + "\x00" + id + "\x00" + column)
}

func (k passkeys) credentialDigest(id []byte) []byte {
	d := k.digest("passkey credential", id)
	return d[:]
}

// handle returns the user handle of an account, and makes one the first time.
func (k passkeys) handle(ctx context.Context, id federation.AccountID) ([]byte, error) {
	made := make([]byte, userHandleBytes)
	_, _ = rand.Read(made) // cannot fail since Go 1.24
	if _, err := k.db.Exec(ctx, `INSERT INTO passkey_owner (account, handle) VALUES ($1, $2) ON CONFLICT (account) DO NOTHING`, string(id), made); err != nil {
		return nil, fmt.Errorf("make user handle: %w", err)
	}
	var handle []byte
	if err := k.db.QueryRow(ctx, `SELECT handle FROM passkey_owner WHERE account = $1`, string(id)).Scan(&handle); err != nil {
		return nil, fmt.Errorf("read user handle: %w", err)
	}
	return handle, nil
}

const passkeyColumns = `p.id, p.account, p.sealed, p.name, p.backup_eligible, p.backed_up, p.counter, p.made_at, p.used_at, p.suspect_at, p.ended_at`

func (k passkeys) scan(row interface{ Scan(...any) error }, more ...any) (storedPasskey, error) {
	var out storedPasskey
	var account string
	var sealed, name []byte
	var eligible, backed, counter, made int64
	var used, suspect, ended sql.NullInt64
	if err := row.Scan(append([]any{&out.ID, &account, &sealed, &name, &eligible, &backed, &counter, &made, &used, &suspect, &ended}, more...)...); err != nil {
		return out, err
	}
	out.Account = federation.AccountID(account)
	plain, err := k.seal.Open(name, passkeyPlace(out.Account, out.ID, "name"))
	if err != nil {
		return out, fmt.Errorf("name of passkey %s: %w", out.ID, err)
	}
	out.Name = string(plain)
	out.Made, out.Used, out.Suspect, out.Ended = time.Unix(made, 0), timeOf(used), timeOf(suspect), timeOf(ended)
	if !out.Ended.IsZero() {
		return out, nil
	}
	if plain, err = k.seal.Open(sealed, passkeyPlace(out.Account, out.ID, "credential")); err != nil {
		return out, fmt.Errorf("credential of passkey %s: %w", out.ID, err)
	}
	cred, err := passkey.UnmarshalCredential(plain)
	if err != nil {
		return out, err
	}
	out.Cred = cred.Stored(eligible == 1, backed == 1, uint32(counter)) //nolint:gosec // written from a uint32
	return out, nil
}

func timeOf(seconds sql.NullInt64) time.Time {
	if !seconds.Valid {
		return time.Time{}
	}
	return time.Unix(seconds.Int64, 0)
}

// byCredential finds a passkey by what the authenticator calls it, with the user handle of its owner; or reports passkey.Unknown. One
// that is suspect is found.
func (k passkeys) byCredential(ctx context.Context, id []byte) (storedPasskey, []byte, error) {
	var handle []byte
	found, err := k.scan(k.db.QueryRow(ctx, `SELECT `+passkeyColumns+`, o.handle FROM passkey p JOIN passkey_owner o ON o.account = p.account
		WHERE p.credential = $1 AND p.ended_at IS NULL`, k.credentialDigest(id)), &handle)
	if errors.Is(err, sql.ErrNoRows) {
		return found, nil, &passkey.Error{Reason: passkey.Unknown, Detail: "no such credential"}
	}
	return found, handle, err
}

// of returns a person's passkeys, removed ones too, the newest first.
func (k passkeys) of(ctx context.Context, id federation.AccountID) ([]storedPasskey, error) {
	rows, err := k.db.Query(ctx, `SELECT `+passkeyColumns+` FROM passkey p WHERE p.account = $1
		ORDER BY COALESCE(p.ended_at, p.made_at) DESC, p.id LIMIT 50`, string(id))
	if err != nil {
		return nil, fmt.Errorf("read passkeys: %w", err)
	}
	defer rows.Close()
	var out []storedPasskey
	for rows.Next() {
		one, err := k.scan(rows)
		if err != nil {
			return nil, fmt.Errorf("read passkeys: %w", err)
		}
		out = append(out, one)
	}
	return out, rows.Err()
}

// add stores a new passkey, made in a session of a card, or reports passkey.TooMany or passkey.AlreadyThere; whose the credential is in the
// latter case it does not look. then runs in the transaction.
func (k passkeys) add(ctx context.Context, s *session, c passkey.Credential, name string, then func(ctx context.Context, id string) error) error {
	id, account, now := newID(), s.Account, k.now().Unix()
	plain, err := c.MarshalBinary()
	if err != nil {
		return fmt.Errorf("encode passkey: %w", err)
	}
	eligible, backed := c.Synced()
	return k.db.Tx(ctx, func(ctx context.Context) error {
		a := accounts{db: k.db, now: k.now}
		if err := a.lock(ctx, account); err != nil {
			return fmt.Errorf("lock account: %w", err)
		}
		if stand, err := a.footing(ctx, account, s.Card); err != nil {
			return fmt.Errorf("session of passkey: %w", err)
		} else if stand.over(s.Created) {
			return &passkey.Error{Reason: passkey.ChallengeSpent, Detail: "the session is over, or its card was taken back"}
		}
		var have int
		if err := k.db.QueryRow(ctx, `SELECT COUNT(*) FROM passkey WHERE account = $1 AND ended_at IS NULL`, string(account)).Scan(&have); err != nil {
			return fmt.Errorf("count passkeys: %w", err)
		}
		if have >= maxPasskeys {
			return &passkey.Error{Reason: passkey.TooMany, Detail: "as many as an account may have"}
		}
		n, err := k.db.Exec(ctx, `INSERT INTO passkey (id, account, credential, sealed, name, backup_eligible, backed_up, counter, made_at, issuer_key, serial)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (credential) DO NOTHING`,
			id, string(account), k.credentialDigest(c.ID()), k.seal.Seal(plain, passkeyPlace(account, id, "credential")),
			k.seal.Seal([]byte(name), passkeyPlace(account, id, "name")), number(eligible), number(backed), int64(c.Counter()), now,
			s.Card.IssuerKey, s.Card.serial())
		if err != nil {
			return fmt.Errorf("insert passkey: %w", err)
		}
		if n == 0 {
			return &passkey.Error{Reason: passkey.AlreadyThere, Detail: "credential registered before"}
		}
		return then(ctx, id)
	})
}

func number(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// used notes that a passkey was used. The counter goes on from the one that was judged, or not at all: of two uses at once the one that
// finds it moved judges again, and one that has been overtaken is refused, but says nothing of a copy.
func (k passkeys) used(ctx context.Context, p storedPasskey, u passkey.Use) error {
	before := int64(p.Cred.Counter())
	for range 8 {
		n, err := k.db.Exec(ctx, `UPDATE passkey SET counter = $3, backed_up = $4, used_at = $5
			WHERE id = $1 AND counter = $2 AND ended_at IS NULL AND suspect_at IS NULL`, p.ID, before, int64(u.Counter), number(u.BackedUp), k.now().Unix())
		if err != nil {
			return fmt.Errorf("note use of passkey: %w", err)
		}
		if n == 1 {
			return nil
		}
		var suspect, ended sql.NullInt64
		if err := k.db.QueryRow(ctx, `SELECT counter, suspect_at, ended_at FROM passkey WHERE id = $1`, p.ID).Scan(&before, &suspect, &ended); err != nil {
			return fmt.Errorf("read counter of passkey: %w", err)
		}
		switch {
		case ended.Valid:
			return &passkey.Error{Reason: passkey.Unknown, Detail: "removed meanwhile"}
		case suspect.Valid:
			return &passkey.Error{Reason: passkey.Cloned, Detail: "found suspect meanwhile"}
		case int64(u.Counter) <= before && before != 0:
			return &passkey.Error{Reason: passkey.ChallengeSpent, Detail: "overtaken by a later use"}
		}
	}
	return fmt.Errorf("counter of passkey %s moves too fast", p.ID)
}

// stands says whether a session that the passkey made may go on.
func (k passkeys) stands(ctx context.Context, id string) (bool, error) {
	var one int
	err := k.db.QueryRow(ctx, `SELECT 1 FROM passkey WHERE id = $1 AND ended_at IS NULL AND suspect_at IS NULL`, id).Scan(&one)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

// rename changes the name that its owner reads, and says whether the passkey was there.
func (k passkeys) rename(ctx context.Context, account federation.AccountID, id, name string, then func(context.Context) error) (bool, error) {
	there := false
	err := k.db.Tx(ctx, func(ctx context.Context) error {
		n, err := k.db.Exec(ctx, `UPDATE passkey SET name = $3 WHERE id = $1 AND account = $2 AND ended_at IS NULL`,
			id, string(account), k.seal.Seal([]byte(name), passkeyPlace(account, id, "name")))
		if there = n == 1; err != nil || !there {
			return err
		}
		return then(ctx)
	})
	if err != nil {
		return false, fmt.Errorf("rename passkey: %w", err)
	}
	return there, nil
}

// cut ends a passkey, or for suspicion stops it, and reports false if somebody did so before. Of a removed one only what its owner may
// want to read is kept, and of those the latest.
func (k passkeys) cut(ctx context.Context, account federation.AccountID, id string, suspicion bool) (first bool, err error) {
	now := k.now().Unix()
	if suspicion {
		n, err := k.db.Exec(ctx, `UPDATE passkey SET suspect_at = $3 WHERE id = $1 AND account = $2 AND suspect_at IS NULL AND ended_at IS NULL`, id, string(account), now)
		return n == 1, err
	}
	empty := []byte{}
	n, err := k.db.Exec(ctx, `UPDATE passkey SET ended_at = $3, sealed = $4 WHERE id = $1 AND account = $2 AND ended_at IS NULL`, id, string(account), now, empty)
	if err != nil || n == 0 {
		return false, err
	}
	_, err = k.db.Exec(ctx, `DELETE FROM passkey WHERE account = $1 AND ended_at IS NOT NULL AND id NOT IN
		(SELECT id FROM passkey WHERE account = $1 AND ended_at IS NOT NULL ORDER BY ended_at DESC, id LIMIT $2)`, string(account), maxOldPasskeys)
	return true, err
}

// addedWith names the passkeys that were added with a card, and are not removed.
func (k passkeys) addedWith(ctx context.Context, account federation.AccountID, card cardRef) ([]string, error) {
	return k.ids(ctx, `SELECT id FROM passkey WHERE account = $1 AND issuer_key = $2 AND serial = $3 AND ended_at IS NULL`,
		string(account), card.IssuerKey, card.serial())
}

// distrust ends the passkeys that were added with a card, and names them. What they made is over too, also what a removed one made.
func (k passkeys) distrust(ctx context.Context, account federation.AccountID, card cardRef) ([]string, error) {
	now := k.now().Unix()
	if _, err := k.db.Exec(ctx, `UPDATE passkey SET suspect_at = $4 WHERE account = $1 AND issuer_key = $2 AND serial = $3 AND suspect_at IS NULL`,
		string(account), card.IssuerKey, card.serial(), now); err != nil {
		return nil, fmt.Errorf("distrust passkeys: %w", err)
	}
	return k.ids(ctx, `UPDATE passkey SET ended_at = $4, sealed = $5 WHERE account = $1 AND issuer_key = $2 AND serial = $3 AND ended_at IS NULL
		RETURNING id`, string(account), card.IssuerKey, card.serial(), now, []byte{})
}

func (k passkeys) ids(ctx context.Context, query string, args ...any) (out []string, err error) {
	rows, err := k.db.Query(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("passkeys of card: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, fmt.Errorf("passkeys of card: %w", err)
		}
		out = append(out, id)
	}
	return out, rows.Err()
}

// trusted says whether what a passkey made in its owner's absence may go on: also of a removed one, and of none that there may be a copy of,
// or that was added with a card in wrong hands.
func (k passkeys) trusted(ctx context.Context, id string) (bool, error) {
	var one int
	err := k.db.QueryRow(ctx, `SELECT 1 FROM passkey WHERE id = $1 AND suspect_at IS NULL`, id).Scan(&one)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}
