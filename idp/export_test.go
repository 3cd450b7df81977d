package idp

import (
	"cmp"
	"slices"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/federation"
	"github.com/tsunagu-id/tsunagu/federation/exchange"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

// RouteForTest is one entry of the route list.
type RouteForTest struct{ Method, Path string }

// RoutesForTest returns the lists that are the package's whole surface.
func RoutesForTest() (machine, pages []RouteForTest) {
	p := &Provider{}
	for _, r := range p.machineRoutes() {
		machine = append(machine, RouteForTest{r.method, r.path})
	}
	for _, r := range p.pageRoutes() {
		pages = append(pages, RouteForTest{r.method, r.path})
	}
	return machine, pages
}

// AllRoutesForTest returns every route that a provider serves, also those of the packages beside it.
func AllRoutesForTest() []RouteForTest {
	p := &Provider{api: &federation.API{}, exchangeAPI: &exchange.API{}, registrar: &clients.Registrar{}, site: &web.Site{}}
	var all []RouteForTest
	for _, r := range p.router().Routes() {
		all = append(all, RouteForTest{r.Method, r.Path})
	}
	slices.SortFunc(all, func(a, b RouteForTest) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Method, b.Method))
	})
	return all
}

// DigestForTest is under what secrets are stored.
func DigestForTest(secret string) string { return digest(secret) }
