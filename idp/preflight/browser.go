package preflight

import (
	"context"
	"errors"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/tsunagu-id/tsunagu/clients"
)

const (
	maxHops   = 8
	maxScheme = 40
)

var errTooMany = errors.New("too many requests")

// page is where a browser ended.
type page struct {
	trail  []string // "303 /callback", "200 /box": status and path of each answer
	end    *url.URL // the last address asked
	status int      // of the last answer; 0: there was none
	body   []byte
	hub    string // the address of the hub that it was sent to, which was not asked
	away   string // another address that is not the service's, which was not asked
	err    error  // the last request had no answer
}

// answered says whether the browser shows a page of the service that is no error.
func (p page) shown() bool { return p.err == nil && p.hub == "" && p.away == "" && p.status < 400 }

// browser is one of somebody who does not exist.
type browser struct {
	t   *try
	jar http.CookieJar
}

func (t *try) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		panic(err) // it has no options that could be wrong
	}
	return &browser{t: t, jar: jar}
}

// open goes to an address, by a form if one is given, and wherever the service leads on to among its own addresses.
func (b *browser) open(ctx context.Context, address string, form url.Values) page {
	var p page
	for range maxHops {
		u, err := url.Parse(address)
		if err != nil || u.Host == "" {
			p.away = nowhere(u)
			return p
		}
		switch {
		case strings.HasPrefix(address, b.t.d.Issuer+"/"):
			p.hub = address
			return p
		case !b.t.own[origin(u)]:
			p.away = origin(u)
			return p
		}
		p.end = u
		seen, err := b.t.visit(ctx, clients.Visit{Address: address, Form: form, Cookies: b.jar.Cookies(u)})
		if err != nil {
			p.err = err
			return p
		}
		b.jar.SetCookies(u, (&http.Response{Header: seen.Header}).Cookies())
		p.status, p.body = seen.Status, seen.Body
		p.trail = append(p.trail, strconv.Itoa(seen.Status)+" "+u.Path)
		next := seen.Header.Get("Location")
		if next == "" || seen.Status < 300 || seen.Status > 399 || seen.Status == http.StatusNotModified {
			return p
		}
		to, err := u.Parse(next)
		if err != nil {
			p.away = nowhere(nil)
			return p
		}
		to.Fragment = ""
		address = to.String()
		if seen.Status != http.StatusTemporaryRedirect && seen.Status != http.StatusPermanentRedirect {
			form = nil
		}
	}
	p.err = errors.New("leads on without an end")
	return p
}

// visit makes one request, and compares the clocks.
func (t *try) visit(ctx context.Context, v clients.Visit) (clients.Seen, error) {
	if t.requests++; t.requests > maxRequests {
		return clients.Seen{}, errTooMany
	}
	began := t.d.Now()
	seen, err := t.d.Web.Browse(ctx, v)
	if err != nil {
		return seen, err
	}
	if at, err := http.ParseTime(seen.Header.Get("Date")); err == nil {
		t.clock(at, began, t.d.Now())
	}
	return seen, nil
}

// clock notes what another clock said at a moment between two of ours. It said whole seconds.
func (t *try) clock(said, from, to time.Time) {
	var off time.Duration
	switch {
	case said.Add(time.Second).Before(from):
		off = said.Add(time.Second).Sub(from)
	case said.After(to):
		off = said.Sub(to)
	}
	if !t.timed || off.Abs() < t.off.Abs() { // the closest: a slow answer makes a clock look worse, never better
		t.off = off
	}
	t.timed = true
}

// nowhere names an address without a host; nil is one that cannot be read. The rest of it is the service's, may hold the code, and is in no report.
func nowhere(u *url.URL) string {
	if u == nil || u.Scheme == "" || len(u.Scheme) > maxScheme {
		return "?"
	}
	return u.Scheme + ":"
}

func origin(u *url.URL) string { return u.Scheme + "://" + u.Host }
