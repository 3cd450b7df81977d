package admin

import (
	"context"
	"crypto/rand"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/tsunagu-id/tsunagu/clients/adminapi"
	"github.com/tsunagu-id/tsunagu/internal/audit"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
)

//go:embed migrations/*.sql
var migrations embed.FS

func migrate(ctx context.Context, db *sqldb.DB) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	return db.Migrate(ctx, "admin", files)
}

// operators keeps who works here.
type operators struct {
	db    *sqldb.DB
	audit *audit.Log
	now   func() time.Time
}

// What happens to operators. Actor is the operator who did it, or byHand; facts name the one it was done to.
const (
	eventInvited audit.Kind = "operator.invited"
	eventJoined  audit.Kind = "operator.joined"
	eventChanged audit.Kind = "operator.changed"
)

// byHand is the actor of what was done at the database itself.
const byHand = "hubctl"

type operatorRow struct {
	id, name, words, organisation string
	account, client               sql.NullString
	suspended                     bool
	codeUntil, since, lastSeen    int64
}

func (r operatorRow) roles() []adminapi.Role { return rolesOf(r.words) }

// joined says whether somebody is behind it.
func (r operatorRow) joined() bool { return r.account.Valid || r.client.Valid }

// shown is the row on the wire.
func (r operatorRow) shown() adminapi.Operator {
	o := adminapi.Operator{
		ID: r.id, Name: r.name, Roles: r.roles(), Organisation: r.organisation, Client: r.client.String, Suspended: r.suspended,
		Since: time.Unix(r.since, 0).UTC(),
	}
	if r.lastSeen > 0 {
		o.LastSeen = time.Unix(r.lastSeen, 0).UTC()
	}
	if !r.joined() {
		o.InvitedUntil = time.Unix(r.codeUntil, 0).UTC()
	}
	return o
}

const selectOperator = `SELECT id, name, roles, organisation, account, client, suspended, code_until, since, last_seen FROM admin_operator`

func (r *operatorRow) scan(scan func(...any) error) error {
	return scan(&r.id, &r.name, &r.words, &r.organisation, &r.account, &r.client, &r.suspended, &r.codeUntil, &r.since, &r.lastSeen)
}

// find reads the operator of a condition with one argument.
func (o *operators) find(ctx context.Context, where string, arg any) (r operatorRow, found bool, err error) {
	err = r.scan(o.db.QueryRow(ctx, selectOperator+` WHERE `+where, arg).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return r, false, nil
	}
	if err != nil {
		return r, false, fmt.Errorf("read operator: %w", err)
	}
	return r, true, nil
}

// list reads a page in the order of ids, one more than limit if there is more.
func (o *operators) list(ctx context.Context, organisation, after string, limit int) (out []operatorRow, err error) {
	rows, err := o.db.Query(ctx, selectOperator+` WHERE id > $1 AND ($2 = '' OR organisation = $2) ORDER BY id LIMIT $3`, after, organisation, limit+1)
	if err != nil {
		return nil, fmt.Errorf("list operators: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var r operatorRow
		if err := r.scan(rows.Scan); err != nil {
			return nil, fmt.Errorf("list operators: %w", err)
		}
		out = append(out, r)
	}
	return out, rows.Err()
}

// names returns what the operators of some ids are called. An id that is no operator's, such as seed, has no name.
func (o *operators) names(ctx context.Context, ids []string) (map[string]string, error) {
	out := make(map[string]string)
	for _, id := range ids {
		if _, known := out[id]; known || id == "" {
			continue
		}
		r, found, err := o.find(ctx, `id = $1`, id)
		if err != nil {
			return nil, err
		}
		if found {
			out[id] = r.name
		}
	}
	return out, nil
}

// alone runs fn in a transaction that no other change of operators runs beside.
func (o *operators) alone(ctx context.Context, fn func(context.Context) error) error {
	return o.db.Tx(ctx, func(ctx context.Context) error {
		if _, err := o.db.Exec(ctx, `UPDATE admin_lock SET turns = turns + 1 WHERE id = 1`); err != nil {
			return fmt.Errorf("lock operators: %w", err)
		}
		return fn(ctx)
	})
}

// insert stores a new operator; codes and clients of others are refused by the table.
func (o *operators) insert(ctx context.Context, r operatorRow, code []byte) error {
	_, err := o.db.Exec(ctx, `INSERT INTO admin_operator
		(id, name, roles, organisation, account, client, suspended, code, code_until, since, last_seen)
		VALUES ($1, $2, $3, $4, NULL, $5, FALSE, $6, $7, $8, 0)`,
		r.id, r.name, r.words, r.organisation, r.client, code, r.codeUntil, r.since)
	if err != nil {
		return fmt.Errorf("store operator: %w", err)
	}
	return nil
}

// newOperatorID draws one.
func newOperatorID() string { return "op-" + strings.ToLower(rand.Text()[:16]) }
