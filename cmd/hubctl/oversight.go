package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tsunagu-id/tsunagu/clients/adminapi"
)

func (a *app) citizenCommand() *cobra.Command {
	return group("citizen", "A citizen who called; every look is recorded, and shown to her", a.citizenFind(), a.citizenEnd())
}

func (a *app) citizenFind() *cobra.Command {
	var in adminapi.FindCitizen
	var stdin bool
	c := &cobra.Command{
		Use: "find --reason WHY", Short: "Finds who called, by the number on her error page or by a service's name for her", Args: cobra.NoArgs,
		Long: "Finds who called, by the number on her error page (--trouble), or by a service's name for her (--at SERVICE --sub, and the name on the standard input). The look is recorded, and shown to her.",
	}
	c.Flags().StringVar(&in.Trouble, "trouble", "", "the number, such as 7F3A-21C9")
	c.Flags().StringVar(&in.ClientID, "at", "", "the service")
	c.Flags().BoolVar(&stdin, "sub", false, "read the service's name for her from the standard input")
	c.MarkFlagsMutuallyExclusive("trouble", "at")
	c.MarkFlagsRequiredTogether("at", "sub")
	reasonFlag(c, &in.Reason)
	c.RunE = func(c *cobra.Command, _ []string) error {
		if in.Trouble == "" && in.ClientID == "" {
			return usageError{errors.New("--trouble, or --at and --sub")}
		}
		if stdin {
			var err error
			if in.Subject, err = a.line(); err != nil {
				return err
			}
		}
		var found adminapi.Citizen
		if err := a.call(c.Context(), http.MethodPost, "/api/citizens/find", in, &found); err != nil {
			return err
		}
		return a.answer(found, func() { a.showCitizen(found) })
	}
	return c
}

func (a *app) showCitizen(f adminapi.Citizen) {
	a.showTroubles(f.Troubles)
	if f.Case == "" {
		a.say("Nobody was signed in: there is no more than this of the number.")
		return
	}
	a.say("case %s, for a quarter of an hour; folder since %s", f.Case, when(f.Since))
	rows := make([][]string, len(f.Logins))
	for i, l := range f.Logins {
		rows[i] = []string{when(l.At), orDash(l.Client), orDash(l.ACR), orDash(l.Reason), orDash(l.Trace)}
	}
	a.table("No sign-ins.", []string{"SIGN-IN", "SERVICE", "LEVEL", "FAILED", "NUMBER"}, rows)
	rows = make([][]string, len(f.Sessions))
	for i, s := range f.Sessions {
		rows[i] = []string{s.ID, when(s.Since), when(s.LastUse), orDash(s.ACR), strings.Join(s.Services, ", ")}
	}
	a.table("No sessions.", []string{"SESSION", "SINCE", "LAST USE", "LEVEL", "SERVICES"}, rows)
	rows = make([][]string, len(f.Links))
	for i, l := range f.Links {
		rows[i] = []string{l.Client, l.State, when(l.Since)}
	}
	a.table("No connections.", []string{"CONNECTION", "STATE", "SINCE"}, rows)
	a.showDeliveries(f.Deliveries)
}

// showTroubles lists the rows of the number that was asked for, if one was.
func (a *app) showTroubles(troubles []adminapi.AuditRow) {
	if len(troubles) == 0 {
		return
	}
	rows := make([][]string, len(troubles))
	for i, r := range troubles {
		rows[i] = []string{when(r.At), r.Kind, orDash(r.Client), orDash(r.Reason)}
	}
	a.table("", []string{"NUMBER AT", "WHAT", "SERVICE", "WHY"}, rows)
}

func (a *app) citizenEnd() *cobra.Command {
	var in adminapi.Because
	c := &cobra.Command{Use: "end-sessions CASE --reason WHY", Short: "Signs her out everywhere", Args: cobra.ExactArgs(1)}
	reasonFlag(c, &in.Reason)
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := a.call(c.Context(), http.MethodPost, "/api/citizens/"+url.PathEscape(args[0])+"/end-sessions", in, nil); err != nil {
			return err
		}
		a.note("She is signed out everywhere; services are being told.")
		return nil
	}
	return c
}

// filter chooses rows of the audit log.
type filter struct{ from, to, kind, actor, client, account, trace string }

func (f *filter) add(c *cobra.Command) {
	s := c.Flags()
	s.StringVar(&f.from, "from", "", "from this time on, such as 2026-11-01T00:00:00Z")
	s.StringVar(&f.to, "to", "", "until this time")
	s.StringVar(&f.kind, "kind", "", "what happened, such as client.approved")
	s.StringVar(&f.actor, "actor", "", "who did it")
	s.StringVar(&f.client, "service", "", "which service")
	s.StringVar(&f.account, "account", "", "which folder, by its internal id")
	s.StringVar(&f.trace, "trace", "", "the number of a request")
}

func (f *filter) query() url.Values {
	q := url.Values{}
	for name, value := range map[string]string{"from": f.from, "to": f.to, "kind": f.kind, "actor": f.actor, "client": f.client, "account": f.account, "trace": f.trace} {
		if value != "" {
			q.Set(name, value)
		}
	}
	return q
}

func (a *app) auditCommand() *cobra.Command {
	return group("audit", "The log of who did what", a.auditSearch(), a.auditExport(), a.auditVerify(), a.auditCheck(), a.auditCheckpoint())
}

func (a *app) auditSearch() *cobra.Command {
	var f filter
	var limit int
	c := &cobra.Command{Use: "search", Short: "Lists rows, newest first", Args: cobra.NoArgs}
	f.add(c)
	c.Flags().IntVar(&limit, "limit", 50, "how many")
	c.RunE = func(c *cobra.Command, _ []string) error {
		q := f.query()
		q.Set("limit", strconv.Itoa(limit))
		var list adminapi.AuditList
		if err := a.call(c.Context(), http.MethodGet, "/api/audit?"+q.Encode(), nil, &list); err != nil {
			return err
		}
		return a.answer(list, func() {
			rows := make([][]string, len(list.Items))
			for i, r := range list.Items {
				rows[i] = []string{strconv.FormatInt(r.Seq, 10), r.At.UTC().Format("2006-01-02T15:04:05.000Z"), r.Kind, orDash(r.Actor), orDash(r.Client), orDash(r.Account), orDash(r.Reason), orDash(r.Trace)}
			}
			a.table("No row fits.", []string{"ROW", "TIME", "WHAT", "WHO", "SERVICE", "FOLDER", "WHY", "NUMBER"}, rows)
		})
	}
	return c
}

func (a *app) auditExport() *cobra.Command {
	var f filter
	var to string
	c := &cobra.Command{Use: "export", Short: "Writes rows as JSON lines, oldest first", Args: cobra.NoArgs}
	f.add(c)
	c.Flags().StringVarP(&to, "output", "o", "", "file to write, which must not be there; without it the standard output")
	c.RunE = func(c *cobra.Command, _ []string) (err error) {
		body, err := a.open(c.Context(), http.MethodGet, "/api/audit/export?"+f.query().Encode(), nil)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, body.Close()) }()
		if to == "" {
			_, err = io.Copy(a.out, body)
			return err
		}
		file, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) //nolint:gosec // the operator names the file
		if err != nil {
			return usageError{err}
		}
		_, err = io.Copy(file, body)
		return errors.Join(err, file.Sync(), file.Close())
	}
	return c
}

func (a *app) auditVerify() *cobra.Command {
	var checkpoint string
	c := &cobra.Command{Use: "verify", Short: "Has the hub walk the whole chain; exit code 5 if it is broken", Args: cobra.NoArgs}
	c.Flags().StringVar(&checkpoint, "checkpoint", "", "file with a checkpoint that you kept: the log is held against it as well")
	c.RunE = func(c *cobra.Command, _ []string) error {
		var in adminapi.VerifyAudit
		if checkpoint != "" {
			b, err := readSmall(checkpoint)
			if err != nil {
				return err
			}
			in.Checkpoint = strings.TrimSpace(string(b))
		}
		var check adminapi.AuditCheck
		if err := a.call(c.Context(), http.MethodPost, "/api/audit/verify", in, &check); err != nil {
			return err
		}
		if err := a.answer(check, func() {
			if check.Whole {
				a.say("%d rows, all as they were written; the last is %s", check.Rows, check.Hash)
			}
		}); err != nil {
			return err
		}
		if !check.Whole {
			return foundError{fmt.Sprintf("row %d is %s", check.Seq, clean(check.Why))}
		}
		return nil
	}
	return c
}

func (a *app) auditCheckpoint() *cobra.Command {
	list := &cobra.Command{Use: "list", Short: "Lists signed statements of where the log stood", Args: cobra.NoArgs}
	list.RunE = func(c *cobra.Command, _ []string) error {
		var l adminapi.CheckpointList
		if err := a.call(c.Context(), http.MethodGet, "/api/audit/checkpoints", nil, &l); err != nil {
			return err
		}
		return a.answer(l, func() {
			rows := make([][]string, len(l.Items))
			for i, p := range l.Items {
				rows[i] = []string{strconv.FormatInt(p.Seq, 10), when(p.At), p.Hash}
			}
			a.table("There is none yet.", []string{"ROW", "TIME", "HASH"}, rows)
		})
	}
	create := &cobra.Command{Use: "create", Short: "Makes one now, and prints it: keep it elsewhere", Args: cobra.NoArgs}
	create.RunE = func(c *cobra.Command, _ []string) error {
		var p adminapi.Checkpoint
		if err := a.call(c.Context(), http.MethodPost, "/api/audit/checkpoints", nil, &p); err != nil {
			return err
		}
		return a.answer(p, func() { a.say("%s", p.JWS) })
	}
	return group("checkpoint", "Signed statements of where the log stood, for others to keep", list, create)
}
