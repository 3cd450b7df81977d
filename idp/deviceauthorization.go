package idp

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/internal/audit"
	"github.com/tsunagu-id/tsunagu/internal/ratelimit"
)

// deviceAnswer is RFC 8628 §3.2.
type deviceAnswer struct {
	DeviceCode   string `json:"device_code"`
	UserCode     string `json:"user_code"`
	Verification string `json:"verification_uri"`
	Complete     string `json:"verification_uri_complete"`
	ExpiresIn    int64  `json:"expires_in"`
	Interval     int64  `json:"interval"`
}

// deviceRequests bounds how many codes of one client live at a time. The more there are, the likelier it is that a citizen's slip of
// the finger is somebody else's code.
var deviceRequests = ratelimit.Rule{Name: "device-request", Limit: 3000, Window: time.Minute}

// deviceChecks judge what of an authorization request a device may ask (RFC 8628 §3.1): everything but where to go back to.
var deviceChecks = []check{checkScope, checkLengths, checkACR, checkClaims, checkResources, checkDetails, checkNoSignature}

// postDeviceAuthorization gives a device its two codes.
func (p *Provider) postDeviceAuthorization(c echo.Context) error {
	ctx, r := c.Request().Context(), c.Request()
	form, err := readForm(r)
	if err != nil {
		return formError(err)
	}
	client, proof, err := p.authenticateBy(ctx, r, form)
	if err != nil {
		return err
	}
	// As at the push of a request: what is proved here is what the code will be bound to.
	jkt, err := p.proofKey(ctx, c, "/device_authorization", nil)
	if err != nil {
		return err
	}
	d := &draft{submission: submission{form: form, pushed: true, proof: &proof}, client: client}
	req, err := p.judgeDevice(ctx, d)
	p.noteDevice(d, err)
	if err != nil {
		return err
	}
	req.JKT = jkt
	if ok, _, err := p.limiter.Allow(ctx, deviceRequests, string(client.ID())); err != nil {
		return err
	} else if !ok {
		return &oauthError{code: "temporarily_unavailable", description: "too many devices of this client ask at once", status: http.StatusTooManyRequests}
	}
	code, shown, handle, err := p.devices.create(ctx, req)
	if err != nil {
		return err
	}
	if err := p.recordStranger(ctx, audit.Event{Kind: eventDeviceAsked, Client: string(client.ID())}); err != nil {
		return err
	}
	writeJSON(c.Response(), r, http.StatusOK, deviceAnswer{
		DeviceCode: code, UserCode: shown.String(), Verification: p.issuer + "/device",
		// The link names the request without its code (§3.3.1 allows it): whoever has only the link does not know what to type.
		Complete:  p.issuer + "/device?" + url.Values{"request": {handle}}.Encode(),
		ExpiresIn: int64(deviceLife.Seconds()), Interval: int64(deviceInterval.Seconds()),
	})
	return nil
}

// judgeDevice judges the request of a device. The citizen will always be asked for the card and for consent: there is no browser here
// that could be known already, and what she agrees to happens somewhere else.
func (p *Provider) judgeDevice(ctx context.Context, d *draft) (*authzRequest, error) {
	client, form := d.client, d.form
	switch {
	case !slices.Contains(client.GrantTypes(), clients.GrantDeviceCode):
		return nil, &oauthError{code: "unauthorized_client", description: "the client is not registered for the device grant", member: "grant_types"}
	case client.Profile() == clients.FAPI2: // its answer goes to the browser that asked; here another one answers
		return nil, &oauthError{code: "unauthorized_client", description: "the device grant is not part of profile fapi2", member: "profile"}
	case form.Get("request") != "" || form.Get("request_uri") != "":
		return nil, invalidRequest("request objects are not accepted here")
	}
	d.out.Client = client.ID()
	if err := d.pass(p, ctx, deviceChecks); err != nil {
		return nil, err
	}
	d.out.Nonce = "" // RFC 8628 has none, and a device must not rely on one
	d.out.Grant, d.out.Pushed, d.out.Prompt = newID(), true, promptLogin|promptConsent
	return &d.out, nil
}
