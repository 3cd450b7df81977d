package agency

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/clients/rp"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

// pathItems is where other offices ask, POST /items/TM…; without the last slash it is the resource that tokens are for.
const pathItems = "/items/"

// Resource is the resource indicator of the office at an origin (RFC 8707).
func Resource(base string) string { return base + "/items" }

// errNotThisItem is a token that is good, but not for what is asked with it.
var errNotThisItem = errors.New("agency: token is not for this one item")

// postItem answers another office about one item of one person: whom the token is about.
func (o *Office) postItem(c echo.Context) error {
	w, r := c.Response(), c.Request()
	item := c.Param("item")
	g, err := o.party.Accept(r.Context(), r, Resource(o.config.BaseURL), o.config.BaseURL+pathItems+item)
	if err != nil {
		o.log.WarnContext(r.Context(), "inquiry of another office not accepted", "err", err, "trace", web.Trace(r.Context()))
		o.party.Refuse(w, err)
		return nil
	}
	requester, err := judge(g, item)
	if err != nil {
		o.log.WarnContext(r.Context(), "inquiry of another office not accepted", "err", err, "client", g.Client)
		return o.answer(c, http.StatusForbidden, map[string]string{"error": "insufficient_scope"})
	}
	answer, err := o.provide(r.Context(), g, requester, item)
	if err != nil {
		o.log.ErrorContext(r.Context(), "inquiry not answered", "err", err, "exchange", g.Exchange)
		return o.answer(c, http.StatusServiceUnavailable, map[string]string{"error": "temporarily_unavailable"})
	}
	return o.answer(c, http.StatusOK, answer)
}

func (o *Office) answer(c echo.Context, status int, body any) error {
	c.Response().Header().Set("Cache-Control", "no-store")
	return c.JSON(status, body)
}

// judge wants a token of an exchange between offices, for this one item, that acts for the office it was issued to and nobody else. It
// returns the code of that office.
func judge(g rp.Grant, item string) (requester string, err error) {
	var details []struct {
		rp.ExchangeDetails
		Requester string `json:"requester"` // the hub's word for who asks
	}
	if err := json.Unmarshal(g.Details, &details); err != nil {
		return "", errors.Join(errNotThisItem, err)
	}
	if len(details) != 1 || details[0].Type != rp.ExchangeDetail || len(details[0].Items) != 1 || details[0].Items[0] != item ||
		g.Exchange == "" || g.Actor != g.Client || len(details[0].Requester) > maxTyped {
		return "", errNotThisItem
	}
	if details[0].Requester == "" {
		return g.Client, nil
	}
	return details[0].Requester, nil
}
