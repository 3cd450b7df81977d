package admin

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"github.com/tsunagu-id/tsunagu/clients/adminapi"
)

func (a *API) operatorRoutes() {
	register(a, operation{id: "listOperators", method: http.MethodGet, path: "/api/operators", tag: "operators", summary: "Who works here"}, a.getOperators)
	register(a, operation{
		id: "inviteOperator", method: http.MethodPost, path: "/api/operators", tag: "operators", summary: "Invite somebody, or make a program an operator",
		role: adminapi.Security, whole: true, status: http.StatusCreated, may: []adminapi.Reason{adminapi.WrongState},
	}, a.postOperator)
	register(a, operation{
		id: "changeOperator", method: http.MethodPatch, path: "/api/operators/{id}", tag: "operators", summary: "Change roles, suspend, resume",
		role: adminapi.Security, whole: true, may: []adminapi.Reason{adminapi.SamePerson},
	}, a.patchOperator)
}

// page is the Input of lists that know no filter.
type page struct {
	After string `query:"after" maxLength:"200" doc:"The next of the page before"`
	Limit int    `query:"limit" minimum:"1" maximum:"100" doc:"How many at most; left out: 20"`
}

const pageSize = 20

// size is how many are wanted.
func (p page) size() int {
	if p.Limit == 0 {
		return pageSize
	}
	return p.Limit
}

// getOperators lists colleagues: those of one organisation see its own only.
func (a *API) getOperators(ctx context.Context, c caller, in page) (adminapi.OperatorList, error) {
	rows, err := a.operators.list(ctx, c.organisation, in.After, in.size())
	if err != nil {
		return adminapi.OperatorList{}, err
	}
	var out adminapi.OperatorList
	if len(rows) > in.size() {
		rows = rows[:in.size()]
		out.Next = rows[len(rows)-1].id
	}
	for _, r := range rows {
		out.Items = append(out.Items, r.shown())
	}
	return out, nil
}

func (a *API) postOperator(ctx context.Context, c caller, in struct{ Body adminapi.NewOperator }) (adminapi.Invitation, error) {
	return a.operators.invite(ctx, a.d.Clients, c.id, in.Body)
}

type changeInput struct {
	ID   string `path:"id" maxLength:"64"`
	Body adminapi.OperatorChange
}

func (a *API) patchOperator(ctx context.Context, c caller, in changeInput) (adminapi.Operator, error) {
	row, err := a.operators.change(ctx, c.id, in.ID, in.Body)
	return row.shown(), err
}

// change replaces what is given. Nobody changes herself: whoever may hand out roles could otherwise take those that are to watch her.
// So there is always one left with the role security.
func (o *operators) change(ctx context.Context, by, id string, change adminapi.OperatorChange) (row operatorRow, _ error) {
	if by == id {
		return row, refuse(adminapi.SamePerson, "Nobody changes her own roles. Ask another operator with the role security.")
	}
	err := o.alone(ctx, func(ctx context.Context) error {
		actor, found, err := o.find(ctx, `id = $1`, by)
		if err != nil {
			return err
		}
		if !found || actor.suspended || !slices.Contains(actor.roles(), adminapi.Security) { // she lost it a moment ago
			return refuse(adminapi.RoleMissing, "This takes the role security.")
		}
		if row, found, err = o.find(ctx, `id = $1`, id); err != nil {
			return err
		} else if !found {
			return refuse(adminapi.NotFound, "There is no such operator.")
		}
		if change.Roles != nil {
			if row.client.Valid {
				if err := checkProgram(change.Roles); err != nil {
					return err
				}
			}
			row.words = wordsOf(change.Roles)
		}
		if change.Suspended != nil {
			row.suspended = *change.Suspended
		}
		if _, err := o.db.Exec(ctx, `UPDATE admin_operator SET roles = $2, suspended = $3 WHERE id = $1`, id, row.words, row.suspended); err != nil {
			return fmt.Errorf("change operator: %w", err)
		}
		return o.record(ctx, eventChanged, by, row, change.Reason)
	})
	return row, err
}
