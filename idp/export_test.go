package idp

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
