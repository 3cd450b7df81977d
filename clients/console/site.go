package console

import (
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/tsunagu-id/tsunagu/clients/rp"
	"github.com/tsunagu-id/tsunagu/internal/ephemeral"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

//go:embed pages messages/*.json
var files embed.FS

// Config is what New needs. Required unless it says otherwise.
type Config struct {
	Issuer   string // the hub
	BaseURL  string // the operators' origin, where console and API are both found
	ClientID string // as registered; see Registration
	Key      *rp.Key
	HTTP     *http.Client    // to reach the hub and its API with; nil means the default
	Store    ephemeral.Store // sessions; of the console alone
	Now      func() time.Time
	Log      *slog.Logger
	Sample   bool // say on every page that this is a sample
}

// Console serves the operators' pages.
type Console struct {
	party   *rp.Party
	web     *web.Site
	api     string // address of the API, without a slash at its end
	base    string
	key     *rp.Key
	kinds   []string // of the audit log
	store   ephemeral.Store
	now     func() time.Time
	log     *slog.Logger
	handler http.Handler
}

// New returns a console ready to serve. It does not speak to the hub yet.
func New(c Config) (*Console, error) {
	if c.Key == nil || c.Store == nil || c.Now == nil || c.Log == nil {
		return nil, errors.New("console: Config has an empty field")
	}
	if u, err := url.Parse(c.BaseURL); err != nil || u.Host == "" || u.Path != "" || u.RawQuery != "" {
		return nil, fmt.Errorf("console: BaseURL %q: want an origin", c.BaseURL)
	}
	o := &Console{api: c.BaseURL + "/api", base: c.BaseURL, key: c.Key, store: c.Store, now: c.Now, log: c.Log}
	own, err := words()
	if err != nil {
		return nil, err
	}
	o.kinds = kindsOf(own["en"])
	if o.web, err = newWeb(c, own); err != nil {
		return nil, err
	}
	o.party, err = rp.New(rp.Config{
		Issuer: c.Issuer, BaseURL: c.BaseURL, ClientID: c.ClientID, Credential: c.Key, Bound: c.Key, Scopes: []string{"offline_access", "admin"},
		HTTP: c.HTTP, Site: o.web, Store: c.Store, Now: c.Now, Log: c.Log,
	})
	if err != nil {
		return nil, err
	}
	o.handler = o.web.Middleware(o.routes(c.Key))
	return o, nil
}

func newWeb(c Config, own map[string]map[string]string) (*web.Site, error) {
	pages, err := fs.Sub(files, "pages")
	if err != nil {
		return nil, err
	}
	all, err := rp.Words(own)
	if err != nil {
		return nil, err
	}
	messages, err := rp.Messages(all)
	if err != nil {
		return nil, err
	}
	return web.NewSite(web.SiteConfig{
		Slug: "console", Kind: web.Console, Secure: strings.HasPrefix(c.BaseURL, "https://"), Sample: c.Sample,
		Messages: messages, Pages: pages, SignOut: rp.PathLogout, Log: c.Log,
		Footer:           []web.Link{{Key: "frame.help", Href: "/help"}},
		APIPaths:         []string{rp.PathJWKS, rp.PathBackchannel},
		CrossOriginPaths: []string{rp.PathInitiate},
		Uploads:          []string{"/clients/*/logo"},
	})
}

// words lays the message files of all parts of the console together: messages/PART.LANGUAGE.json. No two may have a key in common.
func words() (map[string]map[string]string, error) {
	names, err := fs.Glob(files, "messages/*.json")
	if err != nil {
		return nil, err
	}
	all := map[string]map[string]string{}
	for _, name := range names {
		b, err := files.ReadFile(name)
		if err != nil {
			return nil, err
		}
		texts := map[string]string{}
		if err := json.Unmarshal(b, &texts); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		lang := strings.TrimPrefix(path.Ext(strings.TrimSuffix(name, ".json")), ".")
		if all[lang] == nil {
			all[lang] = map[string]string{}
		}
		for key := range texts {
			if _, twice := all[lang][key]; twice {
				return nil, fmt.Errorf("%s: %q stands in another file too", name, key)
			}
		}
		maps.Copy(all[lang], texts)
	}
	return all, nil
}

// Handler serves the console.
func (o *Console) Handler() http.Handler { return o.handler }
