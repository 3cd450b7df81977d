package idp

import (
	"fmt"
	"io/fs"
	"log/slog"

	"github.com/tsunagu-id/tsunagu/internal/web"
)

// NewSite returns the frame of the hub's pages, with this package's pages and messages.
func NewSite(secure, sample bool, log *slog.Logger) (*web.Site, error) {
	pages, err := fs.Sub(pageFiles, "pages")
	if err != nil {
		return nil, err
	}
	messages, err := fs.Sub(messageFiles, "messages")
	if err != nil {
		return nil, err
	}
	site, err := web.NewSite(web.SiteConfig{
		Slug: "hub", Kind: web.Hub, Secure: secure, Sample: sample, Messages: messages, Pages: pages,
		APIPaths: machinePaths(), CrossOriginPaths: crossOriginPaths(), Log: log,
	})
	if err != nil {
		return nil, fmt.Errorf("hub pages: %w", err)
	}
	return site, nil
}
