package agency

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// Hosts serves several offices at one listener, each at the host of its own origin. Any other name leads nowhere, but for /healthz and
// /readyz, which speak for all.
func Hosts(offices ...*Office) (http.Handler, error) {
	byHost := map[string]*Office{}
	for _, o := range offices {
		u, err := url.Parse(o.config.BaseURL)
		if err != nil {
			return nil, fmt.Errorf("agency: %w", err)
		}
		host := strings.ToLower(u.Host)
		if byHost[host] != nil {
			return nil, fmt.Errorf("agency: two offices at %s: give each a host of its own", host)
		}
		byHost[host] = o
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if o := byHost[strings.ToLower(r.Host)]; o != nil && r.URL.Path != "/readyz" {
			o.Handler().ServeHTTP(w, r)
			return
		}
		switch r.URL.Path {
		case "/healthz":
			_, _ = io.WriteString(w, "ok") // the caller hung up: nobody is left to tell
		case "/readyz":
			var err error
			for _, o := range offices {
				err = errors.Join(err, o.db.Ping(r.Context()))
			}
			if err != nil {
				http.Error(w, "database does not answer", http.StatusServiceUnavailable)
				return
			}
			_, _ = io.WriteString(w, "ready")
		default:
			http.Error(w, "no office has this name", http.StatusMisdirectedRequest)
		}
	}), nil
}
