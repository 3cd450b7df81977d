package connect

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/clients/rp"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

//go:embed pages/*.html messages/*.json
var files embed.FS

// Deps is what New needs. Every field is required.
type Deps struct {
	Party *rp.Party
	Site  web.SiteConfig // the portal's look, without pages and messages
	DB    *sqldb.DB
	Now   func() time.Time
}

// Connect is the function.
type Connect struct {
	party *rp.Party
	web   *web.Site
	db    *sqldb.DB
	now   func() time.Time
}

// New brings the tables up to date and returns the function, ready to be mounted.
func New(ctx context.Context, d Deps) (*Connect, error) {
	if d.Party == nil || d.DB == nil || d.Now == nil {
		return nil, errors.New("connect: Deps has an empty field")
	}
	if err := migrate(ctx, d.DB); err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	var err error
	if d.Site.Pages, err = fs.Sub(files, "pages"); err != nil {
		return nil, err
	}
	if d.Site.Messages, err = fs.Sub(files, "messages"); err != nil {
		return nil, err
	}
	site, err := web.NewSite(d.Site)
	if err != nil {
		return nil, err
	}
	return &Connect{party: d.Party, web: site, db: d.DB, now: d.Now}, nil
}

// Mount adds the routes; this list is the whole surface. Errors go to the portal's handler.
func (c *Connect) Mount(e *echo.Echo) {
	e.GET("/connect", c.getDirectory)
	e.GET("/connect/:client", c.getService)
	e.POST("/connect/:client/link", c.postLink)
	e.GET("/connect/:client/open", c.getOpen)
	e.GET("/connect/:client/end", c.getEnd)
	e.POST("/connect/:client/end", c.postEnd)
}
