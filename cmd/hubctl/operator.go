package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tsunagu-id/tsunagu/clients/adminapi"
	"github.com/tsunagu-id/tsunagu/clients/rp"
	"github.com/tsunagu-id/tsunagu/idp/admin"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
)

func (a *app) operatorCommand() *cobra.Command {
	return group("operator", "Who works here", a.operatorList(), a.operatorInvite(), a.operatorJoin(), a.operatorChange(), a.operatorKey())
}

func (a *app) operatorList() *cobra.Command {
	c := &cobra.Command{Use: "list", Short: "Lists operators", Args: cobra.NoArgs}
	c.RunE = func(c *cobra.Command, _ []string) error {
		var list adminapi.OperatorList
		if err := a.call(c.Context(), http.MethodGet, "/api/operators", nil, &list); err != nil {
			return err
		}
		return a.answer(list, func() {
			rows := make([][]string, len(list.Items))
			for i, o := range list.Items {
				state := "active"
				if o.Suspended {
					state = "suspended"
				}
				rows[i] = []string{o.ID, o.Name, words(o.Roles), state, orDash(o.Organisation), orDash(o.Client), when(o.Since), when(o.LastSeen)}
			}
			a.table("There is nobody.", []string{"ID", "NAME", "ROLES", "STATE", "ORGANISATION", "PROGRAM", "SINCE", "LAST SEEN"}, rows)
		})
	}
	return c
}

func (a *app) operatorInvite() *cobra.Command {
	var in adminapi.NewOperator
	var roles []string
	var database, file string
	c := &cobra.Command{
		Use: "invite --name NAME --role ROLE", Short: "Invites an operator, and prints the code that makes her one", Args: cobra.NoArgs,
		Long: "Invites an operator, and prints the code that makes her one: she signs in at the console with her card and types it, once.\n\n" +
			"The first operator is invited on the hub's database itself, with --database or --database-file, by whoever runs the hub.",
	}
	f := c.Flags()
	f.StringVar(&in.Name, "name", "", "what others call her")
	f.StringSliceVar(&roles, "role", nil, "viewer, editor, approver or security; several with commas")
	f.StringVar(&in.Organisation, "organisation", "", "she sees the services of this organisation alone")
	f.StringVar(&in.Client, "program", "", "no person: the client_id of a program, which becomes an operator at once")
	f.StringVar(&database, "database", "", "the hub's database, as in its configuration: sqlite:/path or postgres://…, without a password")
	f.StringVar(&file, "database-file", "", "or a file that holds the whole address")
	_ = c.MarkFlagRequired("name")                                                              // the flag is there
	_ = c.MarkFlagRequired("role")                                                              // as above
	_ = c.RegisterFlagCompletionFunc("role", fixed("viewer", "editor", "approver", "security")) // as above
	c.MarkFlagsMutuallyExclusive("database", "database-file")
	c.RunE = func(c *cobra.Command, _ []string) error {
		for _, r := range roles {
			in.Roles = append(in.Roles, adminapi.Role(r))
		}
		var made adminapi.Invitation
		var err error
		if database != "" || file != "" {
			made, err = a.inviteFirst(c.Context(), database, file, in)
		} else {
			err = a.call(c.Context(), http.MethodPost, "/api/operators", in, &made)
		}
		if err != nil {
			return err
		}
		return a.answer(made, func() {
			if made.Code == "" {
				a.say("%s is an operator now.", made.Operator.Name)
				return
			}
			_, _ = fmt.Fprintf(a.err, "hubctl: for %s, until %s; typed at the console, once:\n", clean(made.Operator.Name), when(made.Until))
			a.say("%s", made.Code)
		})
	}
	return c
}

// inviteFirst needs no operator, but the database.
func (a *app) inviteFirst(ctx context.Context, dsn, file string, in adminapi.NewOperator) (_ adminapi.Invitation, err error) {
	if file != "" {
		b, err := os.ReadFile(file) //nolint:gosec // the operator names the file
		if err != nil {
			return adminapi.Invitation{}, usageError{fmt.Errorf("--database-file: %w", err)}
		}
		dsn = strings.TrimSpace(string(b))
	}
	if path, ok := strings.CutPrefix(dsn, "sqlite:"); ok {
		if _, err := os.Stat(path); err != nil { //nolint:gosec // the operator names the file; opening would make an empty one
			return adminapi.Invitation{}, usageError{fmt.Errorf("--database: %w", err)}
		}
	}
	db, err := sqldb.Open(ctx, dsn)
	if err != nil {
		return adminapi.Invitation{}, usageError{fmt.Errorf("--database: %w", err)}
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return admin.Invite(ctx, db, a.now, in)
}

func (a *app) operatorJoin() *cobra.Command {
	c := &cobra.Command{Use: "join", Short: "Takes up an invitation; its code is read from the standard input", Args: cobra.NoArgs}
	c.RunE = func(c *cobra.Command, _ []string) error {
		_, _ = fmt.Fprint(a.err, "Code of the invitation: ")
		code, err := a.line()
		if err != nil {
			return err
		}
		var o adminapi.Operator
		if err := a.call(c.Context(), http.MethodPost, "/api/join", adminapi.Join{Code: code}, &o); err != nil {
			return err
		}
		return a.answer(o, func() { a.say("%s, you are an operator now: %s", o.Name, words(o.Roles)) })
	}
	return c
}

// line reads one line of what is nobody else's to see, from the standard input.
func (a *app) line() (string, error) {
	s, err := bufio.NewReader(io.LimitReader(a.in, 4<<10)).ReadString('\n')
	s = strings.TrimSpace(s)
	if s == "" {
		if err != nil && !errors.Is(err, io.EOF) {
			return "", err
		}
		return "", usageError{errors.New("nothing came from the standard input")}
	}
	return s, nil
}

func (a *app) operatorChange() *cobra.Command {
	var roles []string
	var reason string
	var suspend, resume bool
	c := &cobra.Command{Use: "change ID --reason WHY", Short: "Changes what an operator may do", Args: cobra.ExactArgs(1)}
	c.Flags().StringSliceVar(&roles, "role", nil, "the roles from now on; several with commas")
	c.Flags().BoolVar(&suspend, "suspend", false, "she may do nothing until she is resumed")
	c.Flags().BoolVar(&resume, "resume", false, "she may go on")
	c.MarkFlagsMutuallyExclusive("suspend", "resume")
	reasonFlag(c, &reason)
	c.RunE = func(c *cobra.Command, args []string) error {
		in := adminapi.OperatorChange{Reason: reason}
		for _, r := range roles {
			in.Roles = append(in.Roles, adminapi.Role(r))
		}
		if suspend || resume {
			in.Suspended = &suspend
		}
		var o adminapi.Operator
		if err := a.call(c.Context(), http.MethodPatch, "/api/operators/"+url.PathEscape(args[0]), in, &o); err != nil {
			return err
		}
		return a.answer(o, func() { a.say("%s: %s", o.Name, words(o.Roles)) })
	}
	return c
}

func (a *app) operatorKey() *cobra.Command {
	c := &cobra.Command{
		Use: "key FILE", Short: "Makes a program's key, unless the file is there, and prints its public half", Args: cobra.ExactArgs(1),
		Long: "Makes a private key in FILE (mode 0600), unless there is one, and prints the public half as a JWKS: the jwks of the client that a program signs in as with --client and --key.",
	}
	c.RunE = func(_ *cobra.Command, args []string) error {
		key, err := rp.OpenKey(args[0])
		if err != nil {
			return usageError{err}
		}
		return a.document(key.JWKS())
	}
	return c
}

func (a *app) organisationCommand() *cobra.Command {
	list := &cobra.Command{Use: "list", Short: "Lists organisations", Args: cobra.NoArgs}
	list.RunE = func(c *cobra.Command, _ []string) error {
		var l adminapi.OrganisationList
		if err := a.call(c.Context(), http.MethodGet, "/api/organisations", nil, &l); err != nil {
			return err
		}
		return a.answer(l, func() {
			rows := make([][]string, len(l.Items))
			for i, o := range l.Items {
				rows[i] = []string{o.ID, o.Name, strings.Join(o.Contacts, ", "), when(o.Since)}
			}
			a.table("There is none.", []string{"ID", "NAME", "CONTACTS", "SINCE"}, rows)
		})
	}
	set := func(use, short, method string, path func(id string) string) *cobra.Command {
		var o adminapi.Organisation
		c := &cobra.Command{Use: use + " ID --name NAME", Short: short, Args: cobra.ExactArgs(1)}
		c.Flags().StringVar(&o.Name, "name", "", "what it is called")
		c.Flags().StringSliceVar(&o.Contacts, "contact", []string{}, "e-mail addresses that hear of secrets that end")
		_ = c.MarkFlagRequired("name") // the flag is there
		c.RunE = func(c *cobra.Command, args []string) error {
			o.ID = args[0]
			var stored adminapi.Organisation
			if err := a.call(c.Context(), method, path(o.ID), o, &stored); err != nil {
				return err
			}
			return a.answer(stored, func() { a.say("%s: %s", stored.ID, stored.Name) })
		}
		return c
	}
	return group("organisation", "Who owns services", list,
		set("create", "Makes an organisation", http.MethodPost, func(string) string { return "/api/organisations" }),
		set("change", "Changes an organisation", http.MethodPut, func(id string) string { return "/api/organisations/" + url.PathEscape(id) }))
}
