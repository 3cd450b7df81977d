package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/tsunagu-id/tsunagu/cardauth/cardtest"
)

const (
	readerTime  = 10 * time.Second // for a reader to come up
	readerPause = 100 * time.Millisecond
)

// virtual puts a card of the test PKI into a vpcd reader, where every PC/SC program sees it, and pulls it out when ctx
// ends. While it runs, the card can be taken out and put back, and another put in its place.
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
	return (&slot{drawer: pki.Drawer(), addr: addr, out: s.out, err: s.err}).run(ctx, name, words(s.in))
}

// aliasOfVirtual lets `cardagent -virtual taro …` stand for the command, with the demo's cards and the reader that Debian's package
// sets up unless something else is said.
func aliasOfVirtual(args []string) ([]string, bool) {
	if len(args) < 2 || args[0] != "-virtual" && args[0] != "--virtual" {
		return nil, false
	}
	return append([]string{"-card", args[1], "-pki", filepath.Join("var", "demo", "pki"), "-vpcd", "127.0.0.1:35963"}, args[2:]...), true
}

// slot is a vpcd reader and what is in it.
type slot struct {
	drawer   *cardtest.Drawer
	addr     string
	out, err io.Writer
	card     string            // its name
	in       *cardtest.Plugged // nil: nothing
}

// run puts a card in and obeys the words that come: "out" takes it out, "in" puts it back, "in NAME" puts another one in its place.
func (v *slot) run(ctx context.Context, name string, words <-chan []string) error {
	defer func() { v.pull() }()
	if err := v.insert(ctx, name); err != nil {
		return err
	}
	for {
		var ended <-chan struct{}
		if v.in != nil {
			ended = v.in.Ended()
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ended:
			return fmt.Errorf("the reader is gone: %w", v.in.Err())
		case said, ok := <-words:
			if !ok {
				words = nil
				continue
			}
			if err := v.obey(ctx, said); err != nil {
				return err
			}
		}
	}
}

func (v *slot) obey(ctx context.Context, said []string) error {
	switch {
	case len(said) == 1 && said[0] == "out":
		if v.pull() {
			_, _ = fmt.Fprintln(v.out, "removed", v.card, v.addr)
		}
		return nil
	case len(said) == 1 && said[0] == "in" && v.in == nil:
		return v.insert(ctx, v.card)
	case len(said) == 2 && said[0] == "in":
		err := v.insert(ctx, said[1])
		if _, mistyped := errors.AsType[usageError](err); !mistyped {
			return err
		}
		_, _ = fmt.Fprintln(v.err, "cardagent:", oneLine(err))
		return nil
	}
	_, _ = fmt.Fprintln(v.err, "cardagent: out, in or in NAME is expected")
	return nil
}

// insert puts a card in, in place of the one that is there; nothing when ctx ends meanwhile.
func (v *slot) insert(ctx context.Context, name string) error {
	card, err := v.drawer.Card(name)
	if errors.Is(err, cardtest.ErrNoSuchCard) {
		return usageError{fmt.Errorf("%q: %w", name, err)}
	}
	if err != nil {
		return err
	}
	v.pull()
	p, err := insert(ctx, card, v.addr)
	if err != nil || p == nil {
		return err
	}
	v.in, v.card = p, name
	_, _ = fmt.Fprintln(v.out, "inserted", name, v.addr)
	return nil
}

func (v *slot) pull() bool {
	if v.in == nil {
		return false
	}
	v.in.Pull()
	v.in = nil
	return true
}

// words reads what is typed, a line at a time. The channel is closed at the end of the input.
func words(r io.Reader) <-chan []string {
	out := make(chan []string)
	if r == nil {
		close(out)
		return out
	}
	go func() {
		defer close(out)
		for lines := bufio.NewScanner(r); lines.Scan(); {
			if said := strings.Fields(lines.Text()); len(said) > 0 {
				out <- said
			}
		}
	}()
	return out
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
