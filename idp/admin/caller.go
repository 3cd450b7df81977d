package admin

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/clients/adminapi"
	"github.com/tsunagu-id/tsunagu/federation"
	"github.com/tsunagu-id/tsunagu/idp"
)

// caller is who calls: an operator, or with an empty id a person who signed in and is none.
type caller struct {
	id           string
	name         string
	roles        []adminapi.Role
	organisation string // empty: all
	suspended    bool
	account      federation.AccountID // empty: a program
	client       clients.ID           // that the call came through
}

// has says whether she has a role.
func (c caller) has(r adminapi.Role) bool { return slices.Contains(c.roles, r) }

// sees says whether an operator may look at what an organisation owns.
func (c caller) sees(organisation string) bool {
	return c.organisation == "" || c.organisation == organisation
}

// seenEvery is how exactly it is known when an operator was here last: not every call writes.
const seenEvery = time.Hour

// callerOf finds the operator behind a token: by the person it speaks for, or by the program it was given to.
func (o *operators) callerOf(ctx context.Context, who idp.AdminCaller) (caller, error) {
	where, arg := `account = $1`, string(who.Account)
	if who.Account == "" {
		where, arg = `client = $1`, string(who.Client)
	}
	row, found, err := o.find(ctx, where, arg)
	c := caller{account: who.Account, client: who.Client}
	if err != nil || !found {
		return c, err
	}
	c.id, c.name, c.roles, c.organisation, c.suspended = row.id, row.name, row.roles(), row.organisation, row.suspended
	if now := o.now(); !row.suspended && now.Sub(time.Unix(row.lastSeen, 0)) >= seenEvery {
		_, err = o.db.Exec(ctx, `UPDATE admin_operator SET last_seen = $2 WHERE id = $1 AND last_seen < $2`, row.id, now.Truncate(seenEvery).Unix())
	}
	return c, err
}

// rolesOf reads the words of a row. One that is not known any more gives nothing.
func rolesOf(words string) []adminapi.Role {
	var out []adminapi.Role
	for word := range strings.FieldsSeq(words) {
		if r := adminapi.Role(word); slices.Contains(adminapi.Roles(), r) {
			out = append(out, r)
		}
	}
	return out
}

// wordsOf is the opposite, in the order of adminapi.Roles.
func wordsOf(roles []adminapi.Role) string {
	var words []string
	for _, r := range adminapi.Roles() {
		if slices.Contains(roles, r) {
			words = append(words, string(r))
		}
	}
	return strings.Join(words, " ")
}
