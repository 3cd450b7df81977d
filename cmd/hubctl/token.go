package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tsunagu-id/tsunagu/clients/adminapi"
)

func (a *app) tokenCommand() *cobra.Command {
	return group("token", "Initial access tokens: programs that register services by themselves", a.tokenList(), a.tokenCreate(), a.tokenEnd())
}

func (a *app) tokenList() *cobra.Command {
	c := &cobra.Command{Use: "list", Short: "Lists tokens", Args: cobra.NoArgs}
	c.RunE = func(c *cobra.Command, _ []string) error {
		var list adminapi.RegistrationTokenList
		if err := a.call(c.Context(), http.MethodGet, "/api/registration-tokens", nil, &list); err != nil {
			return err
		}
		return a.answer(list, func() {
			rows := make([][]string, len(list.Items))
			for i, t := range list.Items {
				state := "good"
				if t.Ended {
					state = "ended"
				}
				rows[i] = []string{t.ID, t.Name, state, orDash(t.Organisation), strings.Join(t.Scopes, " "), fmt.Sprintf("%d of %d", t.Clients, t.MaxClients), when(t.Until)}
			}
			a.table("There is none.", []string{"ID", "NAME", "STATE", "ORGANISATION", "SCOPES", "CLIENTS", "UNTIL"}, rows)
		})
	}
	return c
}

func (a *app) tokenCreate() *cobra.Command {
	var in adminapi.NewRegistrationToken
	var keys string
	c := &cobra.Command{Use: "create NAME", Short: "Makes a token and prints it, once", Args: cobra.ExactArgs(1)}
	f := c.Flags()
	f.StringVar(&in.Organisation, "organisation", "", "who owns what is registered")
	f.StringSliceVar(&in.Scopes, "scope", nil, "what may be asked for; without it openid, profile and offline_access")
	f.StringSliceVar(&in.GrantTypes, "grant", nil, "grant types that may be registered")
	f.StringSliceVar(&in.Profiles, "profile", nil, "oidc or fapi2")
	f.Int64Var(&in.MaxClients, "max", 0, "how many services; 0: a hundred")
	f.IntVar(&in.Days, "days", 30, "how long it is good")
	f.StringVar(&keys, "statement-jwks", "", "file with the public keys of software statements: then every request needs one (RFC 7591 §2.3)")
	c.RunE = func(c *cobra.Command, args []string) error {
		in.Name = args[0]
		if keys != "" {
			b, err := os.ReadFile(keys) //nolint:gosec // the operator names the file
			if err != nil || len(b) > 64<<10 || !json.Valid(b) {
				return usageError{fmt.Errorf("--statement-jwks: %s is no JWKS", keys)}
			}
			in.StatementKey = b
		}
		var made adminapi.MadeRegistrationToken
		if err := a.call(c.Context(), http.MethodPost, "/api/registration-tokens", in, &made); err != nil {
			return err
		}
		if !a.json {
			_, _ = fmt.Fprintf(a.err, "hubctl: token %s, until %s; it is not shown again\n", clean(made.ID), when(made.Until))
		}
		return a.answer(made, func() { a.say("%s", made.Token) })
	}
	return c
}

func (a *app) tokenEnd() *cobra.Command {
	c := &cobra.Command{Use: "end ID", Short: "Ends a token; what it registered stays", Args: cobra.ExactArgs(1)}
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := a.call(c.Context(), http.MethodDelete, "/api/registration-tokens/"+url.PathEscape(args[0]), nil, nil); err != nil {
			return err
		}
		a.note("%s has ended", args[0])
		return nil
	}
	return c
}

func (a *app) keysCommand() *cobra.Command {
	list := &cobra.Command{Use: "list", Short: "Lists the hub's signing keys", Args: cobra.NoArgs}
	list.RunE = func(c *cobra.Command, _ []string) error {
		var l adminapi.KeyList
		if err := a.call(c.Context(), http.MethodGet, "/api/keys", nil, &l); err != nil {
			return err
		}
		return a.answer(l, func() { a.showKeys(l) })
	}
	var in adminapi.Rotate
	rotate := &cobra.Command{Use: "rotate ALG --reason WHY", Short: "Announces a successor, which signs when everybody knows it", Args: cobra.ExactArgs(1)}
	reasonFlag(rotate, &in.Reason)
	rotate.RunE = func(c *cobra.Command, args []string) error {
		in.Alg = args[0]
		var l adminapi.KeyList
		if err := a.call(c.Context(), http.MethodPost, "/api/keys/rotate", in, &l); err != nil {
			return err
		}
		return a.answer(l, func() { a.showKeys(l) })
	}
	return group("keys", "The hub's signing keys", list, rotate)
}

func (a *app) showKeys(l adminapi.KeyList) {
	rows := make([][]string, len(l.Items))
	for i, k := range l.Items {
		rows[i] = []string{k.Kid, k.Alg, k.State, when(k.From), when(k.To)}
	}
	a.table("There is none.", []string{"KID", "ALG", "STATE", "FROM", "TO"}, rows)
}

func (a *app) statusCommand() *cobra.Command {
	c := &cobra.Command{Use: "status", Short: "Says how the hub does; exit code 5 if a part is down", Args: cobra.NoArgs}
	c.RunE = func(c *cobra.Command, _ []string) error {
		var s adminapi.Status
		if err := a.call(c.Context(), http.MethodGet, "/api/status", nil, &s); err != nil {
			return err
		}
		down := 0
		rows := make([][]string, len(s.Parts))
		for i, p := range s.Parts {
			if p.State == "down" {
				down++
			}
			rows[i] = []string{p.Name, p.State, when(p.Since), orDash(p.Detail)}
		}
		if err := a.answer(s, func() { a.table("Nothing to tell.", []string{"PART", "STATE", "SINCE", "DETAIL"}, rows) }); err != nil {
			return err
		}
		if down > 0 {
			return foundError{fmt.Sprintf("%d of %d parts are down", down, len(s.Parts))}
		}
		return nil
	}
	return c
}
