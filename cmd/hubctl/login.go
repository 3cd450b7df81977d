package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/tsunagu-id/tsunagu/clients/adminapi"
	"github.com/tsunagu-id/tsunagu/clients/rp"
)

// hubctlClient is the client that every hub registers for this program.
const hubctlClient = "hubctl"

// adminScope is what the administration API asks of tokens.
const adminScope = "admin"

// almost is how much life an access token must have left to be used.
const almost = 20 * time.Second

var errNotSignedIn = errors.New("not signed in; hubctl login")

func (a *app) loginCommand() *cobra.Command {
	return &cobra.Command{
		Use: "login", Short: "Signs you in, with your card in a browser", Args: cobra.NoArgs,
		Long: "Shows a code to type at the hub, in the browser of this or another computer, and waits until you have signed in there with your card.",
		RunE: func(c *cobra.Command, _ []string) error { return a.login(c.Context()) },
	}
}

func (a *app) login(ctx context.Context) error {
	base, err := a.base()
	if err != nil {
		return err
	}
	issuer, err := a.issuerOf(ctx, base)
	if err != nil {
		return err
	}
	tool, err := a.person(issuer)
	if err != nil {
		return err
	}
	code, err := tool.AskCode(ctx, "openid", "offline_access", adminScope)
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintf(a.err, "Open %s and type this code: %s\nWaiting until %s …\n", code.Address, code.User, code.Until.Local().Format("15:04"))
	tokens, err := tool.Wait(ctx, code)
	if err != nil {
		return err
	}
	if err := a.keep(base, issuer, tokens, true); err != nil {
		return err
	}
	return a.whoami(ctx)
}

func (a *app) logoutCommand() *cobra.Command {
	return &cobra.Command{
		Use: "logout", Short: "Ends the sign-in, here and at the hub", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			base, err := a.base()
			if err != nil {
				return err
			}
			s, err := a.readState()
			if err != nil {
				return err
			}
			l, ok := s.Hubs[base]
			if !ok {
				return errNotSignedIn
			}
			delete(s.Hubs, base)
			if s.Current == base {
				s.Current = ""
			}
			if err := a.writeState(s); err != nil { // first: what is forgotten here is of no use to whoever reads the file
				return err
			}
			tool, err := a.person(l.Issuer)
			if err != nil {
				return err
			}
			for _, token := range []string{l.Refresh, l.Access} {
				if token == "" {
					continue
				}
				if err := tool.Revoke(c.Context(), rp.NewSecret(token)); err != nil {
					return fmt.Errorf("forgotten here, but the hub did not hear of it: %w", err)
				}
				break // the hub ends the other with it
			}
			a.say("Signed out.")
			return nil
		},
	}
}

func (a *app) whoamiCommand() *cobra.Command {
	return &cobra.Command{
		Use: "whoami", Short: "Says who you are to the hub, and what you may do", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return a.whoami(c.Context()) },
	}
}

func (a *app) whoami(ctx context.Context) error {
	var me adminapi.Me
	if err := a.call(ctx, http.MethodGet, "/api/me", nil, &me); err != nil {
		if e, ok := errors.AsType[*apiError](err); ok && e.Reason == adminapi.NotOperator {
			return fmt.Errorf("signed in, but no operator yet; hubctl operator join: %w", err)
		}
		return err
	}
	return a.answer(me, func() {
		a.say("%s (%s) at %s: %s", me.Operator.Name, me.Operator.ID, me.Issuer, words(me.Operator.Roles))
		if me.Operator.Organisation != "" {
			a.say("Sees the services of %s.", me.Operator.Organisation)
		}
	})
}

// issuerOf asks the API whose tokens it takes (RFC 9728 §3).
func (a *app) issuerOf(ctx context.Context, base string) (string, error) {
	body, err := a.send(ctx, http.MethodGet, base+"/.well-known/oauth-protected-resource", rp.Secret{}, nil)
	if err != nil {
		return "", err
	}
	defer func() { _ = body.Close() }() // it was only read
	var m struct {
		Resource string   `json:"resource"`
		Servers  []string `json:"authorization_servers"`
	}
	if err := json.NewDecoder(io.LimitReader(body, 1<<20)).Decode(&m); err != nil || len(m.Servers) != 1 {
		return "", fmt.Errorf("%s does not say whose tokens it takes; is it the operators' address?", base)
	}
	if m.Resource != base { // RFC 9728 §3.3
		return "", fmt.Errorf("%s says that it is %s; use that as --hub", base, clean(m.Resource))
	}
	return m.Servers[0], nil
}

// person gets tokens for whoever sits here.
func (a *app) person(issuer string) (*rp.Tool, error) {
	return a.tool(issuer, hubctlClient, rp.Public{})
}

func (a *app) tool(issuer, client string, credential rp.Credential) (*rp.Tool, error) {
	h, err := a.httpClient()
	if err != nil {
		return nil, err
	}
	return rp.NewTool(rp.ToolConfig{Issuer: issuer, ClientID: client, Credential: credential, HTTP: h, Now: a.now})
}

// access returns a token for the API that is not the one that was refused.
func (a *app) access(ctx context.Context, base, refused string) (rp.Secret, error) {
	if a.client != "" || a.key != "" {
		return a.ownAccess(ctx, base)
	}
	s, err := a.readState()
	if err != nil {
		return rp.Secret{}, err
	}
	l, ok := s.Hubs[base]
	if !ok {
		return rp.Secret{}, errNotSignedIn
	}
	if l.Access != "" && l.Access != refused && a.now().Add(almost).Before(l.Until) {
		return rp.NewSecret(l.Access), nil
	}
	if l.Refresh == "" {
		return rp.Secret{}, errNotSignedIn
	}
	tool, err := a.person(l.Issuer)
	if err != nil {
		return rp.Secret{}, err
	}
	tokens, err := tool.Refresh(ctx, rp.NewSecret(l.Refresh))
	if err != nil {
		return rp.Secret{}, err
	}
	return tokens.Access, a.keep(base, l.Issuer, tokens, false)
}

// ownAccess gets a token for a program (RFC 6749 §4.4). It is not kept: the next call gets its own.
func (a *app) ownAccess(ctx context.Context, base string) (rp.Secret, error) {
	if a.client == "" || a.key == "" {
		return rp.Secret{}, usageError{errors.New("--client and --key go together")}
	}
	key, err := rp.ReadKey(a.key)
	if err != nil {
		return rp.Secret{}, usageError{fmt.Errorf("--key: %w", err)}
	}
	issuer, err := a.issuerOf(ctx, base)
	if err != nil {
		return rp.Secret{}, err
	}
	tool, err := a.tool(issuer, a.client, key)
	if err != nil {
		return rp.Secret{}, err
	}
	tokens, err := tool.Own(ctx, adminScope)
	return tokens.Access, err
}

// keep writes tokens down.
func (a *app) keep(base, issuer string, t rp.Tokens, current bool) error {
	s, err := a.readState()
	if err != nil {
		return err
	}
	s.Hubs[base] = login{Issuer: issuer, Access: t.Access.Reveal(), Refresh: t.Refresh.Reveal(), Until: t.Until}
	if current {
		s.Current = base
	}
	return a.writeState(s)
}
