package idp

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tsunagu-id/tsunagu/federation"
	"github.com/tsunagu-id/tsunagu/internal/audit"
)

// lookWay is how an operator came to a person, from a closed set.
type lookWay string

const (
	lookByNumber  lookWay = "number"  // on a page that she saw
	lookBySubject lookWay = "subject" // a service's name for her
	lookInAudit   lookWay = "audit"   // the rows of the audit log that are about her
	lookToEnd     lookWay = "end"     // all her sessions were ended
)

// supportLook is one time that an operator looked at what the hub has of a person.
type supportLook struct {
	ID       string
	Account  federation.AccountID
	At       time.Time
	Operator string
	Role     string
	Way      lookWay
	Why      string // in the operator's words
}

func (l supportLook) place() []byte {
	return []byte("support-look/1\x00" + l.ID + "\x00" + string(l.Account))
}

// looked writes a look with its audit event, which makes the notice, in one transaction. The end of sessions has an event of its own.
func (p *Provider) looked(ctx context.Context, l supportLook, client string) (supportLook, error) {
	l.ID, l.At = newID(), p.now()
	err := p.db.Tx(context.WithoutCancel(ctx), func(ctx context.Context) error {
		_, err := p.db.Exec(ctx, `INSERT INTO support_look (id, account, at_ms, operator, role, way, why) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
			l.ID, string(l.Account), l.At.UnixMilli(), l.Operator, l.Role, string(l.Way), p.sealer.Seal([]byte(l.Why), l.place()))
		if err != nil {
			return fmt.Errorf("store look: %w", err)
		}
		_, err = p.db.Exec(ctx, `DELETE FROM support_look WHERE account = $1 AND at_ms < $2`, string(l.Account), l.At.Add(-lookLife).UnixMilli())
		if err != nil {
			return fmt.Errorf("forget old looks: %w", err)
		}
		if l.Way == lookToEnd {
			return nil
		}
		return p.record(ctx, audit.Event{Kind: eventLooked, Account: string(l.Account), Client: client, Actor: l.Operator, Facts: map[string]string{
			"role": l.Role, "way": string(l.Way), "look": l.ID,
		}})
	})
	return l, err
}

// lookedLately reports whether her list has it already, of the last hour, that an operator read the audit log of her. The list itself decides: a look
// that was not written is written the next time.
func (p *Provider) lookedLately(ctx context.Context, operator, account string) (bool, error) {
	var n int
	err := p.db.QueryRow(ctx, `SELECT count(*) FROM support_look WHERE account = $1 AND operator = $2 AND way = $3 AND at_ms > $4`,
		account, operator, string(lookInAudit), p.now().Add(-time.Hour).UnixMilli()).Scan(&n)
	if err != nil {
		return false, fmt.Errorf("read looks: %w", err)
	}
	return n > 0, nil
}

// looksShown is how many looks the account page has, the newest.
const looksShown = 50

// looks returns the latest looks at a person, newest first.
func (p *Provider) looks(ctx context.Context, account federation.AccountID) (out []supportLook, err error) {
	rows, err := p.db.Query(ctx, `SELECT id, account, at_ms, operator, role, way, why FROM support_look WHERE account = $1 AND at_ms >= $2
		ORDER BY at_ms DESC, id LIMIT $3`, string(account), p.now().Add(-lookLife).UnixMilli(), looksShown)
	if err != nil {
		return nil, fmt.Errorf("read looks: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var l supportLook
		var at int64
		var why []byte
		if err := rows.Scan(&l.ID, &l.Account, &at, &l.Operator, &l.Role, &l.Way, &why); err != nil {
			return nil, fmt.Errorf("read looks: %w", err)
		}
		l.At = time.UnixMilli(at)
		plain, err := p.sealer.Open(why, l.place())
		if err != nil {
			return nil, fmt.Errorf("open look: %w", err)
		}
		l.Why = string(plain)
		out = append(out, l)
	}
	return out, rows.Err()
}

// lookView is a look as the person reads it.
type lookView struct {
	At   time.Time
	Role string // message key
	Way  string // message key
	Why  string
}

func (p *Provider) lookViews(ctx context.Context, account federation.AccountID) ([]lookView, error) {
	all, err := p.looks(ctx, account)
	if err != nil {
		return nil, err
	}
	views := make([]lookView, len(all))
	for i, l := range all {
		views[i] = lookView{At: l.At, Role: roleKey(l.Role), Way: "account.looks.way." + string(l.Way), Why: l.Why}
	}
	return views, nil
}

// roleKey is the message that names an operator's role.
func roleKey(role string) string {
	switch role {
	case "security", "approver", "editor", "viewer":
		return "role." + role
	}
	return "role.operator"
}
