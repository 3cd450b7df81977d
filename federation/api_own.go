package federation

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/clients"
)

// ownLink is a link as a service sees it that speaks for itself: under its own name for the person.
type ownLink struct {
	Sub   string     `json:"sub"`
	State State      `json:"state"`
	Since *time.Time `json:"since,omitempty"`
	Tie   string     `json:"tie,omitempty"`
}

func ownLinkOf(sub string, l Link) ownLink {
	return ownLink{Sub: sub, State: l.State, Since: sinceOf(l), Tie: l.Tie}
}

const defaultPage = 100

// pageSize reads limit: 1 to maxPage, defaultPage if it is not there.
func pageSize(s string) (int, error) {
	if s == "" {
		return defaultPage, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > maxPage {
		return 0, malformed(fmt.Sprintf("limit must be 1 to %d", maxPage))
	}
	return n, nil
}

// getLinks answers the service's links that moved since a cursor, in the order of their moves, and the cursor to come back with.
func (a *API) getLinks(c echo.Context, who Caller) error {
	ctx := c.Request().Context()
	after, err := parseCursor(c.QueryParam("since"))
	if err != nil {
		return err
	}
	limit, err := pageSize(c.QueryParam("limit"))
	if err != nil {
		return err
	}
	cl, err := a.d.Clients.Get(ctx, who.Client)
	if err != nil {
		return err
	}
	all, at, more, err := a.d.Links.changes(ctx, who.Client, after, limit)
	if err != nil {
		return err
	}
	out := struct {
		Links  []ownLink `json:"links"`
		Cursor string    `json:"cursor"`
		More   bool      `json:"more"`
	}{[]ownLink{}, at.String(), more}
	for _, l := range all {
		sub, err := findSubject(ctx, a.d.Links.db, cl.Sector(), l.Account)
		if err != nil {
			return err
		}
		if sub != "" {
			out.Links = append(out.Links, ownLinkOf(sub, l))
		}
	}
	return c.JSON(http.StatusOK, out)
}

// person finds whom a service means by sub. Somebody who never gave it anything is unknown, also where other services of its sector know
// her by that name.
func (a *API) person(ctx context.Context, client clients.ID, sub string) (l Link, agreed bool, err error) {
	unknown := &Error{Reason: SubjectUnknown, Detail: "nobody of that name has a connection with you"}
	if !named(sub, maxSubject) {
		return Link{}, false, unknown
	}
	cl, err := a.d.Clients.Get(ctx, client)
	if err != nil {
		return Link{}, false, err
	}
	account, err := findAccount(ctx, a.d.Links.db, cl.Sector(), sub)
	if err != nil {
		return Link{}, false, err
	}
	if l, err = a.d.Links.Find(ctx, account, client); err != nil {
		return Link{}, false, err
	}
	if agreed, err = a.d.Knows(ctx, account, client); err != nil {
		return Link{}, false, err
	}
	if !agreed && !l.WasTied() {
		return Link{}, false, unknown
	}
	return l, agreed, nil
}

// maxSubject bounds a name of ours.
const maxSubject = 255 // OpenID Connect Core §2

func (a *API) getOf(c echo.Context, who Caller) error {
	sub := c.Param("sub")
	l, _, err := a.person(c.Request().Context(), who.Client, sub)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, ownLinkOf(sub, l))
}

// putOf lets a service say without the person how a tie stands. What has ended it cannot raise.
func (a *API) putOf(c echo.Context, who Caller) error {
	ctx, sub := c.Request().Context(), c.Param("sub")
	said, err := decodeTie(c.Request())
	if err != nil {
		return err
	}
	l, agreed, err := a.person(ctx, who.Client, sub)
	if err != nil {
		return err
	}
	if said.state == Broken {
		l, err = a.d.Links.Break(ctx, l.Account, who.Client, said.tie)
	} else {
		l, err = a.recall(ctx, l, agreed, said.tie)
	}
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, ownLinkOf(sub, l))
}

func (a *API) recall(ctx context.Context, l Link, agreed bool, tie string) (Link, error) {
	if !agreed {
		return Link{}, &Error{Reason: MoveForbidden, Detail: "the person has withdrawn"}
	}
	return a.d.Links.Recall(ctx, l.Account, l.Client, tie)
}

// deleteOf ends a link, and with it what the service may do. With ?tie= it ends that tie only, and nothing that came after it.
func (a *API) deleteOf(c echo.Context, who Caller) error {
	ctx := c.Request().Context()
	tie := c.QueryParam("tie")
	if tie != "" && !named(tie, maxTie) {
		return malformed("tie is not the name of a tie")
	}
	l, _, err := a.person(ctx, who.Client, c.Param("sub"))
	if err != nil {
		return err
	}
	if tie == "" {
		err = a.end(ctx, l.Account, who.Client, ByService, WhyUnbound)
	} else {
		err = a.endTie(ctx, l.Account, who.Client, tie)
	}
	if err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

// errOtherTie rolls back what withdraws, if the tie to be ended does not stand.
var errOtherTie = errors.New("the tie does not stand")

// endTie is end for one tie. If it does not stand, nothing is withdrawn: the person may have agreed anew since.
func (a *API) endTie(ctx context.Context, account AccountID, client clients.ID, tie string) error {
	err := a.d.Links.db.Tx(context.WithoutCancel(ctx), func(ctx context.Context) error {
		if err := a.d.OnEnd(ctx, account, client, ByService); err != nil {
			return fmt.Errorf("withdraw access of %s: %w", client, err)
		}
		stood := false
		_, err := a.d.Links.move(ctx, account, client, wish{
			to: Ended, by: ByService, why: WhyUnbound, tie: tie,
			only: func(l Link) bool {
				stood = l.Tie == tie && l.State != Ended
				return stood
			},
		})
		if err == nil && !stood {
			err = errOtherTie
		}
		return err
	})
	if errors.Is(err, errOtherTie) {
		return nil
	}
	return err
}

// postCensus begins a census. The service reads its ties after this, not before.
func (a *API) postCensus(c echo.Context, who Caller) error {
	at, err := a.d.Links.beginCensus(c.Request().Context(), who.Client)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusCreated, struct {
		Census string `json:"census"`
	}{at.String()})
}

func (a *API) census(c echo.Context, who Caller) (cursor, error) {
	at, err := parseCursor(c.Param("census"))
	if err == nil {
		err = a.d.Links.inCensus(c.Request().Context(), who.Client, at)
	}
	return at, err
}

// postCensusTies takes some of the service's ties, and answers which of them are over.
func (a *API) postCensusTies(c echo.Context, who Caller) error {
	ctx := c.Request().Context()
	at, err := a.census(c, who)
	if err != nil {
		return err
	}
	ties, err := decodeTies(c.Request())
	if err != nil {
		return err
	}
	out := struct {
		Over []string `json:"over"`
	}{[]string{}}
	var stand []Link
	for _, t := range ties {
		l, err := a.take(ctx, who.Client, t)
		if refused, ok := errors.AsType[*Error](err); ok && (refused.Reason == SubjectUnknown || refused.Reason == MoveForbidden) {
			out.Over = append(out.Over, t.Sub)
			continue
		}
		if err != nil {
			return err
		}
		stand = append(stand, l)
	}
	if err := a.d.Links.affirmed(ctx, stand, at); err != nil {
		return err
	}
	return c.JSON(http.StatusOK, out)
}

// take compares one tie of a service with the link, and returns that if it stands, or stands again.
func (a *API) take(ctx context.Context, client clients.ID, t tieOf) (Link, error) {
	l, agreed, err := a.person(ctx, client, t.Sub)
	if err != nil {
		return Link{}, err
	}
	if l.State == Linked && l.Tie == t.Tie {
		return l, nil
	}
	return a.recall(ctx, l, agreed, t.Tie)
}

// postCensusEnd breaks what the service did not name.
func (a *API) postCensusEnd(c echo.Context, who Caller) error {
	at, err := a.census(c, who)
	if err != nil {
		return err
	}
	n, err := a.d.Links.endCensus(context.WithoutCancel(c.Request().Context()), who.Client, at)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, struct {
		Broken int `json:"broken"`
	}{n})
}
