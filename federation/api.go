package federation

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/clients"
)

// Caller is who sent an API request, as proven by its access token: on whose
// behalf, and which client.
type Caller struct {
	Account AccountID // empty for a client that speaks for itself (Need.Machine)
	Client  clients.ID
}

// The scopes of the API.
const (
	// ScopeLinks lets a portal see the directory, offer links and end them.
	ScopeLinks = "links"
	// ScopeLink lets a service see and change its own link with the person.
	ScopeLink = "link"
	// ScopeLinksOwn lets a service see and change all its links, without a person.
	ScopeLinksOwn = "links.own"
)

// Need is what a request asks of its access token.
type Need struct {
	Scope   string
	Or      string // another scope that does as well; empty: none
	Fresh   bool   // the person has signed in lately, in the strongest way
	Machine bool   // got by the client on its own behalf (RFC 6749 §4.4): it speaks for nobody
}

// APIDeps is what NewAPI needs. Every field is required.
type APIDeps struct {
	Issuer  string
	Links   *Links
	Clients *clients.Registry
	// Authorize turns the request's access token into its Caller, or refuses a
	// token that is missing, not valid, or not what is needed (RFC 6750 §3.1, RFC
	// 9470 §3).
	Authorize func(ctx context.Context, r *http.Request, need Need) (Caller, error)
	// Refuse writes the answer for an error that is not of this package: what
	// Authorize returned, or a failure of the store.
	Refuse func(w http.ResponseWriter, r *http.Request, err error)
	// OnEnd withdraws the consent the person gave the client, and with it every
	// grant. It runs in the transaction that ends the link, so that neither is
	// ever seen without the other, and must therefore keep to the database. The
	// other side than by has to be told.
	OnEnd func(ctx context.Context, account AccountID, client clients.ID, by Actor) error
	// Knows says whether the person has agreed that the client knows her, and has not withdrawn that.
	Knows func(ctx context.Context, account AccountID, client clients.ID) (bool, error)
}

// API serves the portal's and the services' side of links.
type API struct{ d APIDeps }

// NewAPI returns the API, or an error naming the missing part.
func NewAPI(d APIDeps) (*API, error) {
	if d.Issuer == "" || d.Links == nil || d.Clients == nil || d.Authorize == nil || d.Refuse == nil || d.OnEnd == nil || d.Knows == nil {
		return nil, errors.New("federation: APIDeps has an empty field")
	}
	return &API{d: d}, nil
}

// Mount adds the routes; this list is the whole surface of the package.
func (a *API) Mount(e *echo.Echo) {
	e.GET("/api/account/services", a.as(ScopeLinks, a.getServices))
	e.POST("/api/account/links", a.as(ScopeLinks, a.postLink))
	e.GET("/api/account/links/:client", a.as(ScopeLinks, a.getLink))
	e.DELETE("/api/account/links/:client", a.need(Need{Scope: ScopeLinks, Fresh: true}, a.deleteLink)) // ends another service's rights for good
	e.GET("/api/link", a.as(ScopeLink, a.getOwn))
	e.PUT("/api/link", a.as(ScopeLink, a.putOwn))
	e.DELETE("/api/link", a.as(ScopeLink, a.deleteOwn))
	own := Need{Scope: ScopeLinksOwn, Machine: true}
	e.GET("/api/links", a.need(own, a.getLinks))
	e.GET("/api/links/:sub", a.need(own, a.getOf))
	e.PUT("/api/links/:sub", a.need(own, a.putOf))
	e.DELETE("/api/links/:sub", a.need(own, a.deleteOf))
	e.POST("/api/links/census", a.need(own, a.postCensus))
	e.POST("/api/links/census/:census", a.need(own, a.postCensusTies))
	e.POST("/api/links/census/:census/end", a.need(own, a.postCensusEnd))
}

// as runs h for the caller the request's token proves.
func (a *API) as(scope string, h func(echo.Context, Caller) error) echo.HandlerFunc {
	return a.need(Need{Scope: scope}, h)
}

// need is as with further needs.
func (a *API) need(n Need, h func(echo.Context, Caller) error) echo.HandlerFunc {
	return func(c echo.Context) error {
		c.Response().Header().Set("Cache-Control", "no-store")
		who, err := a.d.Authorize(c.Request().Context(), c.Request(), n)
		if err == nil {
			err = h(c, who)
		}
		if err != nil {
			a.refuse(c, err)
		}
		return nil
	}
}

// end ends a link and withdraws what the service may do, both or neither. A
// caller that hangs up does not cut it in half.
func (a *API) end(ctx context.Context, account AccountID, client clients.ID, by Actor, why Why) error {
	return a.d.Links.db.Tx(context.WithoutCancel(ctx), func(ctx context.Context) error {
		if err := a.d.OnEnd(ctx, account, client, by); err != nil {
			return fmt.Errorf("withdraw access of %s: %w", client, err)
		}
		_, err := a.d.Links.End(ctx, account, client, by, why)
		return err
	})
}

// problem is the body of a refusal, shaped like an OAuth error (RFC 6749 §5.2).
type problem struct {
	Error       string `json:"error"`
	Description string `json:"error_description"`
}

func (a *API) refuse(c echo.Context, err error) {
	own, ok := errors.AsType[*Error](err)
	if !ok {
		a.d.Refuse(c.Response(), c.Request(), err)
		return
	}
	// Writing fails only when the caller has gone.
	_ = c.JSON(statusOf(own.Reason), problem{Error: own.Reason.String(), Description: own.Detail})
}

func statusOf(r Reason) int {
	switch r {
	case RequestMalformed:
		return http.StatusBadRequest
	case ServiceUnknown, SubjectUnknown, MandateUnknown, StreamUnknown:
		return http.StatusNotFound
	case MoveForbidden, MandateOwn, MandateNumber, MandateTooMany, StreamExists, CursorUnknown:
		return http.StatusConflict
	case TooSoon:
		return http.StatusTooManyRequests
	}
	return http.StatusInternalServerError
}
