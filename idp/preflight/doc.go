// Package preflight tries a service before citizens do, and writes a dated report of what it found.
//
// It plays the browsers of people who do not exist. Each login begins where the service says that others may begin one (OpenID Connect Core
// §4), is answered by the hub at once (package idp issues the code, see Provider.BeginProbe), and is answered well or with one thing wrong.
// What the service did is not asked of it but seen: after each answer the browser looks at the page on which the first, good login ended.
// That page looks one way to somebody who is signed in and another way to a stranger, and a service that signs somebody in with a wrong
// state did not check the state. In the same way a logout token did its work if the browser is a stranger again.
//
// It reaches addresses of the service alone, through the guarded fetcher, and makes a bounded number of requests in a bounded time. It
// refuses to know who may ask for a report and what a report is good for.
package preflight
