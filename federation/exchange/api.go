package exchange

import (
	"context"
	"errors"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/federation"
)

// APIDeps is what NewAPI needs. Every field is required; Authorize and Refuse are those of [federation.APIDeps]. Citizen returns the
// person whom an office calls sub, or an *Error with NotAnOffice or UnknownSubject.
type APIDeps struct {
	Register  *Register
	Authorize func(ctx context.Context, r *http.Request, need federation.Need) (federation.Caller, error)
	Refuse    func(w http.ResponseWriter, r *http.Request, err error)
	Citizen   func(ctx context.Context, office clients.ID, sub string) (federation.AccountID, error)
}

// API serves the citizen's record, through a portal, and takes the confirmations of providers.
type API struct{ d APIDeps }

// NewAPI returns the API, or an error naming the missing part.
func NewAPI(d APIDeps) (*API, error) {
	if d.Register == nil || d.Authorize == nil || d.Refuse == nil || d.Citizen == nil {
		return nil, errors.New("exchange: APIDeps has an empty field")
	}
	return &API{d: d}, nil
}

// Mount adds the routes; this list is the whole surface of the package.
func (a *API) Mount(e *echo.Echo) {
	e.GET("/api/account/exchanges", a.need(federation.Need{Scope: clients.ScopeExchanges}, a.getExchanges))
	e.GET("/api/account/exchanges/:id", a.need(federation.Need{Scope: clients.ScopeExchanges}, a.getExchange))
	e.POST("/api/exchanges/:id/provision", a.need(federation.Need{Scope: clients.ScopeExchangeProvide, Machine: true}, a.postProvision))
	e.POST("/api/exchanges/protection", a.need(federation.Need{Scope: clients.ScopeExchangeProtect, Machine: true}, a.postProtection))
}

// need runs h for the caller the request's token proves.
func (a *API) need(n federation.Need, h func(echo.Context, federation.Caller) error) echo.HandlerFunc {
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
	case Malformed, PeriodBad:
		return http.StatusBadRequest
	case NotAnOffice:
		return http.StatusForbidden
	case UnknownExchange, UnknownSubject:
		return http.StatusNotFound
	case Settled:
		return http.StatusConflict
	case NoBasis, BasisNotInForce, BasisExpired, WrongPurpose, WrongProvider, WrongItem, UnknownSet, SamePerson, SetApproved, OperatorName: // no answers of this API
	}
	return http.StatusInternalServerError
}

func (a *API) getExchanges(c echo.Context, who federation.Caller) error {
	f, err := parseFilter(c.Request().URL.RawQuery)
	if err != nil {
		return err
	}
	page, err := a.d.Register.List(c.Request().Context(), who.Account, f)
	if err != nil {
		return err
	}
	out := struct {
		Exchanges []exchangeJSON `json:"exchanges"`
		Next      string         `json:"next,omitempty"`
	}{[]exchangeJSON{}, page.Next.String()}
	for _, v := range page.Views {
		out.Exchanges = append(out.Exchanges, jsonOf(v))
	}
	return c.JSON(http.StatusOK, out)
}

func (a *API) getExchange(c echo.Context, who federation.Caller) error {
	id, err := exchangeID(c)
	if err != nil {
		return err
	}
	v, err := a.d.Register.One(c.Request().Context(), who.Account, id)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, jsonOf(v))
}

func (a *API) postProvision(c echo.Context, who federation.Caller) error {
	id, err := exchangeID(c)
	if err != nil {
		return err
	}
	said, err := readConfirmation(c.Request())
	if err != nil {
		return err
	}
	// A provider that hangs up has said it all the same.
	done, err := a.d.Register.Confirm(context.WithoutCancel(c.Request().Context()), who.Client, id, said)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, provisionOf(done))
}

func (a *API) postProtection(c echo.Context, who federation.Caller) error {
	sub, p, err := readProtection(c.Request())
	if err != nil {
		return err
	}
	// An office that hangs up has said it all the same.
	ctx := context.WithoutCancel(c.Request().Context())
	account, err := a.d.Citizen(ctx, who.Client, sub)
	if err != nil {
		return err
	}
	if err := a.d.Register.Protect(ctx, who.Client, account, p); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

// exchangeID reads the id of the path: what cannot be one names no exchange.
func exchangeID(c echo.Context) (string, error) {
	if id := c.Param("id"); goodID(id) {
		return id, nil
	}
	return "", &Error{Reason: UnknownExchange, Detail: "no such exchange"}
}
