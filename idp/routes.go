package idp

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/federation"
)

// route is one method on one path.
type route struct {
	method  string
	path    string
	handler echo.HandlerFunc
}

// machineRoutes are called by programs: no cookies, no cross-origin check, JSON errors. Each that changes anything authenticates its
// caller.
func (p *Provider) machineRoutes() []route {
	return []route{
		{http.MethodGet, "/.well-known/openid-configuration", p.getDiscovery},
		{http.MethodGet, "/.well-known/oauth-authorization-server", p.getDiscovery},
		{http.MethodGet, resourceMetadataPath, p.getResourceMetadata},
		{http.MethodGet, "/jwks", p.getJWKS},
		{http.MethodGet, federation.StatusPath + ":id", p.getStatusList},
		{http.MethodPost, "/par", p.postPAR},
		{http.MethodPost, "/device_authorization", p.postDeviceAuthorization},
		{http.MethodPost, "/token", p.postToken},
		{http.MethodPost, "/revoke", p.postRevoke},
		{http.MethodPost, "/introspect", p.postIntrospect},
		{http.MethodGet, "/api/service", p.getService},
		{http.MethodGet, "/userinfo", p.getUserinfo},
		{http.MethodPost, "/userinfo", p.getUserinfo},
		{http.MethodGet, "/card/challenges/:id", p.getChallenge},
		{http.MethodPost, "/card/challenges/:id", p.postChallenge},
		{http.MethodPost, removalPath, p.postRemoval},
		{http.MethodGet, "/signatures/:id/request", p.getSignatureRequest},
		{http.MethodPost, "/signatures/:id", p.postSignature},
		{http.MethodGet, "/api/signatures/:id", p.getSignature},
	}
}

// pageRoutes are visited by citizens.
func (p *Provider) pageRoutes() []route {
	return []route{
		{http.MethodGet, "/", p.getHome},
		{http.MethodGet, "/authorize", p.getAuthorize},
		{http.MethodPost, "/authorize", p.getAuthorize},
		{http.MethodGet, "/login", p.getLogin},
		{http.MethodPost, "/login/card", p.postLoginCard},
		{http.MethodGet, "/login/passkey", p.getLoginPasskey},
		{http.MethodPost, "/login/passkey", p.postLoginPasskey},
		{http.MethodGet, "/login/passkey/refused", p.getPasskeyRefused},
		{http.MethodPost, "/login/cancel", p.postLoginCancel},
		{http.MethodGet, "/login/return", p.getLoginReturn},
		{http.MethodGet, "/login/refused", p.getLoginRefused},
		{http.MethodPost, phoneLoginPath, p.postPhoneLogin},
		{http.MethodGet, phoneLoginPath, p.getPhoneLogin},
		{http.MethodPost, phoneLoginPath + "/end", p.postPhoneLoginEnd},
		{http.MethodGet, phonePath, p.getPhone},
		{http.MethodGet, phonePath + "/return", p.getPhoneReturn},
		{http.MethodGet, phonePath + "/refused", p.getPhoneRefused},
		{http.MethodPost, phonePath + "/number", p.postPhoneNumber},
		{http.MethodPost, phonePath + "/card", p.postPhoneCard},
		{http.MethodPost, phonePath + "/stop", p.postPhoneStop},
		{http.MethodGet, phonePath + "/:frame", p.getPhoneScan},
		{http.MethodGet, "/folder/open", p.getFolderOpen},
		{http.MethodPost, "/folder/open", p.postFolderOpen},
		{http.MethodGet, againPath, p.getFolderAgain},
		{http.MethodPost, againPath, p.postFolderAgain},
		{http.MethodGet, joinPath, p.getFolderJoin},
		{http.MethodPost, joinPath, p.postFolderJoin},
		{http.MethodGet, "/device", p.getDevice},
		{http.MethodPost, "/device", p.postDevice},
		{http.MethodGet, "/device/confirm", p.getDeviceConfirm},
		{http.MethodPost, "/device/confirm", p.postDeviceConfirm},
		{http.MethodGet, "/device/done", p.getDeviceDone},
		{http.MethodGet, "/consent", p.getConsent},
		{http.MethodGet, "/sign", p.getSign},
		{http.MethodPost, "/sign/card", p.postSignCard},
		{http.MethodPost, "/sign/cancel", p.postSignCancel},
		{http.MethodGet, "/sign/return", p.getSignReturn},
		{http.MethodGet, "/sign/refused", p.getSignRefused},
		{http.MethodPost, "/consent", p.postConsent},
		{http.MethodGet, choosePath, p.getChoose},
		{http.MethodPost, choosePath, p.postChoose},
		{http.MethodGet, "/account", p.getAccount},
		{http.MethodGet, preparePath, p.getPrepare},
		{http.MethodPost, preparePath, p.postPrepare},
		{http.MethodGet, undoPath, p.getCardUndo},
		{http.MethodPost, undoPath, p.postCardUndo},
		{http.MethodGet, detailsPath, p.getDetails},
		{http.MethodPost, detailsPath, p.postDetails},
		{http.MethodGet, detailsPath + "/delete", p.getDetailsDelete},
		{http.MethodPost, detailsPath + "/delete", p.postDetailsDelete},
		{http.MethodGet, signaturesPath, p.getSignatures},
		{http.MethodGet, confirmedPath, p.getConfirmed},
		{http.MethodPost, confirmedPath, p.postConfirmed},
		{http.MethodPost, confirmedPath + "/remove", p.postConfirmedRemove},
		{http.MethodPost, "/consent/confirm", p.postConsentConfirm},
		{http.MethodGet, givenPath, p.getGiven},
		{http.MethodGet, givenNewPath, p.getGivenNew},
		{http.MethodPost, givenNewPath, p.postGivenNew},
		{http.MethodGet, givenPath + "/:id/confirm", p.getGivenConfirm},
		{http.MethodPost, givenPath + "/:id/confirm", p.postGivenConfirm},
		{http.MethodGet, givenPath + "/:id/end", p.getGivenEnd},
		{http.MethodPost, givenPath + "/:id/end", p.postGivenEnd},
		{http.MethodGet, heldPath, p.getHeld},
		{http.MethodPost, heldPath, p.postHeldCode},
		{http.MethodPost, heldPath + "/accept", p.postHeldAccept},
		{http.MethodGet, heldPath + "/:id/end", p.getHeldEnd},
		{http.MethodPost, heldPath + "/:id/end", p.postHeldEnd},
		{http.MethodGet, passkeysPath, p.getPasskeys},
		{http.MethodGet, passkeyNewPath, p.getPasskeyNew},
		{http.MethodPost, passkeyNewPath, p.postPasskeyNew},
		{http.MethodGet, passkeyNewPath + "/refused", p.getPasskeyNewRefused},
		{http.MethodGet, passkeysPath + "/:id", p.getPasskey},
		{http.MethodPost, passkeysPath + "/:id", p.postPasskey},
		{http.MethodGet, passkeysPath + "/:id/remove", p.getPasskeyRemove},
		{http.MethodPost, passkeysPath + "/:id/remove", p.postPasskeyRemove},
		{http.MethodPost, sharedPath, p.postShared},
		{http.MethodGet, sessionEndingPath, p.getSessionEnding},
		{http.MethodPost, sessionStayPath, p.postSessionContinue},
		{http.MethodPost, sessionLeavePath, p.postSessionSignOut},
		{http.MethodGet, devicesPath, p.getDevices},
		{http.MethodPost, apartPath, p.postApart},
		{http.MethodGet, devicesPath + "/:id", p.getDeviceSession},
		{http.MethodPost, devicesPath + "/:id", p.postDeviceSession},
		{http.MethodGet, servicesPath + "/:client", p.getServiceRules},
		{http.MethodPost, servicesPath + "/:client", p.postServiceRules},
		{http.MethodGet, noticesPath, p.getNotices},
		{http.MethodPost, noticesPath + "/read", p.postNoticesRead},
		{http.MethodGet, noticesPath + "/confirm", p.getNoticeConfirm},
		{http.MethodPost, noticesPath + "/confirm", p.postNoticeConfirm},
		{http.MethodGet, noticesPath + "/:via", p.getNoticeWay},
		{http.MethodPost, noticesPath + "/:via", p.postNoticeWay},
		{http.MethodPost, noticesPath + "/:via/stop", p.postNoticeStop},
		{http.MethodGet, notMePath + "/:name", p.getNotMe},
		{http.MethodPost, notMePath + "/:name", p.postNotMe},
		{http.MethodGet, "/account/sign-out-everywhere", p.getSignOutEverywhere},
		{http.MethodPost, "/account/sign-out-everywhere", p.postSignOutEverywhere},
		{http.MethodGet, "/end-session", p.getEndSession},
		{http.MethodPost, "/end-session", p.getEndSession},
		{http.MethodGet, "/end-session/confirm", p.getEndSessionConfirm},
		{http.MethodPost, "/end-session/confirm", p.postEndSessionConfirm},
		{http.MethodGet, "/signed-out", p.getSignedOut},
		{http.MethodGet, "/check-session", p.getCheckSession},
		{http.MethodGet, "/help", p.static("help")},
		{http.MethodGet, "/developers", p.getDevelopers},
		{http.MethodGet, "/terms", p.static("terms")},
		{http.MethodGet, "/privacy", p.static("privacy")},
		{http.MethodGet, "/accessibility", p.static("accessibility")},
	}
}

// machinePaths are the paths that the site's middleware leaves to their own authentication.
func machinePaths() []string {
	return []string{
		"/.well-known/openid-configuration", "/.well-known/oauth-authorization-server", resourceMetadataPath, "/jwks", "/par",
		federation.StatusPath, federation.PathSSFConfiguration,
		"/device_authorization", "/token", "/revoke", "/introspect",
		"/userinfo", "/register", "/register/", "/card/challenges/", removalPath, "/signatures/", "/api/", "/healthz", "/readyz",
	}
}

// crossOriginPaths are the pages that a service may post a form to (OIDC Core §3.1.2.1, RP-Initiated Logout §2). They do nothing but
// start something that the citizen then decides.
func crossOriginPaths() []string { return []string{"/authorize", "/end-session"} }

// Handler returns the provider as a handler, with the federation's API and the registration of clients beside it.
func (p *Provider) Handler() http.Handler {
	return p.site.Middleware(p.router())
}

func (p *Provider) router() *echo.Echo {
	e := p.newEcho()
	for _, r := range p.machineRoutes() {
		e.Add(r.method, r.path, r.handler)
	}
	for _, path := range []string{"/.well-known/openid-configuration", "/.well-known/oauth-authorization-server", resourceMetadataPath, "/jwks", federation.StatusPath + ":id", "/token", "/revoke", "/userinfo"} {
		e.OPTIONS(path, preflight)
	}
	for _, r := range p.pageRoutes() {
		e.Add(r.method, r.path, r.handler)
	}
	p.mountShared(e)
	e.GET("/static/*", echo.WrapHandler(p.site.Static()))
	e.GET("/logos/:file", p.getLogo)
	return e
}

func (p *Provider) newEcho() *echo.Echo {
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.HTTPErrorHandler = p.answerError
	return e
}

// mountShared mounts what every address of the hub has.
func (p *Provider) mountShared(e *echo.Echo) {
	p.api.Mount(e)
	p.signals.Mount(e, federation.StreamAPIDeps{Authorize: p.authorizeAPI, Refuse: p.refuseAPI})
	p.exchangeAPI.Mount(e)
	p.registrar.Mount(e)
	e.GET("/healthz", func(c echo.Context) error { return c.String(http.StatusOK, "alive\n") })
	e.GET("/readyz", func(c echo.Context) error {
		if err := p.Ready(c.Request().Context()); err != nil {
			p.log.ErrorContext(c.Request().Context(), "not ready", "err", err)
			return c.String(http.StatusServiceUnavailable, "not ready\n")
		}
		return c.String(http.StatusOK, "ready\n")
	})
}

// preflight answers the browser of a single-page app (Fetch standard): these endpoints use no cookies, so any origin may call them.
func preflight(c echo.Context) error {
	h := c.Response().Header()
	allowAnyOrigin(h)
	h.Set("Access-Control-Allow-Methods", "GET, POST")
	h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, DPoP")
	h.Set("Access-Control-Max-Age", "3600")
	return c.NoContent(http.StatusNoContent)
}

func allowAnyOrigin(h http.Header) {
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Expose-Headers", "DPoP-Nonce, WWW-Authenticate")
}
