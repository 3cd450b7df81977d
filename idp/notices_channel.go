package idp

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tsunagu-id/tsunagu/federation"
)

// via is a way to tell somebody.
type via string

// The ways.
const (
	viaMail    via = "mail"
	viaWebhook via = "webhook"
)

func parseVia(s string) (via, bool) {
	v := via(s)
	return v, v == viaMail || v == viaWebhook
}

// letterSort is what a letter is for.
type letterSort string

// The sorts.
const (
	letterNotices letterSort = "notices"
	letterConfirm letterSort = "confirm" // to an address that nobody has confirmed
	letterChanged letterSort = "changed" // to an address that is used no more
)

const (
	confirmLife = 24 * time.Hour // of the link to an unconfirmed address
	// letterSettle is how long a letter waits for more: a first visit to a service signs in, agrees and links within moments.
	letterSettle = 2 * time.Second
	// letterGap is between two letters to one address, on the whole: letterBurst may go at once, so that what is urgent seldom waits, and
	// nine in an hour at most, however much happens.
	letterGap   = 10 * time.Minute
	letterBurst = 3
)

// channel is one address of a citizen.
type channel struct {
	ID      string
	Account federation.AccountID
	Via     via
	Live    bool
	Address string
	Kinds   []noticeKind
	Lang    string
	Made    time.Time
	full    int64 // when as many letters may go at once as at first; Unix milliseconds
}

func (c channel) place() []byte {
	return []byte("notice-channel/1\x00" + c.ID + "\x00" + string(c.Account) + "\x00" + string(c.Via))
}

func letterPlace(id string) []byte { return []byte("notice-letter/1\x00" + id) }

// channels returns the addresses of a person, which are at most two of each way: the one in use and the one to be confirmed.
func (n notices) channels(ctx context.Context, account federation.AccountID) ([]channel, error) {
	return n.listChannels(ctx, `SELECT id, account, via, live, address, kinds, lang, made_at, full_ms FROM notice_channel WHERE account = $1 ORDER BY via, live`, string(account))
}

func (n notices) listChannels(ctx context.Context, query string, args ...any) (out []channel, err error) {
	rows, err := n.db.Query(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("read notice channels: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var c channel
		var live, made int64
		var sealed []byte
		var kinds string
		if err := rows.Scan(&c.ID, &c.Account, &c.Via, &live, &sealed, &kinds, &c.Lang, &made, &c.full); err != nil {
			return nil, fmt.Errorf("read notice channels: %w", err)
		}
		plain, err := n.seal.Open(sealed, c.place())
		if err != nil {
			return nil, fmt.Errorf("open notice channel: %w", err)
		}
		c.Live, c.Address, c.Kinds, c.Made = live != 0, string(plain), parseKinds(strings.Fields(kinds)), time.Unix(made, 0)
		out = append(out, c)
	}
	return out, rows.Err()
}

// propose stores an address to be confirmed, in place of one that waits, and promises a letter to it. An address that is in use already only
// changes what is told there, and in which language. changed runs in the transaction if it is no longer told of the same.
func (n notices) propose(ctx context.Context, c channel, changed func(context.Context) error) error {
	return n.db.Tx(ctx, func(ctx context.Context) error {
		if err := n.lock(ctx, c.Account); err != nil {
			return err
		}
		own, err := n.channels(ctx, c.Account)
		if err != nil {
			return err
		}
		for _, old := range own {
			switch {
			case old.Via != c.Via:
			case old.Live && old.Address == c.Address:
				if _, err := n.db.Exec(ctx, `UPDATE notice_channel SET kinds = $1, lang = $2 WHERE id = $3`, kindText(c.Kinds), c.Lang, old.ID); err != nil {
					return fmt.Errorf("change notice channel: %w", err)
				}
				if slices.Equal(old.Kinds, c.Kinds) {
					return nil
				}
				return changed(ctx)
			case !old.Live:
				if err := n.drop(ctx, old); err != nil {
					return err
				}
			}
		}
		c.ID, c.Made = newID(), n.now()
		if _, err := n.db.Exec(ctx, `INSERT INTO notice_channel (id, account, via, address, kinds, lang, made_at) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
			c.ID, string(c.Account), string(c.Via), n.seal.Seal([]byte(c.Address), c.place()), kindText(c.Kinds), c.Lang, c.Made.Unix()); err != nil {
			return fmt.Errorf("store notice channel: %w", err)
		}
		_, err = n.letter(ctx, c, letterConfirm, "pending", c.Made)
		return err
	})
}

// lock makes changes of one person's settings take turns.
func (n notices) lock(ctx context.Context, account federation.AccountID) error {
	_, err := n.db.Exec(ctx, `UPDATE account SET known_ms = known_ms WHERE id = $1`, string(account))
	return err
}

// drop forgets an address that nobody confirmed, with what is on its way to it. The address comes first, as in post and claim.
func (n notices) drop(ctx context.Context, c channel) error {
	for _, q := range []string{
		`DELETE FROM notice_channel WHERE id = $1`,
		`DELETE FROM notice_letter WHERE channel = $1`,
	} {
		if _, err := n.db.Exec(ctx, q, c.ID); err != nil {
			return fmt.Errorf("drop notice channel: %w", err)
		}
	}
	return nil
}

// errNotWaiting: no address of the person waits for this confirmation; it was confirmed before, replaced, or the time is over.
var errNotWaiting = errors.New("no address waits for this")

// waitingFor returns the address of a person that a link confirms.
func (n notices) waitingFor(ctx context.Context, account federation.AccountID, proof string) (channel, error) {
	own, err := n.channels(ctx, account)
	if err != nil {
		return channel{}, err
	}
	i := slices.IndexFunc(own, func(c channel) bool {
		return !c.Live && subtle.ConstantTimeCompare([]byte(n.proofOf(c.ID)), []byte(proof)) == 1 && n.now().Sub(c.Made) < confirmLife
	})
	if i < 0 {
		return channel{}, errNotWaiting
	}
	return own[i], nil
}

// confirm puts the address that a link names to use, once. The address it replaces is told so, and forgotten. then runs in the transaction.
func (n notices) confirm(ctx context.Context, account federation.AccountID, proof string, then func(context.Context, channel) error) error {
	return n.db.Tx(ctx, func(ctx context.Context) error {
		if err := n.lock(ctx, account); err != nil {
			return err
		}
		c, err := n.waitingFor(ctx, account, proof)
		if err != nil {
			return err
		}
		own, err := n.channels(ctx, account)
		if err != nil {
			return err
		}
		for _, old := range own {
			if old.Live && old.Via == c.Via {
				if err := n.farewell(ctx, old); err != nil {
					return err
				}
			}
		}
		if _, err := n.db.Exec(ctx, `UPDATE notice_channel SET live = 1 WHERE id = $1`, c.ID); err != nil {
			return fmt.Errorf("confirm notice channel: %w", err)
		}
		return then(ctx, c)
	})
}

// stop forgets the addresses of one way. One that was in use is told so. then runs in the transaction if one was.
func (n notices) stop(ctx context.Context, account federation.AccountID, v via, then func(context.Context) error) error {
	return n.db.Tx(ctx, func(ctx context.Context) error {
		if err := n.lock(ctx, account); err != nil {
			return err
		}
		own, err := n.channels(ctx, account)
		if err != nil {
			return err
		}
		used := false
		for _, c := range own {
			switch {
			case c.Via != v:
				continue
			case c.Live:
				used, err = true, n.farewell(ctx, c)
			default:
				err = n.drop(ctx, c)
			}
			if err != nil {
				return err
			}
		}
		if !used {
			return nil
		}
		return then(ctx)
	})
}

// farewell drops an address that was in use, and promises it one last letter. What it was to be told goes at once: whoever drops the
// address may be whom the letter tells of.
func (n notices) farewell(ctx context.Context, c channel) error {
	if _, err := n.db.Exec(ctx, `DELETE FROM notice_channel WHERE id = $1`, c.ID); err != nil {
		return fmt.Errorf("drop notice channel: %w", err)
	}
	if _, err := n.db.Exec(ctx, `UPDATE notice_letter SET state = 'pending', next_ms = $2 WHERE channel = $1 AND state = 'open'`, c.ID, n.now().UnixMilli()); err != nil {
		return fmt.Errorf("hurry letter: %w", err)
	}
	c.ID = ""
	_, err := n.letter(ctx, c, letterChanged, "pending", n.now())
	return err
}
