package idp

import "embed"

// The hub's pages and their words: internal/web reads them in New.
var (
	//go:embed pages
	pageFiles embed.FS

	//go:embed messages
	messageFiles embed.FS
)
