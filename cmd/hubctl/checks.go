package main

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/tsunagu-id/tsunagu/clients/adminapi"
)

func (a *app) rotateSecret() *cobra.Command {
	var in adminapi.NewSecret
	c := &cobra.Command{
		Use: "rotate-secret ID", Short: "Makes a next secret and prints it, once", Args: cobra.ExactArgs(1), ValidArgsFunction: a.clientIDs,
		Long: "Makes a next secret and prints it, this once, alone on the standard output. The old ones stay good for a while, so that the service can change over.",
	}
	c.Flags().IntVar(&in.OverlapHours, "overlap", 24, "hours that the old ones stay good, up to 168; 0: they end now")
	c.Flags().IntVar(&in.LivesDays, "days", 0, "days that the new one is good; 0: a year")
	c.RunE = func(c *cobra.Command, args []string) error {
		var made adminapi.MadeSecret
		if err := a.call(c.Context(), http.MethodPost, clientPath(args[0], "secrets"), in, &made); err != nil {
			return err
		}
		if !a.json {
			_, _ = fmt.Fprintf(a.err, "hubctl: secret %s of %s, until %s; it is not shown again\n", clean(made.ID), clean(args[0]), when(made.Ends))
		}
		return a.answer(made, func() { a.say("%s", made.Value) })
	}
	return c
}

func (a *app) endSecret() *cobra.Command {
	c := &cobra.Command{Use: "end-secret ID SECRET", Short: "Ends a secret now", Args: cobra.ExactArgs(2), ValidArgsFunction: a.clientIDs}
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := a.call(c.Context(), http.MethodDelete, clientPath(args[0], "secrets", args[1]), nil, nil); err != nil {
			return err
		}
		a.note("%s: secret %s has ended", args[0], args[1])
		return nil
	}
	return c
}

// How long a pre-flight is waited for, and how often it is looked at.
const (
	preflightPatience = 10 * time.Minute
	preflightPause    = 500 * time.Millisecond
)

func (a *app) preflight() *cobra.Command {
	var live bool
	c := &cobra.Command{
		Use: "preflight ID", Short: "Has the hub probe the service, and prints the report; exit code 5 if it is red", Args: cobra.ExactArgs(1), ValidArgsFunction: a.clientIDs,
	}
	c.Flags().BoolVar(&live, "live", false, "probe it as it is live, although it has a draft")
	c.RunE = func(c *cobra.Command, args []string) error {
		d, err := a.detail(c.Context(), args[0])
		if err != nil {
			return err
		}
		var at struct {
			Revision int64 `json:"revision"`
		}
		if d.Draft != nil && !live {
			at.Revision = d.Draft.Revision
		}
		var report adminapi.Preflight
		if err := a.call(c.Context(), http.MethodPost, clientPath(args[0], "preflights"), at, &report); err != nil {
			return err
		}
		if report, err = a.await(c.Context(), report); err != nil {
			return err
		}
		if err := a.answer(report, func() { a.showReport(report) }); err != nil {
			return err
		}
		switch {
		case report.State != "done":
			return fmt.Errorf("the hub could not finish the report %s; try again", report.ID)
		case report.Verdict == adminapi.Red:
			return foundError{"the pre-flight is red: " + report.ID}
		}
		return nil
	}
	return c
}

func (a *app) await(ctx context.Context, report adminapi.Preflight) (adminapi.Preflight, error) {
	end := a.now().Add(preflightPatience)
	for report.State == "running" {
		if a.now().After(end) {
			return report, fmt.Errorf("the report %s takes too long; look at it later", report.ID)
		}
		select {
		case <-ctx.Done():
			return report, ctx.Err()
		case <-time.After(preflightPause):
		}
		if err := a.call(ctx, http.MethodGet, clientPath(report.ClientID, "preflights", report.ID), nil, &report); err != nil {
			return report, err
		}
	}
	return report, nil
}

func (a *app) showReport(r adminapi.Preflight) {
	a.say("%s %s, %s: %s", r.ClientID, r.ID, when(r.Began), string(r.Verdict))
	for _, f := range r.Findings {
		a.say("%-8s %s", string(f.Verdict), f.TitleEN)
		if f.Verdict == adminapi.Red || f.Verdict == adminapi.Yellow {
			a.say("         did:      %s", f.Did)
			a.say("         expected: %s", f.Expected)
			a.say("         got:      %s", f.Got)
			a.say("         change:   %s", f.Remedy)
		}
	}
}

func (a *app) impact() *cobra.Command {
	var revision int64
	c := &cobra.Command{Use: "impact ID", Short: "Says what the draft would have refused of the last day; exit code 5 if anything", Args: cobra.ExactArgs(1), ValidArgsFunction: a.clientIDs}
	revisionFlag(c, &revision)
	c.RunE = func(c *cobra.Command, args []string) error {
		r, err := a.revisionOf(c.Context(), args[0], revision)
		if err != nil {
			return err
		}
		var i adminapi.Impact
		if err := a.call(c.Context(), http.MethodGet, clientPath(args[0], "impact")+"?revision="+strconv.FormatInt(r, 10), nil, &i); err != nil {
			return err
		}
		if err := a.answer(i, func() {
			a.say("%s: would have refused %d of %d requests since %s", args[0], i.Refused, i.Requests, when(i.Since))
			for _, why := range i.Reasons {
				a.say("  %d  %s (%s): %s\n     such as %s", why.Count, why.Word, orDash(why.Member), why.Detail, string(why.Example))
			}
		}); err != nil {
			return err
		}
		if i.Refused > 0 || i.Sector {
			return foundError{fmt.Sprintf("%d of %d requests would have been refused", i.Refused, i.Requests)}
		}
		return nil
	}
	return c
}

func (a *app) figures() *cobra.Command {
	c := &cobra.Command{Use: "figures ID", Short: "Shows the last day of a service", Args: cobra.ExactArgs(1), ValidArgsFunction: a.clientIDs}
	c.RunE = func(c *cobra.Command, args []string) error {
		var f adminapi.Figures
		if err := a.call(c.Context(), http.MethodGet, clientPath(args[0], "figures"), nil, &f); err != nil {
			return err
		}
		return a.answer(f, func() {
			a.say("since %s: %d logins; %d sessions alive, %d people connected, %d sign-outs waiting", when(f.Since), f.Logins, f.Sessions, f.Linked, f.Waiting)
			for _, why := range slices.Sorted(maps.Keys(f.Failures)) {
				a.say("  %d failed: %s", f.Failures[why], why)
			}
		})
	}
	return c
}

func (a *app) deliveries() *cobra.Command {
	c := &cobra.Command{Use: "deliveries ID", Short: "Lists the last sign-outs that a service was told of", Args: cobra.ExactArgs(1), ValidArgsFunction: a.clientIDs}
	c.RunE = func(c *cobra.Command, args []string) error {
		var list adminapi.DeliveryList
		if err := a.call(c.Context(), http.MethodGet, clientPath(args[0], "deliveries"), nil, &list); err != nil {
			return err
		}
		return a.answer(list, func() { a.showDeliveries(list.Items) })
	}
	return c
}

func (a *app) showDeliveries(list []adminapi.Delivery) {
	rows := make([][]string, len(list))
	for i, d := range list {
		rows[i] = []string{d.ID, d.State, strconv.Itoa(d.Tries), when(d.Created), when(d.Done), when(d.Next), orDash(d.Answer)}
	}
	a.table("No sign-out to tell of.", []string{"ID", "STATE", "TRIES", "SINCE", "DONE", "NEXT", "ANSWER"}, rows)
}
