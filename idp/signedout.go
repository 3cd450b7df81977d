package idp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

// frontLife is how long after a sign-out the page still makes the browser tell the services: long enough for a slow line. A citizen who
// comes back to the page later, by "back" or a restored tab, may have signed in at them again.
const frontLife = 2 * time.Minute

// front returns the services of a session that want to be told by the browser (Front-Channel Logout 1.0 §2).
func (p *Provider) front(ctx context.Context, s *session) ([]clients.ID, error) {
	var out []clients.ID
	for _, cl := range s.Clients {
		uri, err := p.frontAddress(ctx, s.ID, cl.ID)
		if err != nil {
			return nil, err
		}
		if uri != "" {
			out = append(out, cl.ID)
		}
	}
	return out, nil
}

// frontAddress is what the browser opens to tell a service: always with iss and sid (§2), so that it ends this session and no other.
// It is empty for a service that registered none.
func (p *Provider) frontAddress(ctx context.Context, session string, id clients.ID) (string, error) {
	c, err := p.clients.Get(ctx, id)
	if err != nil && !errors.Is(err, clients.ErrSuspended) && !errors.Is(err, clients.ErrUnknown) {
		return "", fmt.Errorf("read client: %w", err)
	}
	if c == nil || c.FrontchannelLogoutURI() == "" {
		return "", nil
	}
	return appendQuery(c.FrontchannelLogoutURI(), url.Values{"iss": {p.issuer}, "sid": {p.clientSID(session, string(id))}}), nil
}

// signedOut returns to the service if it registered where and the browser has nobody to tell; otherwise it says what was done.
func (p *Provider) signedOut(c echo.Context, req logoutRequest, end ending) error {
	if req.Return != "" && len(end.front) == 0 && len(end.besides) == 0 {
		return c.Redirect(http.StatusSeeOther, req.Return)
	}
	to, err := p.signedOutPage(c, end, req)
	if err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, to)
}

// getSignedOut also says which services confirmed. The page goes on by itself while one has not; reading it again shows the same.
func (p *Provider) getSignedOut(c echo.Context) error {
	page := web.Page{Name: "signed-out", Title: "signed_out.title"}
	v := signedOutView{Everywhere: c.QueryParam("everywhere") == "1"}
	batch := c.QueryParam("request")
	r, err := p.receipt(c, batch)
	if err != nil {
		return err
	}
	if r != nil {
		if err := p.fillResults(c, batch, r, &v); err != nil {
			return err
		}
		if page.Frames, err = p.fillFrames(c.Request().Context(), r, &v); err != nil {
			return err
		}
	}
	if r != nil && p.liveSignedOut(c, page, batch, r, v) {
		return nil
	}
	page.Data = v
	p.site.Render(c.Response(), c.Request(), http.StatusOK, page)
	return nil
}

// fillResults says what became of the batch, and where the service that asked wants the citizen. The services that answer us have had
// their moment before the browser begins to tell.
func (p *Provider) fillResults(c echo.Context, batch string, r *receipt, v *signedOutView) (err error) {
	if v.Receipts, err = p.receipts(c, batch, r, receiptPatience); err != nil {
		return err
	}
	if undecidedAny(v.Receipts) {
		v.Again = c.Request().URL.RequestURI()
	}
	if r.Client == "" {
		return nil
	}
	name, _, err := p.displayName(c.Request().Context(), r.Client, p.site.Lang(c.Request()))
	if r.Only {
		v.Only = name
	}
	v.Return, v.Back = r.Return, name
	return err
}

// fillFrames names what the browser opens, and returns the origins that the page may frame.
func (p *Provider) fillFrames(ctx context.Context, r *receipt, v *signedOutView) (origins []string, err error) {
	if p.now().Sub(time.Unix(r.At, 0)) > frontLife {
		return nil, nil
	}
	for _, told := range []struct {
		session string
		front   []clients.ID
	}{{r.Session, r.Front}, {r.Beside, r.Besides}} {
		for _, id := range told.front {
			uri, err := p.frontAddress(ctx, told.session, id)
			if err != nil {
				return nil, err
			}
			if uri == "" {
				continue
			}
			v.Frames = append(v.Frames, uri)
			if o := originOf(uri); !slices.Contains(origins, o) {
				origins = append(origins, o)
			}
		}
	}
	return origins, nil
}
