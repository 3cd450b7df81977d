package idp

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/internal/mail"
	"github.com/tsunagu-id/tsunagu/keys"
)

const (
	noticePoll    = 500 * time.Millisecond
	noticeTidy    = 10 * time.Second
	mailAtOnce    = 8
	hooksAtOnce   = 32 // each gives up within seconds, so that many dead ones delay the others little
	firstPostpone = 5 * time.Second
	maxPostpone   = 30 * time.Minute // and a quarter more at random
	maxMailBreak  = time.Minute
)

// Webhooks posts to addresses that citizens chose. It must refuse what is not public and follow no redirect. *clients.Fetcher does.
type Webhooks interface {
	Check(address string) error
	Send(ctx context.Context, address string, m clients.Message) (status int, err error)
}

// noticeTypeSET is the type of what webhooks get (RFC 8417 §2.3), and noticeEvent and addressEvent are its events.
const (
	noticeTypeSET = "secevent+jwt"
	noticeEvent   = "urn:tsunagu:event:notices"
	confirmEvent  = "urn:tsunagu:event:notice-address"
	changedEvent  = "urn:tsunagu:event:notice-address-ended"
)

// RunNotices delivers letters and ends the sessions of notices that were disowned, until ctx ends. Any number of processes may do so at once.
// A letter is sent at least once; its Message-ID or jti is the same at every try, and so is what it says.
func (p *Provider) RunNotices(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	if p.mail != nil {
		g.Go(func() error {
			var broken mailBreak
			return p.every(ctx, noticePoll, "notices by mail", func(ctx context.Context) error { return p.deliverMail(ctx, &broken) })
		})
	}
	if p.hooks != nil {
		g.Go(func() error {
			return p.every(ctx, noticePoll, "notices by webhook", func(ctx context.Context) error {
				return p.deliver(ctx, viaWebhook, letterBatch, hooksAtOnce, p.sendHook)
			})
		})
	}
	g.Go(func() error { return p.every(ctx, noticeTidy, "notices", p.tidyNotices) })
	return g.Wait()
}

// every calls f again and again. While the database is away nothing spins.
func (p *Provider) every(ctx context.Context, pause time.Duration, what string, f func(context.Context) error) error {
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for {
		if err := f(ctx); err != nil && ctx.Err() == nil {
			p.log.ErrorContext(ctx, what+" stand still", "err", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// tidyNotices gives up on what is a day late, forgets what is old, and finishes what a process that was killed had begun.
func (p *Provider) tidyNotices(ctx context.Context) error {
	if err := p.news.giveUp(ctx, "", p.record); err != nil {
		return fmt.Errorf("give up: %w", err)
	}
	if err := p.news.sweep(ctx); err != nil {
		return err
	}
	return p.settleDisowned(ctx)
}

// mailBreak is what this process knows of the mail server: one that cannot be reached is asked with one letter, now and then.
type mailBreak struct {
	failures int
	until    time.Time
}

func (p *Provider) deliverMail(ctx context.Context, b *mailBreak) error {
	if p.now().Before(b.until) {
		return nil
	}
	limit := letterBatch
	if b.failures > 0 {
		limit = 1
	}
	var unreachable, tried atomic.Int64
	err := p.deliver(ctx, viaMail, limit, mailAtOnce, func(ctx context.Context, l *letter) error {
		tried.Add(1)
		err := p.sendMail(ctx, l)
		if e, ok := errors.AsType[*mail.Error](err); ok && (e.Stage == mail.StageConnect || e.Stage == mail.StageSender) {
			unreachable.Add(1)
		}
		return err
	})
	switch {
	case tried.Load() == 0:
	case unreachable.Load() == tried.Load():
		b.failures++
		b.until = p.now().Add(min(time.Second<<min(b.failures, 10), maxMailBreak))
	default:
		*b = mailBreak{}
	}
	return err
}

// deliver tries what is due, a bounded number of letters.
func (p *Provider) deliver(ctx context.Context, v via, limit, atOnce int, send func(context.Context, *letter) error) error {
	due, err := p.news.due(ctx, v, limit)
	if err != nil {
		return err
	}
	var g errgroup.Group
	g.SetLimit(atOnce)
	for id, tries := range due {
		if ctx.Err() != nil {
			break
		}
		g.Go(func() error { return p.tryLetter(ctx, id, tries, send) })
	}
	return g.Wait()
}

// tryLetter makes one try. Of all who hold the same letter one wins the claim; a crash after it costs the lease.
func (p *Provider) tryLetter(ctx context.Context, id string, tries int, send func(context.Context, *letter) error) error {
	l, err := p.news.claim(ctx, id, tries)
	if err != nil || l == nil {
		return err
	}
	err = send(ctx, l)
	// What happened is recorded even if we are asked to stop meanwhile.
	ctx = context.WithoutCancel(ctx)
	if err == nil {
		return p.news.sent(ctx, l.ID)
	}
	p.log.InfoContext(ctx, "notice not delivered", "letter", l.ID, "via", string(l.Via), "tries", l.Tries, "err", err)
	e, ok := errors.AsType[*mail.Error](err)
	if ok && e.Permanent || p.now().Sub(l.Created) >= letterGiveUp {
		return p.news.giveUp(ctx, l.ID, p.record)
	}
	return p.news.postpone(ctx, l, p.now().Add(postponed(l.Tries)))
}

// postponed is how long to wait after so many tries: doubling, and spread so that what failed together does not come back together.
func postponed(tries int) time.Duration {
	d := min(firstPostpone<<min(max(tries-1, 0), 20), maxPostpone)
	var b [8]byte
	_, _ = rand.Read(b[:])                                              // cannot fail since Go 1.24
	return d + time.Duration(binary.BigEndian.Uint64(b[:])%uint64(d/4)) //nolint:gosec // below d/4
}

func (p *Provider) sendMail(ctx context.Context, l *letter) error {
	to, err := mail.ParseAddress(l.Address)
	if err != nil {
		return &mail.Error{Stage: mail.StageMessage, Permanent: true} // not reached: it was parsed before it was stored
	}
	subject, text, err := p.letterText(ctx, l)
	if err != nil {
		return err
	}
	return p.mail.Send(ctx, mail.Message{ID: l.ID, To: to, Subject: subject, Text: text, Date: p.now()})
}

// errHook: the receiver did not take it. It names no address.
var errHook = errors.New("the webhook did not take it")

// sendHook posts a letter as one Security Event Token (RFC 8417), as RFC 8935 §2.1 does.
func (p *Provider) sendHook(ctx context.Context, l *letter) error {
	event, err := p.letterEvent(ctx, l)
	if err != nil {
		return err
	}
	token, err := p.keys.Sign(keys.ES256, noticeTypeSET, map[string]any{
		"iss": p.issuer, "aud": l.Address, "iat": p.now().Unix(), "jti": l.ID, "events": event,
	})
	if err != nil {
		return fmt.Errorf("sign notice: %w", err)
	}
	status, err := p.hooks.Send(ctx, l.Address, clients.Message{ContentType: "application/" + noticeTypeSET, Body: token})
	if err != nil {
		return errHook // the cause quotes the address
	}
	if status != http.StatusOK && status != http.StatusAccepted && status != http.StatusNoContent {
		return fmt.Errorf("%w: status %d", errHook, status)
	}
	return nil
}
