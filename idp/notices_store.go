package idp

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/tsunagu-id/tsunagu/federation"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
	"github.com/tsunagu-id/tsunagu/keys"
)

const (
	noticeLife   = 90 * 24 * time.Hour  // of a notice
	evidenceLife = 180 * 24 * time.Hour // of one that was disowned, with what is kept of the session
	maxNotices   = 200                  // of one person; the oldest go, those with a link not within linkLife
	linkLife     = 24 * time.Hour       // exceeds that of a session
	noticePage   = 20
)

// notices keeps what citizens are told, where, and what is on its way.
type notices struct {
	db     *sqldb.DB
	seal   *keys.Sealer
	digest func(purpose string, data []byte) [32]byte
	now    func() time.Time
}

func (n notices) insert(ctx context.Context, one notice) error {
	facts, err := n.sealFacts(one)
	if err != nil {
		return err
	}
	name := ""
	if one.Linked {
		name = digest(n.nameOf(one.ID))
	}
	_, err = n.db.Exec(ctx, `INSERT INTO notice (id, account, word, client, session, created_ms, facts, name) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		one.ID, string(one.Account), one.Word, string(one.Client), one.Session, one.Created.UnixMilli(), facts, name)
	return err
}

// forget deletes what has grown old, a bounded part of everybody's, and what is too much of one person's. A link is good for a day at least:
// otherwise a stranger could make it useless by signing in often.
func (n notices) forget(ctx context.Context, account federation.AccountID, now time.Time) error {
	if _, err := n.db.Exec(ctx, `DELETE FROM notice WHERE id IN (SELECT id FROM notice
		WHERE created_ms <= $1 AND (disowned_at IS NULL OR disowned_at <= $2) ORDER BY created_ms LIMIT 100)`,
		now.Add(-noticeLife).UnixMilli(), now.Add(-evidenceLife).Unix()); err != nil {
		return err
	}
	_, err := n.db.Exec(ctx, `DELETE FROM notice WHERE account = $1 AND disowned_at IS NULL AND (name = '' OR created_ms <= $3) AND id NOT IN
		(SELECT id FROM notice WHERE account = $1 ORDER BY created_ms DESC, id LIMIT $2)`, string(account), maxNotices, now.Add(-linkLife).UnixMilli())
	return err
}

// noticeColumns are what scanNotice reads.
const noticeColumns = `n.id, n.account, n.word, n.client, n.session, n.created_ms, n.seen, n.facts, n.name, n.disowned_at, n.evidence`

func (n notices) scan(row interface{ Scan(...any) error }) (notice, error) {
	var one notice
	var created, seen int64
	var facts, evidence []byte
	var name string
	var disowned sql.NullInt64
	if err := row.Scan(&one.ID, &one.Account, &one.Word, &one.Client, &one.Session, &created, &seen, &facts, &name, &disowned, &evidence); err != nil {
		return one, err
	}
	one.Created, one.Seen, one.Linked = time.UnixMilli(created), seen != 0, name != ""
	if disowned.Valid {
		one.Disowned = time.Unix(disowned.Int64, 0)
	}
	plain, err := n.seal.Open(facts, one.place("notice-facts/1"))
	if err == nil {
		err = json.Unmarshal(plain, &one.Facts)
	}
	if err != nil {
		return one, fmt.Errorf("open notice: %w", err)
	}
	if len(evidence) > 0 {
		if plain, err = n.seal.Open(evidence, one.place("notice-evidence/1")); err == nil {
			err = json.Unmarshal(plain, &one.Evidence)
		}
		if err != nil {
			return one, fmt.Errorf("open evidence: %w", err)
		}
	}
	return one, nil
}

func (n notices) query(ctx context.Context, rest string, args ...any) (out []notice, err error) {
	rows, err := n.db.Query(ctx, `SELECT `+noticeColumns+` FROM notice n `+rest, args...)
	if err != nil {
		return nil, fmt.Errorf("read notices: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		one, err := n.scan(rows)
		if err != nil {
			return nil, fmt.Errorf("read notices: %w", err)
		}
		out = append(out, one)
	}
	return out, rows.Err()
}

// latest returns a person's newest notices, newest first.
func (n notices) latest(ctx context.Context, account federation.AccountID) ([]notice, error) {
	return n.query(ctx, `WHERE n.account = $1 ORDER BY n.created_ms DESC, n.id LIMIT $2`, string(account), noticePage)
}

// unread counts what a person has not said she read.
func (n notices) unread(ctx context.Context, account federation.AccountID) (count int, err error) {
	err = n.db.QueryRow(ctx, `SELECT count(*) FROM notice WHERE account = $1 AND seen = 0`, string(account)).Scan(&count)
	return count, err
}

// read notes that a person has read everything up to a time, so that what came while she read stays unread.
func (n notices) read(ctx context.Context, account federation.AccountID, until int64) error {
	_, err := n.db.Exec(ctx, `UPDATE notice SET seen = 1 WHERE account = $1 AND seen = 0 AND created_ms <= $2`, string(account), until)
	return err
}

// named returns the notice that a link names, or nil.
func (n notices) named(ctx context.Context, name string) (*notice, error) {
	if !isBase64URL(name, 43) {
		return nil, nil
	}
	found, err := n.query(ctx, `WHERE n.name = $1 AND n.name <> ''`, digest(name))
	if err != nil || len(found) == 0 {
		return nil, err
	}
	one := found[0]
	if now := n.now(); one.Disowned.IsZero() && now.Sub(one.Created) >= noticeLife || !one.Disowned.IsZero() && now.Sub(one.Disowned) >= evidenceLife {
		return nil, nil
	}
	return &one, nil
}
