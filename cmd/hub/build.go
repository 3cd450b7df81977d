package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/tsunagu-id/tsunagu/idp/hub"
	"github.com/tsunagu-id/tsunagu/internal/ephemeral"
	"github.com/tsunagu-id/tsunagu/internal/metrics"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
)

// build turns the configuration into a hub. closeAll releases what it opened.
func build(ctx context.Context, c config, log *slog.Logger) (h *hub.Hub, operators http.Handler, closeAll func(), err error) {
	dsn, err := c.dsn()
	if err != nil {
		return nil, nil, nil, err
	}
	sealer, err := c.sealer()
	if err != nil {
		return nil, nil, nil, err
	}
	anchors, err := c.anchors()
	if err != nil {
		return nil, nil, nil, err
	}
	figures := metrics.New()
	revocation, err := c.revocation(time.Now, anchors, figures)
	if err != nil {
		return nil, nil, nil, err
	}
	signingAnchors, signingRevocation, err := c.signing(time.Now, figures)
	if err != nil {
		return nil, nil, nil, err
	}
	linkage, err := c.linkage(time.Now)
	if err != nil {
		return nil, nil, nil, err
	}
	fetch, err := c.fetcher(time.Now)
	if err != nil {
		return nil, nil, nil, err
	}
	mutual, err := c.Mutual.identity()
	if err != nil {
		return nil, nil, nil, err
	}
	authorities, err := c.Mutual.authorities()
	if err != nil {
		return nil, nil, nil, err
	}
	policies, err := c.policies()
	if err != nil {
		return nil, nil, nil, err
	}
	post, err := c.SMTP.sender()
	if err != nil {
		return nil, nil, nil, err
	}
	db, err := sqldb.Open(ctx, dsn)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("database: %w", err)
	}
	closers := []func() error{db.Close}
	closeAll = func() {
		for _, f := range closers {
			if err := f(); err != nil {
				log.Error("closing", "err", err)
			}
		}
	}
	var transient ephemeral.Store
	if len(c.Redis) > 0 {
		password := ""
		if c.RedisPassword.File != "" {
			b, err := c.RedisPassword.Read()
			if err != nil {
				closeAll()
				return nil, nil, nil, fmt.Errorf("redis_password: %w", err)
			}
			password = string(b)
		}
		r, closeRedis := ephemeral.DialRedis(ephemeral.RedisAddress{Addresses: c.Redis, Master: c.RedisMaster, Password: password}, "tsunagu:")
		closers, transient = append(closers, closeRedis), r
	}
	h, err = hub.New(ctx, hub.Config{
		Issuer: c.Issuer, AgentURL: c.AgentURL, DB: db, Transient: transient, Sealer: sealer, Anchors: anchors, Revocation: revocation, PhonePolicy: c.Cards.PhonePolicy,
		Linkage: linkage, Mail: post,
		Fetch: fetch, Policies: policies, Now: time.Now, Log: log, Sample: c.Sample,
		SigningAnchors: signingAnchors, SigningRevocation: signingRevocation,
		MutualTLS: mutual, Authorities: authorities, Metrics: figures, Recheck: c.recheck(), LaunchEvery: time.Duration(c.LaunchEvery), Session: c.sessions(), TellAtOnce: c.Logout.PerService,
		MandateMonths: c.MandateMonths, OperatorsURL: c.Operators.url(), AuditFor: time.Duration(c.Audit.KeepDays) * 24 * time.Hour,
		Rates: hub.Rates{Login: c.Rates.Login, Strangers: c.Rates.Strangers},
	})
	if err == nil && c.Clients != "" {
		err = seed(ctx, h, c.Clients)
	}
	if err == nil {
		operators, err = c.operatorPages(ctx, h, db, transient, log)
	}
	if err != nil {
		closeAll()
		return nil, nil, nil, err
	}
	return h, operators, closeAll, nil
}

// operatorPages serves the operators' address; nil: there is none. Sessions of operators are where those of citizens are.
func (c config) operatorPages(ctx context.Context, h *hub.Hub, db *sqldb.DB, store ephemeral.Store, log *slog.Logger) (http.Handler, error) {
	if store == nil {
		var err error
		if store, err = ephemeral.NewSQL(ctx, db, time.Now); err != nil {
			return nil, err
		}
	}
	return c.console(ctx, h, store, log)
}

func seed(ctx context.Context, h *hub.Hub, path string) error {
	b, err := os.ReadFile(path) //nolint:gosec // the operator names the file
	if err != nil {
		return fmt.Errorf("clients: %w", err)
	}
	if err := h.Clients.Seed(ctx, b); err != nil {
		return fmt.Errorf("clients: %s: %w", path, err)
	}
	return nil
}
