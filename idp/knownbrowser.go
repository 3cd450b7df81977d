package idp

import (
	"context"
	"crypto/hmac"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/federation"
	"github.com/tsunagu-id/tsunagu/internal/audit"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

// cookieKnown holds one mark for each folder that this browser signed in to. It opens nothing: it keeps notices for what is new.
const cookieKnown = "known"

const (
	knownLife = 400 * 24 * time.Hour // the longest that browsers keep a cookie
	maxKnown  = 5                    // people at one browser
	markSize  = 8 + 16               // the time it was made, and a MAC
	markText  = 32                   // base64url
)

// markOf is what a browser is given at a sign-in to a folder. It says to nobody but the hub which folder.
func (p *Provider) markOf(account federation.AccountID, at int64) string {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, markSize), uint64(at)) //nolint:gosec // a time after 1970
	mac := p.digest("known browser", append([]byte(account), b...))
	return base64.RawURLEncoding.EncodeToString(append(b, mac[:16]...))
}

// marks reads the cookie. What is malformed counts for nothing.
func marks(cookie string) (out []string) {
	if len(cookie) > maxKnown*(markText+1) {
		return nil
	}
	for m := range strings.SplitSeq(cookie, ".") {
		if isBase64URL(m, markText) {
			out = append(out, m)
		}
	}
	return out
}

// knownSince is when a mark was made, in Unix milliseconds, if it is the account's.
func (p *Provider) knownSince(account federation.AccountID, m string) (at int64, ok bool) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(m)
	if err != nil || len(b) != markSize {
		return 0, false
	}
	at = int64(binary.BigEndian.Uint64(b)) //nolint:gosec // compared below
	return at, at > 0 && hmac.Equal([]byte(p.markOf(account, at)), []byte(m))
}

// recognize notes in a session that is about to begin since when the folder knows its browser: as the mark says, or from now on.
func (p *Provider) recognize(c echo.Context, s *session) error {
	since, err := p.news.knownFrom(c.Request().Context(), s.Account)
	if err != nil {
		return err
	}
	s.Known = max(p.now().UnixMilli(), since+1)
	own, _ := p.marksOf(c, s.Account)
	for _, at := range own {
		if at > since {
			s.Known = at
		}
	}
	return nil
}

// marksOf reads the marks of a browser: the moments of those that are the account's, and the rest.
func (p *Provider) marksOf(c echo.Context, account federation.AccountID) (own []int64, others []string) {
	cookie, _ := p.site.Cookie(c.Request(), cookieKnown)
	for _, m := range marks(cookie) {
		if at, ok := p.knownSince(account, m); ok {
			own = append(own, at)
		} else {
			others = append(others, m)
		}
	}
	return own, others
}

// meetBrowser has the owner of a folder told of a sign-in in a browser that is new to it, before that browser gets the session, and marks the
// browser as known. One that its visitor called shared stays new. A mark keeps its moment for as long as the browser is used, so that
// disowning one session reaches what the same browser began since. It is judged again after the session was stored: of a browser that was
// disowned meanwhile either the session is found and ended, or it is told of here.
func (p *Provider) meetBrowser(c echo.Context, tx *transaction, s *session) error {
	ctx := c.Request().Context()
	since, err := p.news.knownFrom(ctx, s.Account)
	if err != nil {
		return err
	}
	own, others := p.marksOf(c, s.Account)
	if !slices.Contains(own, s.Known) || s.Known <= since {
		if err := p.record(ctx, audit.Event{Kind: eventNewBrowser, Account: string(s.Account), Client: tx.clientID(), Session: s.ID,
			Facts: map[string]string{"acr": s.ACR, "device": s.Device, "known": strconv.FormatInt(s.Known, 10)}}); err != nil {
			return err
		}
	}
	if _, watched := p.site.Cookie(c.Request(), cookieShared); watched || s.Shared {
		return nil
	}
	all := append([]string{p.markOf(s.Account, s.Known)}, others...)
	p.site.SetCookie(c.Response(), web.Cookie{Name: cookieKnown, Value: strings.Join(all[:min(len(all), maxKnown)], "."), MaxAge: knownLife})
	return nil
}

// knownFrom is the moment, in Unix milliseconds, before which marks count no more.
func (n notices) knownFrom(ctx context.Context, account federation.AccountID) (ms int64, err error) {
	if err = n.db.QueryRow(ctx, `SELECT known_ms FROM account WHERE id = $1`, string(account)).Scan(&ms); err != nil {
		err = fmt.Errorf("read account: %w", err)
	}
	return ms, err
}
