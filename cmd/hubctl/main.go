// Command hubctl is the hub's command line: what the console does, for terminals, scripts and configuration in git. It speaks to the
// administration API alone; only the first operator is invited on the database itself.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/tsunagu-id/tsunagu/clients/adminapi"
	"github.com/tsunagu-id/tsunagu/clients/rp"
)

// The exit codes.
const (
	exitDone    = 0
	exitFailed  = 1 // the hub does not answer, or something else went wrong
	exitUsage   = 2 // the command line, a file or the configuration
	exitRefused = 3 // the hub's rules say no; nothing changed
	exitSignIn  = 4 // not signed in, or no operator
	exitDiffers = 5 // a check found something: a difference, a red pre-flight, a broken log
)

const exitCodes = `
Exit codes: 0 done, 1 failed, 2 usage, 3 refused by the hub, 4 not signed in,
5 a check found something (a difference, a red pre-flight, a broken log).`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], streams{os.Stdin, os.Stdout, os.Stderr}, time.Now)
	stop()
	os.Exit(code)
}

// streams are the three that every program has.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// run is the program. Every failure is one line, and one more for each field that is wrong.
func run(ctx context.Context, args []string, s streams, now func() time.Time) int {
	root := newRoot(s, now)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err != nil {
		_, _ = fmt.Fprintln(s.err, "hubctl:", inWords(err))
	}
	return exitCode(err)
}

func newRoot(s streams, now func() time.Time) *cobra.Command {
	a := &app{streams: s, now: now}
	root := &cobra.Command{
		Use: "hubctl", Short: "Registers services at a hub, and watches over it",
		Long:         "Registers services at a hub, and watches over it, through the hub's administration API.\n\nBegin with: hubctl login --hub http://localhost:8409\n" + exitCodes,
		SilenceUsage: true, SilenceErrors: true,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.SetIn(s.in)
	root.SetOut(s.out)
	root.SetErr(s.err)
	f := root.PersistentFlags()
	f.StringVar(&a.hub, "hub", "", "address of the administration API, such as http://localhost:8409; without it the one of the last login, or $TSUNAGU_HUB")
	f.BoolVar(&a.json, "json", false, "answer for programs, as the API's JSON")
	f.StringVar(&a.ca, "ca", "", "PEM file with the authority behind the hub's certificate")
	f.StringVar(&a.client, "client", "", "be a program: its client_id; needs --key")
	f.StringVar(&a.key, "key", "", "with --client: its private key, a PEM file of mode 0600")
	f.StringVar(&a.dir, "home", "", "directory where sign-ins are kept; without it the user's own")
	root.AddCommand(a.loginCommand(), a.logoutCommand(), a.whoamiCommand(), a.clientCommand(), a.operatorCommand(), a.organisationCommand(),
		a.tokenCommand(), a.keysCommand(), a.citizenCommand(), a.auditCommand(), a.statusCommand())
	strict(root)
	return root
}

// ranError is an error of a command that ran. Everything else is a mistake in the command line, which cobra found.
type ranError struct{ error }

func (e ranError) Unwrap() error { return e.error }

// strict tells the two apart, everywhere below c, and takes no stray words.
func strict(c *cobra.Command) {
	if c.HasSubCommands() {
		c.Args = func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return fmt.Errorf("no command %q; see %s --help", args[0], c.CommandPath())
			}
			return nil
		}
	}
	if do := c.RunE; do != nil {
		c.RunE = func(c *cobra.Command, args []string) error {
			if err := do(c, args); err != nil {
				return ranError{err}
			}
			return nil
		}
	}
	for _, sub := range c.Commands() {
		strict(sub)
	}
}

// group is a command that only holds others.
func group(use, short string, subs ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{Use: use, Short: short, RunE: func(c *cobra.Command, _ []string) error { return c.Help() }}
	c.AddCommand(subs...)
	return c
}

// usageError is a mistake in the command line, a file or the configuration.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// foundError says what a check found.
type foundError struct{ what string }

func (e foundError) Error() string { return e.what }

func exitCode(err error) int {
	if err == nil {
		return exitDone
	}
	if _, ok := errors.AsType[ranError](err); !ok {
		return exitUsage
	}
	if _, ok := errors.AsType[usageError](err); ok {
		return exitUsage
	}
	if _, ok := errors.AsType[foundError](err); ok {
		return exitDiffers
	}
	if e, ok := errors.AsType[*apiError](err); ok {
		switch e.Reason { //nolint:exhaustive // the others are the hub's rules
		case adminapi.Unauthenticated, adminapi.NotOperator, adminapi.Suspended:
			return exitSignIn
		case adminapi.Failed, adminapi.TooMany:
			return exitFailed
		}
		return exitRefused
	}
	if e, ok := errors.AsType[*rp.Error](err); ok && (e.Reason == rp.SignedOut || e.Reason == rp.AccessDenied || e.Reason == rp.FlowExpired) {
		return exitSignIn
	}
	if errors.Is(err, errNotSignedIn) {
		return exitSignIn
	}
	return exitFailed
}

// inWords says what went wrong and what to do.
func inWords(err error) string {
	if e, ok := errors.AsType[*rp.Error](err); ok {
		switch e.Reason { //nolint:exhaustive // the others say it themselves
		case rp.AccessDenied:
			return "the sign-in was refused at the hub"
		case rp.FlowExpired:
			return "nobody typed the code in time; try again"
		case rp.SignedOut:
			return "the sign-in is over; hubctl login"
		case rp.HubUnreachable:
			return "the hub does not answer: " + clean(err.Error())
		}
	}
	lines := strings.Split(err.Error(), "\n")
	for i, l := range lines {
		lines[i] = clean(l)
	}
	return strings.Join(lines, "\n")
}
