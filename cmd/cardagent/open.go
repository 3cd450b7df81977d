package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"

	"github.com/tsunagu-id/tsunagu/cardauth/agent"
)

const (
	startTime  = 10 * time.Second // for a card app to come up
	startPause = 100 * time.Millisecond
)

// open shows what a link of ours asks for in the browser. A card app that does not run yet is started; it goes on when this command
// ends.
func open(ctx context.Context, args []string, s streams, _ func() time.Time) error {
	var f flags
	var out output
	rest, err := parseRest("cardagent open", args, func(set *flag.FlagSet) { f.add(set); out.add(set) })
	if err != nil {
		return err
	}
	if len(rest) != 1 {
		return usageError{errors.New("one link is expected, such as tsunagu-card:open")}
	}
	c, err := f.load()
	if err != nil {
		return err
	}
	page, err := agent.ParseLink(c.trusted(), rest[0])
	if err == nil {
		if _, ok := c.running(ctx); !ok {
			err = c.startApp(ctx, f)
		}
	}
	if err == nil {
		err = browse(ctx, c.Origin+page)
	}
	if out.json {
		out.print(s.out, struct {
			Opened bool `json:"opened"`
			outcome
		}{err == nil, outcomeOf(err)})
	}
	return err
}

func (c config) trusted() []agent.Issuer {
	var out []agent.Issuer
	for _, i := range c.Trusted {
		out = append(out, agent.Issuer{URL: i.URL, Name: i.Name})
	}
	return out
}

// arguments are the flags with which another process of ours works as this one does. Files are named in full.
func (f flags) arguments() ([]string, error) {
	var out []string
	for _, given := range []struct {
		flag, value string
		file        bool
	}{{"-config", f.config, true}, {"-cards", f.cards, true}, {"-card", f.card, false}, {"-issuer", f.issuer, false}, {"-ca", f.ca, true}, {"-pin", f.pin, false}} {
		if given.value == "" {
			continue
		}
		if given.file {
			path, err := filepath.Abs(given.value)
			if err != nil {
				return nil, err
			}
			given.value = path
		}
		out = append(out, given.flag, given.value)
	}
	if f.phone {
		out = append(out, "-phone")
	}
	return out, nil
}

// startApp starts a card app of its own session and waits until it answers.
func (c config) startApp(ctx context.Context, f flags) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	args, err := f.arguments()
	if err != nil {
		return err
	}
	app := exec.CommandContext(context.WithoutCancel(ctx), self, args...) //nolint:gosec // this program
	app.SysProcAttr = apart()
	if err := app.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- app.Wait() }()
	limit, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	for {
		if _, ok := c.running(limit); ok {
			return nil
		}
		select {
		case err := <-ended:
			if _, ok := c.running(limit); ok { // another one was faster, started by another link
				return nil
			}
			return fmt.Errorf("the card app does not start: %w; try `cardagent -check`", err)
		case <-limit.Done():
			return errors.New("the card app does not answer in time")
		case <-time.After(startPause):
		}
	}
}

// browse opens an address of ours in the citizen's browser.
func browse(ctx context.Context, address string) error {
	command := []string{"xdg-open", address}
	switch runtime.GOOS {
	case "darwin":
		command = []string{"open", address}
	case "windows":
		command = []string{"rundll32", "url.dll,FileProtocolHandler", address}
	}
	if out, err := exec.CommandContext(ctx, command[0], command[1:]...).CombinedOutput(); err != nil { //nolint:gosec // our own address
		return fmt.Errorf("no browser: open %s by hand (%w %.200s)", address, err, out)
	}
	return nil
}
