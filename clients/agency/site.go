package agency

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tsunagu-id/tsunagu/clients/rp"
	"github.com/tsunagu-id/tsunagu/internal/ephemeral"
	"github.com/tsunagu-id/tsunagu/internal/ratelimit"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

//go:embed pages messages/*.json
var files embed.FS

// Office is one office.
type Office struct {
	config  Config
	party   *rp.Party
	web     *web.Site
	db      *sqldb.DB
	store   *ephemeral.SQL
	limiter *ratelimit.Limiter
	now     func() time.Time
	log     *slog.Logger
	hint    *Record // the record to try, on a sample
	handler http.Handler

	asked, answered chan struct{} // something was put into an outbox
}

// New brings the database up to date and returns an office ready to serve. It does not speak to the hub yet.
func New(ctx context.Context, c Config) (*Office, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	if err := migrate(ctx, c.DB); err != nil {
		return nil, fmt.Errorf("agency: %w", err)
	}
	store, err := ephemeral.NewSQL(ctx, c.DB, c.Now)
	if err != nil {
		return nil, fmt.Errorf("agency: %w", err)
	}
	o := &Office{
		config: c, db: c.DB, store: store, limiter: ratelimit.New(store, c.Now), now: c.Now, log: c.Log,
		asked: make(chan struct{}, 1), answered: make(chan struct{}, 1),
	}
	if o.web, err = newWeb(c); err != nil {
		return nil, err
	}
	o.party, err = rp.New(rp.Config{
		Issuer: c.Issuer, BaseURL: c.BaseURL, ClientID: c.ClientID, Credential: c.Key, Bound: c.Key, HTTP: c.HTTP, Site: o.web, Store: store,
		Now: c.Now, Log: c.Log,
	})
	if err != nil {
		return nil, err
	}
	if err := o.seed(ctx, c.Records); err != nil {
		return nil, err
	}
	if c.Sample && c.holds() {
		o.hint = &c.Records[0]
	}
	o.handler = o.web.Middleware(o.routes())
	return o, nil
}

func newWeb(c Config) (*web.Site, error) {
	pages, err := fs.Sub(files, "pages")
	if err != nil {
		return nil, err
	}
	own, err := fs.Sub(files, "messages")
	if err != nil {
		return nil, err
	}
	messages, err := rp.MessagesNamed(own, map[string]string{"ja": c.Name.JA, "en": c.Name.EN})
	if err != nil {
		return nil, err
	}
	return web.NewSite(web.SiteConfig{
		Slug: c.Slug, Kind: web.Service, Secure: strings.HasPrefix(c.BaseURL, "https://"), Sample: c.Sample,
		Messages: messages, Pages: pages, SignOut: rp.PathLogout, Log: c.Log,
		Footer:           []web.Link{{Key: "frame.help", Href: "/help"}, {Key: "desk.link", Href: "/desk"}},
		APIPaths:         []string{"/healthz", "/readyz", rp.PathJWKS, rp.PathBackchannel, pathItems},
		CrossOriginPaths: []string{rp.PathInitiate},
	})
}

// Handler serves the office.
func (o *Office) Handler() http.Handler { return o.handler }

// Run does what is not asked for by a browser, until ctx ends: it asks again where nobody answered, tells the hub what was answered here,
// and sweeps up.
func (o *Office) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return o.store.Run(ctx) })
	for _, outbox := range []struct {
		name string
		kick <-chan struct{}
		work func(context.Context) error
	}{{"inquiries", o.asked, o.askDue}, {"provisions", o.answered, o.confirmDue}} {
		group.Go(func() error {
			tick := time.NewTicker(outboxEvery)
			defer tick.Stop()
			for {
				if err := outbox.work(ctx); err != nil && ctx.Err() == nil {
					o.log.ErrorContext(ctx, "outbox", "of", outbox.name, "err", err)
				}
				select {
				case <-ctx.Done():
					return nil
				case <-tick.C:
				case <-outbox.kick:
				}
			}
		})
	}
	return group.Wait()
}

const (
	outboxEvery = time.Second
	// outboxHold outlives what is done with one row, and a process that died holding one delays it no longer.
	outboxHold  = 30 * time.Second
	outboxFirst = 2 * time.Second
	outboxMost  = 5 * time.Minute
)

// pause doubles with every try.
func pause(tries int) time.Duration {
	if tries > 8 {
		return outboxMost
	}
	return min(outboxFirst<<max(tries-1, 0), outboxMost)
}

// kick wakes an outbox that has something new.
func kick(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default: // it is awake
	}
}
