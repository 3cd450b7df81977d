package web

import (
	"fmt"
	"html/template"
	"net/http"
)

// framePolicy is for a page that any site may frame: one script of ours, and nothing else.
const framePolicy = "default-src 'none'; script-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors *"

var framePage = template.Must(template.New("frame").Parse(`<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{{.Title}}</title>
<meta name="robots" content="noindex">
<script src="{{.Script}}" data-cookie="{{.Cookie}}"></script>
</head>
<body></body>
</html>
`))

// Frame answers with a page without words that other sites keep in a hidden frame. Its script is a static file and is told the full
// name of a cookie of ours, one that is Framed. The answer sets no cookie.
func (s *Site) Frame(w http.ResponseWriter, r *http.Request, title, script, cookie string) error {
	address, err := asset(script)
	if err != nil {
		return fmt.Errorf("web: %w", err)
	}
	s.setHeaders(w.Header(), r, false)
	w.Header().Set("Content-Security-Policy", framePolicy)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if r.Method == http.MethodHead {
		return nil
	}
	return framePage.Execute(w, struct{ Title, Script, Cookie string }{title, address, s.cookieName(cookie)})
}
