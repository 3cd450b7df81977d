package admin

import (
	"context"
	"fmt"
	"time"

	"github.com/tsunagu-id/tsunagu/clients/adminapi"
	"github.com/tsunagu-id/tsunagu/internal/ratelimit"
)

// joinRule bounds how often one person may type a code.
var joinRule = ratelimit.Rule{Name: "operator-join", Limit: 10, Window: 10 * time.Minute}

func (a *API) postJoin(ctx context.Context, c caller, in struct{ Body adminapi.Join }) (adminapi.Operator, error) {
	var none adminapi.Operator
	switch {
	case c.id != "":
		return none, refuse(adminapi.WrongState, "You are an operator already.")
	case c.account == "":
		return none, refuse(adminapi.NotOperator, "An invitation is for a person. Programs are made operators by their client id.")
	}
	if ok, after, err := a.limiter.Allow(ctx, joinRule, string(c.account)); err != nil {
		return none, err
	} else if !ok {
		return none, &Error{Reason: adminapi.TooMany, Detail: "Too many codes were typed. Wait a while.", After: after}
	}
	row, err := a.operators.join(ctx, string(c.account), in.Body.Code)
	if err != nil {
		return none, err
	}
	return row.shown(), nil
}

// join makes a person the operator that a code was made for. Of any number who type it at once one wins: the row is taken by one
// conditional update.
func (o *operators) join(ctx context.Context, account, code string) (row operatorRow, _ error) {
	none := fault("code", "is not one that can be taken up, or no longer", "look at what you typed, or ask for a new invitation")
	digest, ok := parseCode(code)
	if !ok {
		return row, none
	}
	err := o.alone(ctx, func(ctx context.Context) error {
		if _, found, err := o.find(ctx, `account = $1`, account); err != nil {
			return err
		} else if found { // she typed two codes at once
			return refuse(adminapi.WrongState, "You are an operator already.")
		}
		now := o.now()
		n, err := o.db.Exec(ctx, `UPDATE admin_operator SET account = $2, code = NULL, last_seen = $4
			WHERE code = $1 AND code_until > $3 AND account IS NULL AND client IS NULL AND NOT suspended`, digest, account, now.Unix(), now.Truncate(seenEvery).Unix())
		if err != nil {
			return fmt.Errorf("take up invitation: %w", err)
		}
		if n == 0 {
			return none
		}
		if row, _, err = o.find(ctx, `account = $1`, account); err != nil {
			return err
		}
		return o.record(ctx, eventJoined, row.id, row, "")
	})
	return row, err
}
