package agency

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/clients/rp"
	"github.com/tsunagu-id/tsunagu/internal/ratelimit"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

// invitationLife is how long an invitation to the desk is good.
const invitationLife = 24 * time.Hour

const toJoin = "agency join"

// joinTries limits the codes that one person may try.
func joinTries() ratelimit.Rule {
	return ratelimit.Rule{Name: "agency-join", Limit: 10, Window: 15 * time.Minute}
}

// Invite makes a code that lets whoever signs in and enters it first sit at the desk from then on. It is good once, for a day.
func (o *Office) Invite(ctx context.Context) (rp.Secret, error) {
	code := rand.Text()
	if err := insertInvitation(ctx, o.db, codeDigest(code), o.now().Add(invitationLife)); err != nil {
		return rp.Secret{}, fmt.Errorf("invite: %w", err)
	}
	return rp.NewSecret(code), nil
}

// Staffed reports whether anybody sits at the desk.
func (o *Office) Staffed(ctx context.Context) (bool, error) { return anyStaff(ctx, o.db) }

// DismissAll empties the desk: nobody is staff any more, and no invitation is good.
func (o *Office) DismissAll(ctx context.Context) error {
	return o.db.Tx(ctx, func(ctx context.Context) error {
		for _, query := range []string{`DELETE FROM agency_staff`, `DELETE FROM agency_invitation`} {
			if _, err := o.db.Exec(ctx, query); err != nil {
				return fmt.Errorf("dismiss: %w", err)
			}
		}
		return nil
	})
}

// codeDigest is all that is kept of a code of 130 random bits. People type it in small letters and with spaces.
func codeDigest(code string) string {
	code = strings.ToUpper(strings.Join(strings.Fields(code), ""))
	sum := sha256.Sum256([]byte("agency invitation\x00" + code))
	return hex.EncodeToString(sum[:])
}

// staff returns the session of somebody who sits at the desk. It is asked at every page: who is dismissed is out at once.
func (o *Office) staff(c echo.Context) (*rp.Session, error) {
	session, err := o.party.Session(c.Request())
	if err != nil {
		return nil, err
	}
	ok, err := isStaff(c.Request().Context(), o.db, session.Subject())
	if err != nil {
		return nil, fmt.Errorf("staff: %w", err)
	}
	if !ok {
		return nil, &Error{Reason: NotStaff}
	}
	return session, nil
}

// joinView is what join.html shows.
type joinView struct {
	For, CodeError string
	Errors         []web.FieldError
}

func (o *Office) getJoin(c echo.Context) error {
	session, err := o.party.Session(c.Request())
	if err != nil {
		return err
	}
	if ok, err := isStaff(c.Request().Context(), o.db, session.Subject()); err != nil {
		return err
	} else if ok {
		return c.Redirect(http.StatusSeeOther, "/desk")
	}
	o.showJoin(c, session, http.StatusOK, 0)
	return nil
}

func (o *Office) showJoin(c echo.Context, session *rp.Session, status int, wrong Reason) {
	view, reason := joinView{For: session.Mark(toJoin)}, ""
	if wrong != 0 {
		reason = wrong.String()
		view.CodeError = o.web.Text(c.Request(), "join.code.wrong")
		view.Errors = []web.FieldError{{Field: "code", Text: view.CodeError}}
	}
	o.web.Render(c.Response(), c.Request(), status, web.Page{
		Name: "join", Title: "join.title", Error: reason, SignedIn: true, OpenForm: true, Data: view,
		Crumbs: []web.Crumb{{Key: "site.name", Href: "/"}, {Key: "join.title"}},
	})
}

// postJoin redeems an invitation.
func (o *Office) postJoin(c echo.Context) error {
	ctx := c.Request().Context()
	session, err := o.sender(c, toJoin)
	if err != nil {
		return err
	}
	if ok, wait, err := o.limiter.Allow(ctx, joinTries(), session.Subject()); err != nil {
		return fmt.Errorf("count tries: %w", err)
	} else if !ok {
		return &Error{Reason: TooMany, Wait: wait}
	}
	joined, err := o.join(ctx, session.Subject(), c.FormValue("code"))
	if err != nil {
		return err
	}
	if !joined {
		o.showJoin(c, session, CodeWrong.status(), CodeWrong)
		return nil
	}
	o.log.InfoContext(ctx, "somebody joined the staff")
	return c.Redirect(http.StatusSeeOther, "/desk")
}

// join spends a code and enters the person, both or neither. Of many at once, one wins.
func (o *Office) join(ctx context.Context, sub, code string) (joined bool, err error) {
	if len(code) > maxTyped {
		return false, nil
	}
	err = o.db.Tx(ctx, func(ctx context.Context) error {
		if joined, err = spendInvitation(ctx, o.db, codeDigest(code), o.now()); err != nil || !joined {
			return err
		}
		return insertStaff(ctx, o.db, sub, o.now())
	})
	if err != nil {
		return false, fmt.Errorf("join: %w", err)
	}
	return joined, nil
}
