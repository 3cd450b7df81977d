package web

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"path"
	"regexp"
)

// Kind says which of the frames a site has.
type Kind int

const (
	Hub     Kind = iota // no menu: a login in progress must not be lost by a click
	Portal              // the citizen's portal
	Service             // a service that people sign in to
	Agent               // the card app on the citizen's own computer
	Console             // where operators of the hub work: wide, with a menu
)

// String is the word that styles and tests see on <html data-site>.
func (k Kind) String() string {
	switch k {
	case Hub:
		return "hub"
	case Portal:
		return "portal"
	case Service:
		return "service"
	case Agent:
		return "agent"
	case Console:
		return "console"
	}
	return "unknown"
}

// SiteConfig is everything that makes one site differ from another.
type SiteConfig struct {
	Slug     string // short name in cookie names: cookies of one host are shared by its ports
	Kind     Kind
	Secure   bool  // served over https: HSTS, __Host- cookies
	Sample   bool  // show the band that says this is a sample
	Messages fs.FS // ja.json, en.json, …: flat {"key": "text with {placeholder}"}, laid over the common ones
	Pages    fs.FS // NAME.html, each with {{define "main"}}; parts/*.html hold defines that all pages share

	// APIPaths are machine endpoints: exact paths, or prefixes ending in "/". They are not subject to
	// cross-origin protection, and what Middleware refuses there is answered as JSON.
	APIPaths []string
	// CrossOriginPaths are pages that other sites may post a form to, such as an authorization endpoint
	// (OpenID Connect Core §3.1.2.1) or a form_post callback. Same spelling as APIPaths.
	CrossOriginPaths []string
	// Uploads are paths, as path.Match has them, whose forms carry a file and may have MaxUpload bytes in place of MaxBody.
	Uploads []string

	SignOut string       // if set, the header of a signed-in page has a button #sign-out that posts here
	Footer  []Link       // footer links, help first; nil on a Hub means the hub's own pages
	Log     *slog.Logger // template errors and panics; nil means slog.Default()
}

// Link is a link whose words are a message.
type Link struct {
	Key  string // message key
	Href string
}

// Site renders the pages of one site. It is safe for concurrent use.
type Site struct {
	config SiteConfig
	*bundle
	log   *slog.Logger
	cross *http.CrossOriginProtection

	trouble func(*http.Request, Page) // nil: nobody is told
}

// OnTrouble has fn told of every page with an Error, before it is sent. It is for the time when a program puts itself together.
func (s *Site) OnTrouble(fn func(*http.Request, Page)) { s.trouble = fn }

var slugPattern = regexp.MustCompile(`^[a-z][a-z0-9]{0,15}$`)

// NewSite loads messages and pages. It refuses a catalogue whose languages differ in keys or placeholders, a page
// that uses a message or a component argument that does not exist, and a page that does not parse, so that none of
// these can surprise a citizen later.
func NewSite(c SiteConfig) (*Site, error) {
	if !slugPattern.MatchString(c.Slug) {
		return nil, fmt.Errorf("web: slug %q: want lower-case letters and digits", c.Slug)
	}
	if c.Messages == nil || c.Pages == nil {
		return nil, errors.New("web: Messages and Pages are required")
	}
	for _, pattern := range c.Uploads {
		if _, err := path.Match(pattern, ""); err != nil {
			return nil, fmt.Errorf("web: upload path %q: %w", pattern, err)
		}
	}
	if c.Footer == nil && c.Kind == Hub {
		c.Footer = hubFooter()
	}
	s := &Site{config: c, log: c.Log, cross: http.NewCrossOriginProtection()}
	if s.log == nil {
		s.log = slog.Default()
	}
	var err error
	if s.bundle, err = bundleOf(c.Messages, c.Pages); err != nil {
		return nil, fmt.Errorf("web: %s: %w", c.Slug, err)
	}
	if err := s.checkConfigKeys(); err != nil {
		return nil, fmt.Errorf("web: %s: %w", c.Slug, err)
	}
	return s, nil
}

func hubFooter() []Link {
	return []Link{
		{"frame.help", "/help"}, {"frame.accessibility", "/accessibility"},
		{"frame.privacy", "/privacy"}, {"frame.terms", "/terms"},
	}
}

// checkConfigKeys finds the messages that the frame needs but no template names literally.
func (s *Site) checkConfigKeys() error {
	for _, l := range s.config.Footer {
		if err := s.texts.checkUse(l.Key, nil); err != nil {
			return fmt.Errorf("footer: %w", err)
		}
	}
	return s.texts.checkUse("site.name", nil)
}
