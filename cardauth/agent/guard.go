package agent

import (
	"net/http"
	"strings"

	"github.com/tsunagu-id/tsunagu/internal/audit"
)

// guard lets through what a citizen's browser sends when it opens a page of ours, and nothing else. Posts by other
// sites are refused before this, by the frame (http.CrossOriginProtection).
//
//   - A foreign Host means that some name was pointed at this computer (DNS rebinding): to the browser our pages
//     would belong to that name's site. Style and icons are let through, so that the page that says so can be read.
//   - OPTIONS is how a browser asks whether another site may call us, also across networks (Private Network Access).
//     The answer is no, without a header that could be taken for a yes.
//   - Sec-Fetch-Dest (W3C Fetch Metadata) names what the answer is for. Ours are whole pages: not a frame, not the
//     catch of a script, and not fetched ahead of time, which would make a hub think the challenge had been seen.
//     Programs that are no browser do not send it.
func (a *Agent) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasPrefix(r.URL.Path, "/static/") && r.Method != http.MethodOptions:
			next.ServeHTTP(w, r)
		case r.Host != a.origin.Host:
			a.turnAway(w, r, refuse(ForeignHost, ""), kindForeignHost, map[string]string{"host": printable(r.Host)})
		case r.Method == http.MethodOptions:
			w.WriteHeader(http.StatusForbidden)
		case !wholePage(r.Header):
			a.turnAway(w, r, refuse(Embedded, ""), kindEmbedded, map[string]string{
				"dest": printable(r.Header.Get("Sec-Fetch-Dest")), "site": printable(r.Header.Get("Sec-Fetch-Site")),
			})
		default:
			next.ServeHTTP(w, r)
		}
	})
}

func wholePage(h http.Header) bool {
	dest := h.Get("Sec-Fetch-Dest")
	return (dest == "" || dest == "document") &&
		!strings.Contains(h.Get("Sec-Purpose"), "prefetch") && !strings.Contains(h.Get("Purpose"), "prefetch")
}

func (a *Agent) turnAway(w http.ResponseWriter, r *http.Request, err *Error, kind audit.Kind, facts map[string]string) {
	event := audit.Event{Kind: kind, Reason: err.Reason.String(), Facts: facts}
	a.record(r.Context(), a.journal.writeStranger(r.Context(), event))
	a.trouble(r.Context(), err)
	a.renderProblem(w, r, nil, "", err)
}
