package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"time"

	"github.com/tsunagu-id/tsunagu/cardauth/cardtest"
)

const (
	readerTime  = 10 * time.Second // for a reader to come up
	readerPause = 100 * time.Millisecond
)

// virtual puts a card of the test PKI into a vpcd reader, where every PC/SC program sees it, and pulls it out when ctx
// ends.
func virtual(ctx context.Context, args []string, s streams, now func() time.Time) error {
	var name, dir, addr, ocsp string
	if err := parse("cardagent virtual", args, func(set *flag.FlagSet) {
		set.StringVar(&name, "card", "", "")
		set.StringVar(&dir, "pki", "", "")
		set.StringVar(&addr, "vpcd", "", "")
		set.StringVar(&ocsp, "ocsp", defaults().OCSP, "")
	}); err != nil {
		return err
	}
	if name == "" || dir == "" || addr == "" {
		return usageError{errors.New("-card, -pki and -vpcd are required; see -help")}
	}
	pki, err := cardtest.LoadOrCreatePKI(dir, now, ocsp)
	if err != nil {
		return err
	}
	card, err := pki.Drawer().Card(name)
	if errors.Is(err, cardtest.ErrNoSuchCard) {
		return usageError{fmt.Errorf("%q: %w", name, err)}
	}
	if err != nil {
		return err
	}
	p, err := insert(ctx, card, addr)
	if err != nil || p == nil {
		return err
	}
	defer p.Pull()
	_, _ = fmt.Fprintln(s.out, "inserted", name, addr)
	select {
	case <-ctx.Done():
		return nil
	case <-p.Ended():
		return fmt.Errorf("the reader is gone: %w", p.Err())
	}
}

// insert waits for a reader that is still coming up. It returns nothing when it is told to stop meanwhile.
func insert(ctx context.Context, card *cardtest.Card, addr string) (*cardtest.Plugged, error) {
	limited, cancel := context.WithTimeout(ctx, readerTime)
	defer cancel()
	for {
		p, err := cardtest.Plug(limited, card, addr)
		if ctx.Err() != nil && err != nil {
			return nil, nil
		}
		if err == nil || errors.Is(err, cardtest.ErrSlotTaken) {
			return p, err
		}
		select {
		case <-time.After(readerPause):
		case <-limited.Done():
			return nil, err
		}
	}
}
