package console

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/clients/adminapi"
	"github.com/tsunagu-id/tsunagu/clients/rp"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

// parts are what the console consists of. One more is a line here.
func (o *Console) parts() []func(*echo.Echo) {
	return []func(*echo.Echo){
		o.mountHome,
		o.mountJoin,
		o.mountList,
		o.mountWizard,
		o.mountService,
		o.mountEdit,
		o.mountDraft,
		o.mountVersions,
		o.mountSecrets,
		o.mountLogo,
		o.mountStop,
		o.mountStarting,
		o.mountTrial,
		o.mountPreflight,
		o.mountImpact,
		o.mountSignOuts,
		o.mountKeys,
		o.mountAudit,
		o.mountCitizens,
		o.mountOperators,
		o.mountOrganisations,
		o.mountTokens,
	}
}

// place is an entry of the menu, and the part of the console that a page says it is in.
type place struct {
	key, href string
	// may says who has any use for it; nil: every operator.
	may func(adminapi.Operator) bool
}

// The places of the menu.
const (
	inHome          = "menu.home"
	inServices      = "menu.services"
	inOrganisations = "menu.organisations"
	inOperators     = "menu.operators"
	inCitizens      = "menu.citizens"
	inAudit         = "menu.audit"
	inKeys          = "menu.keys"
)

// menu lists them in order.
func menu() []place {
	return []place{
		{key: inHome, href: "/"},
		{key: inServices, href: "/clients"},
		{key: inOrganisations, href: "/organisations"},
		{key: inKeys, href: "/keys", may: everywhere},
		{key: inAudit, href: "/audit", may: everywhere},
		{key: inCitizens, href: "/citizens", may: everywhere},
		{key: inOperators, href: "/operators", may: everywhere},
	}
}

// everywhere is of use to operators who are not bound to one organisation.
func everywhere(o adminapi.Operator) bool { return o.Organisation == "" }

// tab is a page about one service, as a link beside the others. Its path follows that of the service.
type tab struct{ key, path string }

// The tabs of a service.
const (
	tabOverview  = "tab.overview"
	tabStart     = "tab.start"
	tabSettings  = "tab.settings"
	tabSecrets   = "tab.secrets"
	tabTrial     = "tab.trial"
	tabPreflight = "tab.preflight"
	tabImpact    = "tab.impact"
	tabVersions  = "tab.versions"
	tabSignOuts  = "tab.logout"
)

// tabs lists them in order.
func tabs() []tab {
	return []tab{
		{tabOverview, ""},
		{tabStart, "/start"},
		{tabSettings, "/settings"},
		{tabSecrets, "/secrets"},
		{tabTrial, "/trial"},
		{tabPreflight, "/preflights"},
		{tabImpact, "/impact"},
		{tabVersions, "/versions"},
		{tabSignOuts, "/logout"},
	}
}

// routes is the whole surface of the console.
func (o *Console) routes(key *rp.Key) http.Handler {
	e := echo.New()
	e.HTTPErrorHandler = o.fail
	e.IPExtractor = echo.ExtractIPDirect()
	for _, mount := range o.parts() {
		mount(e)
	}

	e.GET(rp.PathLogin, func(c echo.Context) error { return o.party.Login(c.Response(), c.Request()) })
	e.GET(rp.PathInitiate, o.initiate)
	e.POST(rp.PathInitiate, o.initiate)
	e.GET(rp.PathCallback, o.getCallback)
	e.POST(rp.PathLogout, func(c echo.Context) error {
		return c.Redirect(http.StatusSeeOther, o.party.SignOut(c.Response(), c.Request()))
	})
	e.POST(rp.PathBackchannel, func(c echo.Context) error {
		o.party.Backchannel(c.Response(), c.Request())
		return nil
	})
	e.GET(rp.PathSignedOut, o.still("signed-out", "signed_out.title"))
	e.GET(rp.PathJWKS, echo.WrapHandler(key))
	e.GET("/help", o.still("help", "help.title"))
	e.GET("/static/*", echo.WrapHandler(o.web.Static()))
	return e
}

// still is a page that says the same to everybody.
func (o *Console) still(name, title string) echo.HandlerFunc {
	return func(c echo.Context) error {
		o.web.Render(c.Response(), c.Request(), http.StatusOK, web.Page{Name: name, Title: title})
		return nil
	}
}

func (o *Console) initiate(c echo.Context) error {
	to, err := o.party.Initiate(c.Request())
	if err != nil {
		return err
	}
	return o.party.Begin(c.Response(), c.Request(), to)
}

func (o *Console) getCallback(c echo.Context) error {
	arrival, err := o.party.Finish(c.Response(), c.Request())
	if err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, arrival.Return.String())
}
