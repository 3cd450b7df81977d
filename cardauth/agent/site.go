package agent

import (
	"embed"
	"io/fs"
	"log/slog"

	"github.com/tsunagu-id/tsunagu/internal/web"
)

//go:embed pages/*.html messages/*.json
var files embed.FS

// newSite is the card app's frame: no menu, and no link out but the ways back to a hub.
func newSite(secure, demo bool, log *slog.Logger) (*web.Site, error) {
	pages, err := fs.Sub(files, "pages")
	if err != nil {
		return nil, err
	}
	messages, err := fs.Sub(files, "messages")
	if err != nil {
		return nil, err
	}
	return web.NewSite(web.SiteConfig{
		Slug: "agent", Kind: web.Agent, Secure: secure, Sample: demo,
		Messages: messages, Pages: pages, Log: log,
		Footer: []web.Link{{Key: "frame.help", Href: "/"}},
	})
}
