package idp

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/internal/ephemeral"
	"github.com/tsunagu-id/tsunagu/internal/ratelimit"
)

// drafts bounds what requests that prove nothing can have stored in a minute. Beyond it a form is not kept.
var drafts = ratelimit.Rule{Name: "draft", Limit: 600, Window: time.Minute}

// draftLife is long enough for the login that has to come first, and for a second one.
const draftLife = 2 * transactionLife

// detailsDraft is a details form that was posted when nobody was signed in any more: it waits, sealed, for the login that follows. It is kept
// for the browser that sent it and shown to the person whose form it was, and to nobody else who signs in there.
type detailsDraft struct {
	Owner   string               `json:"o"` // the mark of the form's owner
	Written map[attribute]string `json:"w"`
}

// ownerMark marks a form as one person's. It names nobody.
func (p *Provider) ownerMark(s *session) string {
	d := p.digest("details form", []byte(s.Account))
	return base64.RawURLEncoding.EncodeToString(d[:16])
}

func (p *Provider) draftKey(c echo.Context, id string) string {
	return "draft:1:" + digest(id+"."+p.browserProof(c))
}

// keepDraft stores what was posted and returns the address that shows it after the login.
func (p *Provider) keepDraft(c echo.Context, form url.Values) (string, error) {
	ok, _, err := p.limiter.Allow(c.Request().Context(), drafts, "details")
	if err != nil || !ok {
		return detailsPath, err
	}
	written, _, _ := parseStatement(form, p.now())
	b, err := json.Marshal(detailsDraft{Owner: form.Get("owner"), Written: written})
	if err != nil {
		return "", fmt.Errorf("encode draft: %w", err)
	}
	id := newSecret()
	key := p.draftKey(c, id)
	if err := p.store.Create(c.Request().Context(), key, p.attributes.seal.Seal(b, []byte(key)), draftLife); err != nil {
		return "", fmt.Errorf("keep draft: %w", err)
	}
	return detailsPath + "?draft=" + id, nil
}

// draft returns what this browser posted before this person signed in again, or nil. Looking at it does not spend it: a page may be
// reloaded.
func (p *Provider) draft(ctx context.Context, c echo.Context, s *session) (map[attribute]string, error) {
	id := c.QueryParam("draft")
	if !isBase64URL(id, 43) {
		return nil, nil
	}
	key := p.draftKey(c, id)
	rec, err := p.store.Get(ctx, key)
	if errors.Is(err, ephemeral.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read draft: %w", err)
	}
	b, err := p.attributes.seal.Open(rec.Value, []byte(key))
	if err != nil {
		return nil, fmt.Errorf("open draft: %w", err)
	}
	var d detailsDraft
	if err := json.Unmarshal(b, &d); err != nil {
		return nil, fmt.Errorf("decode draft: %w", err)
	}
	if !sameDigest(d.Owner, p.ownerMark(s)) {
		return nil, nil
	}
	return d.Written, nil
}

// problemsOf judges a draft as the form would be.
func problemsOf(written map[attribute]string, now time.Time) map[attribute]problem {
	form := url.Values{}
	for name, text := range written {
		form.Set(fieldOf(name), text)
	}
	_, _, problems := parseStatement(form, now)
	return problems
}
