package main

// The demo's fixed addresses. The authority's stays http in any case: revocation answers are signed, and certificates say http.
const (
	hubAddr       = "localhost:8400"
	portalAddr    = "localhost:8401"
	etaxAddr      = "localhost:8402"
	postboxAddr   = "localhost:8405"
	agentAddr     = "127.0.0.1:8404"
	mutualAddr    = "localhost:8410" // for clients with certificates, with TLS only
	operatorsAddr = "localhost:8409" // console, API and figures for operators
	carelessAddr  = "localhost:8411" // wrong on purpose; registered by nobody
	authorityAddr = "127.0.0.1:8406"
	mailAddr      = "127.0.0.1:8408" // SMTP
)

func (o options) url(addr string) string {
	if o.tls {
		return "https://" + addr
	}
	return "http://" + addr
}
