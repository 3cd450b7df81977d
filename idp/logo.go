package idp

import (
	"bytes"
	"errors"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/clients"
)

// getLogo serves GET /logos/{sha256}.png: the logos of services, as operators uploaded them and the hub drew them anew. What a name
// stands for never changes, so browsers keep it.
func (p *Provider) getLogo(c echo.Context) error {
	b, err := p.clients.Logo(c.Request().Context(), clients.LogoName(c.Param("file")))
	if errors.Is(err, clients.ErrUnknown) {
		return c.String(http.StatusNotFound, "there is no such logo\n")
	}
	if err != nil {
		return err
	}
	h := c.Response().Header()
	h.Set("Content-Type", "image/png")
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	http.ServeContent(c.Response(), c.Request(), "", time.Time{}, bytes.NewReader(b))
	return nil
}
