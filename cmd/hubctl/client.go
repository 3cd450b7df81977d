package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tsunagu-id/tsunagu/clients/adminapi"
)

// maxPages bounds how much of a list is read.
const maxPages = 1000

func (a *app) clientCommand() *cobra.Command {
	return group("client", "Services: register, change, approve, stop",
		a.clientList(), a.clientShow(), a.clientCheck(), a.clientCreate(), a.clientApply(), a.clientDiff(), a.clientVersions(),
		a.clientRequest(), a.clientApprove(), a.clientReject(), a.clientDiscard(), a.clientGoBack(),
		a.because("suspend", "Stops a service at once; it can be resumed"), a.because("resume", "Lets a suspended service go on"), a.clientRetire(),
		a.rotateSecret(), a.endSecret(), a.preflight(), a.impact(), a.figures(), a.deliveries())
}

func clientPath(id string, rest ...string) string {
	path := "/api/clients/" + url.PathEscape(id)
	for _, r := range rest {
		path += "/" + url.PathEscape(r)
	}
	return path
}

func (a *app) clientList() *cobra.Command {
	var query, state, kind, organisation string
	c := &cobra.Command{Use: "list", Short: "Lists services", Args: cobra.NoArgs}
	f := c.Flags()
	f.StringVarP(&query, "query", "q", "", "words of the name, the client_id or who runs it")
	f.StringVar(&state, "state", "", "draft, requested, live, suspended or retired")
	f.StringVar(&kind, "kind", "", "web, browser, native, machine or government")
	f.StringVar(&organisation, "organisation", "", "only what this organisation owns")
	_ = c.RegisterFlagCompletionFunc("state", fixed("draft", "requested", "live", "suspended", "retired")) // the flag is there
	_ = c.RegisterFlagCompletionFunc("kind", fixed("web", "browser", "native", "machine", "government"))   // as above
	c.RunE = func(c *cobra.Command, _ []string) error {
		filter := url.Values{"limit": {"100"}}
		for name, value := range map[string]string{"q": query, "state": state, "kind": kind, "organisation": organisation} {
			if value != "" {
				filter.Set(name, value)
			}
		}
		all := adminapi.ClientList{Items: []adminapi.Client{}}
		for range maxPages {
			var page adminapi.ClientList
			if err := a.call(c.Context(), http.MethodGet, "/api/clients?"+filter.Encode(), nil, &page); err != nil {
				return err
			}
			all.Items, all.Total = append(all.Items, page.Items...), page.Total
			if page.Next == "" {
				break
			}
			filter.Set("after", page.Next)
		}
		return a.answer(all, func() {
			rows := make([][]string, len(all.Items))
			for i, s := range all.Items {
				rows[i] = []string{s.ClientID, s.Name, string(s.Kind), string(s.State), strconv.FormatInt(s.Version, 10), orDash(s.Draft), orDash(s.Organisation), when(s.Changed), orDash(warned(s.Warnings))}
			}
			a.table("No service fits.", []string{"CLIENT ID", "NAME", "KIND", "STATE", "VERSION", "DRAFT", "ORGANISATION", "CHANGED", "WARNINGS"}, rows)
		})
	}
	return c
}

func warned(list []adminapi.Warning) string {
	out := make([]string, len(list))
	for i, w := range list {
		out[i] = w.Word
	}
	return strings.Join(out, ", ")
}

func (a *app) detail(ctx context.Context, id string) (adminapi.ClientDetail, error) {
	var d adminapi.ClientDetail
	err := a.call(ctx, http.MethodGet, clientPath(id), nil, &d)
	return d, err
}

func (a *app) clientShow() *cobra.Command {
	var metadata, draft bool
	c := &cobra.Command{Use: "show ID", Short: "Shows one service", Args: cobra.ExactArgs(1), ValidArgsFunction: a.clientIDs}
	c.Flags().BoolVar(&metadata, "metadata", false, "print the live metadata alone, as client apply takes it")
	c.Flags().BoolVar(&draft, "draft", false, "print the metadata of the draft alone")
	c.MarkFlagsMutuallyExclusive("metadata", "draft")
	c.RunE = func(c *cobra.Command, args []string) error {
		d, err := a.detail(c.Context(), args[0])
		if err != nil {
			return err
		}
		switch {
		case metadata && d.Live == nil:
			return foundError{"nothing of it was live yet; see --draft"}
		case metadata:
			return a.document(d.Live.Metadata)
		case draft && d.Draft == nil:
			return foundError{"it has no draft"}
		case draft:
			return a.document(d.Draft.Metadata)
		}
		return a.answer(d, func() { a.showClient(d) })
	}
	return c
}

// document prints metadata as a file has it.
func (a *app) document(metadata json.RawMessage) error {
	var v any
	if err := json.Unmarshal(metadata, &v); err != nil {
		return fmt.Errorf("the metadata is no JSON: %w", err)
	}
	a.json = true
	return a.answer(v, nil)
}

func (a *app) showClient(d adminapi.ClientDetail) {
	a.say("%s  %s", d.ClientID, d.Name)
	a.say("state         %s", string(d.State))
	a.say("kind          %s", string(d.Kind))
	a.say("organisation  %s", orDash(d.Organisation))
	if d.Live != nil {
		a.say("version       %d, %s, by %s, approved by %s", d.Live.Version, when(d.Live.At), orDash(d.Live.By), orDash(d.Live.ApprovedBy))
		if d.Live.Exception != "" {
			a.say("              exception: %s", d.Live.Exception)
		}
	}
	if d.Draft != nil {
		a.say("draft         revision %d, %s, by %s on %s", d.Draft.Revision, d.Draft.State, d.Draft.By, when(d.Draft.At))
		if d.Draft.Answer != "" {
			a.say("              handed back: %s", d.Draft.Answer)
		}
	}
	if d.Stopped != nil {
		a.say("stopped       %s by %s: %s", when(d.Stopped.At), d.Stopped.By, d.Stopped.Reason)
	}
	for _, s := range d.Secrets {
		a.say("secret        %s, %s, since %s, ends %s, last used %s", s.ID, s.State, when(s.Created), when(s.Ends), when(s.Used))
	}
	for _, w := range d.Warnings {
		a.say("warning       %s: %s", w.Word, w.Detail)
	}
}

func (a *app) clientVersions() *cobra.Command {
	c := &cobra.Command{Use: "versions ID", Short: "Lists what was live", Args: cobra.ExactArgs(1), ValidArgsFunction: a.clientIDs}
	c.RunE = func(c *cobra.Command, args []string) error {
		var list adminapi.VersionList
		if err := a.call(c.Context(), http.MethodGet, clientPath(args[0], "versions"), nil, &list); err != nil {
			return err
		}
		return a.answer(list, func() {
			rows := make([][]string, len(list.Items))
			for i, v := range list.Items {
				rows[i] = []string{strconv.FormatInt(v.Version, 10), when(v.At), orDash(v.By), orDash(v.ApprovedBy), orDash(v.Note), orDash(v.Exception)}
			}
			a.table("No version was live yet.", []string{"VERSION", "LIVE FROM", "BY", "APPROVED BY", "NOTE", "EXCEPTION"}, rows)
		})
	}
	return c
}

// decide posts a decision about a service and shows what came of it.
func (a *app) decide(ctx context.Context, id, act string, in any, done string) error {
	var d adminapi.ClientDetail
	if err := a.call(ctx, http.MethodPost, clientPath(id, act), in, &d); err != nil {
		return err
	}
	return a.answer(d, func() { a.say("%s: %s, %s, version %d", d.ClientID, done, string(d.State), d.Version) })
}

// revisionOf returns the revision that a decision is about: the one named, or the one there is now.
func (a *app) revisionOf(ctx context.Context, id string, named int64) (int64, error) {
	if named != 0 {
		return named, nil
	}
	d, err := a.detail(ctx, id)
	if err != nil {
		return 0, err
	}
	if d.Draft == nil {
		return 0, &apiError{adminapi.Problem{Reason: adminapi.WrongState, Detail: "the service has no draft; hubctl client apply makes one"}}
	}
	return d.Draft.Revision, nil
}

func revisionFlag(c *cobra.Command, to *int64) {
	c.Flags().Int64Var(to, "revision", 0, "the revision that was looked at: a newer one is refused; without it the newest")
}

func (a *app) clientRequest() *cobra.Command {
	var revision int64
	c := &cobra.Command{Use: "request ID", Short: "Asks a second person to make the draft live", Args: cobra.ExactArgs(1), ValidArgsFunction: a.clientIDs}
	revisionFlag(c, &revision)
	c.RunE = func(c *cobra.Command, args []string) error {
		r, err := a.revisionOf(c.Context(), args[0], revision)
		if err != nil {
			return err
		}
		return a.decide(c.Context(), args[0], "request", adminapi.At{Revision: r}, "approval asked for")
	}
	return c
}

func (a *app) clientApprove() *cobra.Command {
	var revision int64
	var exception string
	c := &cobra.Command{Use: "approve ID --revision N", Short: "Makes a draft of somebody else live", Args: cobra.ExactArgs(1), ValidArgsFunction: a.clientIDs}
	revisionFlag(c, &revision)
	c.Flags().StringVar(&exception, "exception", "", "why it may go live although the pre-flight is not green or requests would be refused")
	c.RunE = func(c *cobra.Command, args []string) error {
		if revision == 0 {
			return usageError{errors.New("approve --revision: which revision did you look at? hubctl client diff shows the newest")}
		}
		return a.decide(c.Context(), args[0], "approve", adminapi.Approve{Revision: revision, Exception: exception}, "approved")
	}
	return c
}

func (a *app) clientReject() *cobra.Command {
	var revision int64
	var reason string
	c := &cobra.Command{Use: "reject ID --reason WHY", Short: "Hands a draft back", Args: cobra.ExactArgs(1), ValidArgsFunction: a.clientIDs}
	revisionFlag(c, &revision)
	reasonFlag(c, &reason)
	c.RunE = func(c *cobra.Command, args []string) error {
		r, err := a.revisionOf(c.Context(), args[0], revision)
		if err != nil {
			return err
		}
		return a.decide(c.Context(), args[0], "reject", adminapi.Reject{Revision: r, Reason: reason}, "handed back")
	}
	return c
}

func (a *app) clientDiscard() *cobra.Command {
	var revision int64
	c := &cobra.Command{Use: "discard ID --revision N", Short: "Throws a draft away", Args: cobra.ExactArgs(1), ValidArgsFunction: a.clientIDs}
	revisionFlag(c, &revision)
	c.RunE = func(c *cobra.Command, args []string) error {
		if revision == 0 {
			return usageError{errors.New("discard --revision: which revision? hubctl client show says it")}
		}
		path := clientPath(args[0], "draft") + "?" + url.Values{"revision": {strconv.FormatInt(revision, 10)}}.Encode()
		if err := a.call(c.Context(), http.MethodDelete, path, nil, nil); err != nil {
			return err
		}
		a.note("%s: the draft is gone", args[0])
		return nil
	}
	return c
}

func (a *app) clientGoBack() *cobra.Command {
	var reason string
	c := &cobra.Command{Use: "go-back ID VERSION --reason WHY", Short: "Makes an earlier version live again, at once", Args: cobra.ExactArgs(2), ValidArgsFunction: a.clientIDs}
	reasonFlag(c, &reason)
	c.RunE = func(c *cobra.Command, args []string) error {
		version, err := strconv.ParseInt(args[1], 10, 64)
		if err != nil || version < 1 {
			return usageError{fmt.Errorf("%q is no version; hubctl client versions lists them", args[1])}
		}
		return a.decide(c.Context(), args[0], "go-back", adminapi.GoBack{Version: version, Reason: reason}, "went back")
	}
	return c
}

func (a *app) because(act, short string) *cobra.Command {
	var reason string
	c := &cobra.Command{Use: act + " ID --reason WHY", Short: short, Args: cobra.ExactArgs(1), ValidArgsFunction: a.clientIDs}
	reasonFlag(c, &reason)
	c.RunE = func(c *cobra.Command, args []string) error {
		return a.decide(c.Context(), args[0], act, adminapi.Because{Reason: reason}, act+": done")
	}
	return c
}

func (a *app) clientRetire() *cobra.Command {
	var reason, confirm string
	c := &cobra.Command{Use: "retire ID --reason WHY --confirm ID", Short: "Ends a service for good", Args: cobra.ExactArgs(1), ValidArgsFunction: a.clientIDs}
	reasonFlag(c, &reason)
	c.Flags().StringVar(&confirm, "confirm", "", "the client_id once more")
	c.RunE = func(c *cobra.Command, args []string) error {
		if confirm != args[0] {
			return usageError{fmt.Errorf("retire: nothing brings it back; if you are sure: --confirm %s", args[0])}
		}
		return a.decide(c.Context(), args[0], "retire", adminapi.Retire{Reason: reason, Confirm: confirm}, "retired")
	}
	return c
}

func reasonFlag(c *cobra.Command, to *string) {
	c.Flags().StringVar(to, "reason", "", "why; others read it")
	_ = c.MarkFlagRequired("reason") // the flag is there
}

// note says what was done, where the answer for programs is the exit code.
func (a *app) note(format string, args ...any) {
	if !a.json {
		a.say(format, args...)
	}
}

// fixed completes a flag of a closed set.
func fixed(words ...string) func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return words, cobra.ShellCompDirectiveNoFileComp
	}
}

// clientIDs completes the first argument with services of the hub, if it answers.
func (a *app) clientIDs(c *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var page adminapi.ClientList
	if err := a.call(c.Context(), http.MethodGet, "/api/clients?"+url.Values{"q": {begun}, "limit": {"50"}}.Encode(), nil, &page); err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var out []string
	for _, s := range page.Items {
		if strings.HasPrefix(s.ClientID, begun) {
			out = append(out, s.ClientID+"\t"+clean(s.Name))
		}
	}
	return out, cobra.ShellCompDirectiveNoFileComp
}
