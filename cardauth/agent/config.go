package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/tsunagu-id/tsunagu/internal/audit"
)

// Config is what New needs.
type Config struct {
	// Origin is where this program is reached, such as "http://127.0.0.1:8404". Its host is loopback. Requests under
	// any other name are refused.
	Origin string
	// Trusted are the hubs whose challenges are answered; at least one.
	Trusted []Issuer
	// HTTP talks to the hubs; nil is a plain client. Redirects are never followed and no cookie is kept.
	HTTP *http.Client
	// Reader holds the cards.
	Reader Reader
	// Demo says that the cards are made up: pages carry the sample band and a choice of cards.
	Demo bool
	// Phone says that this is a phone, or stands for one: it signs logins on other devices too, which a computer's card
	// app refuses.
	Phone bool
	// Shared says that others use this computer too: every login ends when its card is taken out, whether the citizen
	// asked for it or not. Needs Run.
	Shared bool
	// Tray takes cards out and puts them back by a button on the start page; nil: they are taken out by hand.
	Tray Tray
	// PIN takes the PIN outside the page; nil: the page takes it.
	PIN Asker
	// Version is what this program calls itself, one word; may be empty.
	Version string
	// Troubles remembers the codes of what went wrong; nil: nobody does.
	Troubles *Troubles
	Now      func() time.Time
	// Journal records what happened: signatures, refusals, attempts of other sites. A signature that cannot be
	// recorded does not leave the computer.
	Journal func(context.Context, audit.Event) error
	// Log takes what the journal does not: failures of this program itself. nil means slog.Default().
	Log *slog.Logger
}

// Issuer is a hub that the card app answers.
type Issuer struct {
	URL  string // the issuer identifier: an origin without a path, https unless its host is loopback
	Name string // shown beside the address; may be empty
}

func (c Config) check() error {
	switch {
	case c.Reader == nil:
		return errors.New("agent: Reader is required")
	case c.Now == nil:
		return errors.New("agent: Now is required")
	case c.Journal == nil:
		return errors.New("agent: Journal is required")
	case len(c.Trusted) == 0:
		return errors.New("agent: Trusted names no hub")
	}
	return nil
}

// parseOrigin accepts the one spelling of an origin that browsers send (RFC 6454 §6.1): lower case, no default port,
// nothing after the host. Plain http is for loopback only.
func parseOrigin(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	if err != nil {
		return nil, errors.New("not an address")
	}
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, errors.New("neither http nor https")
	case u.Hostname() == "":
		return nil, errors.New("no host")
	case s != u.Scheme+"://"+u.Host || s != strings.ToLower(s):
		return nil, errors.New("not of the form scheme://host or scheme://host:port in lower case")
	case u.Scheme == "http" && u.Port() == "80", u.Scheme == "https" && u.Port() == "443", strings.HasSuffix(u.Host, ":"):
		return nil, errors.New("names the default port")
	case u.Scheme == "http" && !loopback(u.Hostname()):
		return nil, errors.New("plain http is for loopback only")
	}
	return u, nil
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

func parseOwnOrigin(s string) (*url.URL, error) {
	u, err := parseOrigin(s)
	if err != nil {
		return nil, fmt.Errorf("agent: Origin: %w", err)
	}
	if !loopback(u.Hostname()) {
		return nil, errors.New("agent: Origin: the card app is reached over loopback only")
	}
	return u, nil
}

// defaultClient has bounds of its own beside the ones of each request.
func defaultClient() *http.Client {
	return &http.Client{Transport: &http.Transport{
		DialContext:            (&net.Dialer{Timeout: dialTimeout}).DialContext,
		TLSHandshakeTimeout:    dialTimeout,
		ForceAttemptHTTP2:      true,
		MaxIdleConnsPerHost:    2,
		IdleConnTimeout:        time.Minute,
		MaxResponseHeaderBytes: 32 << 10,
	}}
}

const dialTimeout = 5 * time.Second
