package idp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/internal/audit"
	"github.com/tsunagu-id/tsunagu/internal/ephemeral"
	"github.com/tsunagu-id/tsunagu/internal/ratelimit"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

// How many codes may be tried (RFC 8628 §5.1): in one browser, of one link, and of all citizens together. In one browser and of a link every
// try counts, of all together the wrong ones. A stranger who throws cookies away meets the last limit, which leaves a guess one
// chance in four million a minute for each code that is alive; and a hit is worth a device signed in as the guesser.
var (
	triesOfBrowser   = ratelimit.Rule{Name: "device-browser", Limit: 10, Window: 10 * time.Minute}
	triesOfLink      = ratelimit.Rule{Name: "device-link", Limit: 10, Window: 2 * deviceLife}
	triesOfEverybody = ratelimit.Rule{Name: "device-everybody", Limit: 6000, Window: time.Minute}
)

// getDevice asks for the code that a device shows. Behind a link of a device the first half is on the page and the second half is
// asked for: the link alone gets nobody on. A visit changes nothing, so that a mail program that looks at links does not either.
func (p *Provider) getDevice(c echo.Context) error {
	browser := digest(p.browserProof(c))
	d, err := p.devices.get(c.Request().Context(), c.QueryParam("request"))
	switch {
	case errors.Is(err, ephemeral.ErrNotFound): // typed by hand, or a link from long ago
		return p.showDevice(c, http.StatusOK, deviceView{})
	case err != nil:
		return fmt.Errorf("read device request: %w", err)
	}
	if why := p.closed(d, browser); why != nil {
		return p.showDevice(c, why.Reason.status(), deviceView{Error: why.Reason.String()})
	}
	return p.showDevice(c, http.StatusOK, deviceView{Request: d.handle, Head: string(d.Head)})
}

func (p *Provider) showDevice(c echo.Context, status int, v deviceView) error {
	p.site.Render(c.Response(), c.Request(), status, web.Page{Name: "device", Title: "device.title", Error: v.Error, Data: v})
	return nil
}

// closed says why a request cannot be gone on with in this browser, or nil.
func (p *Provider) closed(d *deviceRecord, browser string) *Error {
	client := string(d.Request.Client)
	switch {
	case d.expired(p.now()):
		return &Error{Reason: CodeExpired, Detail: "device code expired", Client: client}
	case d.State == deviceShown && d.Browser != browser:
		return &Error{Reason: CodeUsed, Detail: "typed in another browser", Client: client}
	case d.State == deviceApproved, d.State == deviceDenied, d.State == deviceSpent:
		return &Error{Reason: CodeUsed, Detail: "decided already", Client: client}
	}
	return nil
}

// postDevice takes the code, and the browser has the request from then on.
func (p *Provider) postDevice(c echo.Context) error {
	ctx := c.Request().Context()
	browser := digest(p.browserProof(c))
	v := deviceView{Request: c.FormValue("request"), Value: c.FormValue("user_code")}
	if len(v.Value) > maxUserCodeText {
		v.Value = ""
	}
	refuse := func(reason Reason) error {
		v.Error = reason.String()
		return p.showDevice(c, reason.status(), v)
	}
	wait, err := p.countTry(ctx, browser, v.Request)
	if err != nil {
		return err
	}
	if wait > 0 {
		c.Response().Header().Set("Retry-After", strconv.Itoa(int(wait.Seconds())))
		v.Minutes = int((wait + time.Minute - 1) / time.Minute)
		return refuse(TooMany)
	}
	d, code, err := p.typed(ctx, &v)
	if errors.Is(err, ephemeral.ErrNotFound) {
		if err := p.recordStranger(ctx, audit.Event{Kind: eventDeviceWrongCode}); err != nil {
			return err
		}
		return refuse(CodeWrong)
	}
	if err != nil {
		return fmt.Errorf("find device request: %w", err)
	}
	if err := p.limiter.Refund(ctx, triesOfEverybody, "all"); err != nil {
		return err
	}
	_, err = p.devices.change(ctx, d.handle, func(d *deviceRecord) error {
		if why := p.closed(d, browser); why != nil {
			return why
		}
		d.Browser = browser
		return d.move(deviceShown)
	})
	var why *Error
	if errors.As(err, &why) {
		v = deviceView{} // what was typed is of no more use
		return refuse(why.Reason)
	}
	if err != nil {
		return err
	}
	tx := &transaction{State: Received, Request: d.Request, Device: d.handle, UserCode: code, Browser: browser, StartedAt: p.now().Unix()}
	if err := p.transactions.create(ctx, tx); err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, stepPath(StepConfirmDevice)+"?"+pageQuery(tx))
}

// countTry counts a try and returns how long to wait if there were too many.
func (p *Provider) countTry(ctx context.Context, browser, request string) (time.Duration, error) {
	type count struct {
		rule ratelimit.Rule
		who  string
	}
	counts := []count{{triesOfBrowser, browser}, {triesOfEverybody, "all"}}
	if request != "" {
		counts = append(counts, count{triesOfLink, request})
	}
	for _, n := range counts {
		ok, wait, err := p.limiter.Allow(ctx, n.rule, n.who)
		if err != nil {
			return 0, err
		}
		if !ok {
			return wait, nil
		}
	}
	return 0, nil
}

// typed returns the request that the typed code belongs to, or ephemeral.ErrNotFound. With a link the second half will do, and the whole
// must be that of the link.
func (p *Provider) typed(ctx context.Context, v *deviceView) (*deviceRecord, userCode, error) {
	code, ok := parseUserCode(v.Value)
	if v.Request == "" {
		if !ok || len(code) != userCodeLength {
			return nil, "", ephemeral.ErrNotFound
		}
		d, err := p.devices.byUserCode(ctx, code)
		return d, code, err
	}
	d, err := p.devices.get(ctx, v.Request)
	if err != nil {
		v.Request = "" // nothing of the kind: the page asks for the whole code again
		return nil, "", err
	}
	v.Head = string(d.Head)
	if ok && len(code) == userCodeHalf {
		code = d.Head + code
	}
	if !ok || !sameDigest(d.Code, p.devices.codeDigest(code)) {
		return nil, "", ephemeral.ErrNotFound
	}
	return d, code, nil
}
