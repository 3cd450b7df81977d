package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/clients/adminapi"
)

// The bounds of a file with services.
const (
	maxFile     = 16 << 20 // bytes
	maxServices = 1000
)

// readServices reads a file with one metadata document, or a JSON array of them; "-" is the standard input.
func (a *app) readServices(path string) (_ []json.RawMessage, err error) {
	in := a.in
	if path != "-" {
		f, err := os.Open(path) //nolint:gosec // the operator names the file
		if err != nil {
			return nil, usageError{err}
		}
		defer func() { _ = f.Close() }() // it was only read
		in = f
	}
	b, err := io.ReadAll(io.LimitReader(in, maxFile+1))
	if err != nil {
		return nil, usageError{err}
	}
	b = bytes.TrimSpace(b)
	if len(b) > maxFile {
		return nil, usageError{fmt.Errorf("%s is larger than 16 MiB", path)}
	}
	if !json.Valid(b) {
		return nil, usageError{fmt.Errorf("%s is not JSON", path)}
	}
	list := []json.RawMessage{b}
	if b[0] == '[' {
		list = nil
		if err := json.Unmarshal(b, &list); err != nil || len(list) == 0 || len(list) > maxServices {
			return nil, usageError{fmt.Errorf("%s is no array of 1 to %d services", path, maxServices)}
		}
	}
	return list, nil
}

// parsed is a service of a file, judged as the hub judges it, short of what needs the network.
type parsed struct {
	id        string
	canonical json.RawMessage // as the hub stores it
	as        json.RawMessage // as the file has it
}

func parseService(document json.RawMessage) (parsed, error) {
	m, err := clients.ParseMetadata(document)
	if err != nil {
		return parsed{}, fieldErrors(err)
	}
	canonical, err := json.Marshal(m)
	return parsed{string(m.ClientID), canonical, document}, err
}

// fieldErrors shows what the hub would have said.
func fieldErrors(err error) error {
	list, ok := errors.AsType[*clients.FieldErrors](err)
	if !ok {
		return err
	}
	var b strings.Builder
	b.WriteString("the registration has faults; nothing was stored")
	for _, f := range list.List {
		fmt.Fprintf(&b, "\n  %s %s: %s", f.Field, f.Problem, f.Remedy)
	}
	return usageError{errors.New(b.String())}
}

// each reads all files before anything is done with the first service, so that a slip in the last stops all.
func (a *app) each(paths []string, do func(parsed) error) error {
	paths, err := inDirectories(paths)
	if err != nil {
		return err
	}
	var all []parsed
	for _, path := range paths {
		list, err := a.readServices(path)
		if err != nil {
			return err
		}
		for i, document := range list {
			p, err := parseService(document)
			if err != nil {
				return usageError{fmt.Errorf("%s [%d]: %w", path, i, err)}
			}
			all = append(all, p)
		}
	}
	for _, p := range all {
		if err := do(p); err != nil {
			return fmt.Errorf("%s: %w", p.id, err)
		}
	}
	return nil
}

// inDirectories puts what is in a directory in its place, in the order of names.
func inDirectories(paths []string) (out []string, _ error) {
	for _, path := range paths {
		info, err := os.Stat(path)
		if path == "-" || err == nil && !info.IsDir() {
			out = append(out, path)
			continue
		}
		if err != nil {
			return nil, usageError{err}
		}
		found, err := filepath.Glob(filepath.Join(path, "*.json"))
		if err != nil || len(found) == 0 || len(found) > maxServices {
			return nil, usageError{fmt.Errorf("%s holds no *.json, or more than %d", path, maxServices)}
		}
		out = append(out, found...)
	}
	return out, nil
}

func filesFlag(c *cobra.Command, to *[]string) {
	c.Flags().StringArrayVarP(to, "file", "f", nil, "JSON file with a service's metadata, or an array of them, or a directory of such files; - is the standard input; may stand more than once")
	_ = c.MarkFlagRequired("file") // the flag is there
}

func (a *app) clientCheck() *cobra.Command {
	var files []string
	c := &cobra.Command{Use: "check -f FILE", Short: "Judges files by the hub's rules, without a hub", Args: cobra.NoArgs}
	filesFlag(c, &files)
	c.RunE = func(*cobra.Command, []string) error {
		return a.each(files, func(p parsed) error { a.note("%s: good", p.id); return nil })
	}
	return c
}

func (a *app) clientCreate() *cobra.Command {
	var in adminapi.NewClient
	var file, kind string
	c := &cobra.Command{Use: "create -f FILE", Short: "Begins a new service; one that exists is left alone", Args: cobra.NoArgs}
	c.Flags().StringVarP(&file, "file", "f", "", "JSON file with the metadata; - is the standard input; without client_id the hub draws one")
	_ = c.MarkFlagRequired("file") // the flag is there
	c.Flags().StringVar(&in.Organisation, "organisation", "", "who owns it")
	c.Flags().StringVar(&kind, "kind", "", "web, browser, native, machine or government")
	c.Flags().StringVar(&in.Note, "note", "", "why, for who approves it")
	c.RunE = func(c *cobra.Command, _ []string) error {
		list, err := a.readServices(file)
		if err != nil {
			return err
		}
		if len(list) != 1 {
			return usageError{errors.New("create takes one service; apply takes several")}
		}
		in.Metadata, in.Kind = list[0], adminapi.Kind(kind)
		var saved adminapi.Saved
		if err := a.call(c.Context(), http.MethodPost, "/api/clients", in, &saved); err != nil {
			return err
		}
		return a.answer(saved, func() {
			a.say("%s: begun as a draft; next: hubctl client preflight %s, then hubctl client request %s", saved.Client.ClientID, saved.Client.ClientID, saved.Client.ClientID)
		})
	}
	return c
}

func (a *app) clientApply() *cobra.Command {
	var files []string
	var in adminapi.Apply
	var dry bool
	c := &cobra.Command{
		Use: "apply -f FILE", Short: "Makes services be what files say", Args: cobra.NoArgs,
		Long: "Makes services be what files say: new ones and changes become drafts for a second person to approve. What is so already is left alone, so it may run as often as one likes.",
	}
	filesFlag(c, &files)
	c.Flags().StringVar(&in.Organisation, "organisation", "", "who owns new services")
	c.Flags().StringVar(&in.Note, "note", "", "why, for who approves it")
	c.Flags().BoolVar(&in.Request, "request", false, "ask for approval at once")
	c.Flags().BoolVar(&dry, "dry-run", false, "only say what would change; exit code 5 if anything would")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if dry {
			return a.compare(c, files)
		}
		results := []adminapi.Applied{}
		err := a.each(files, func(p parsed) error {
			in.Metadata = p.as
			var done adminapi.Applied
			if err := a.call(c.Context(), http.MethodPut, clientPath(p.id), in, &done); err != nil {
				return err
			}
			results = append(results, done)
			a.note("%s: %s", p.id, done.Outcome)
			return nil
		})
		if a.json {
			return errors.Join(err, a.answer(results, nil))
		}
		return err
	}
	return c
}

// compare says what files would change.
func (a *app) compare(c *cobra.Command, files []string) error {
	differ := 0
	var diffs []adminapi.Diff
	err := a.each(files, func(p parsed) error {
		d, err := a.detail(c.Context(), p.id)
		live := json.RawMessage("{}")
		if e, ok := errors.AsType[*apiError](err); ok && e.Reason == adminapi.NotFound {
			err = nil
		} else if err == nil && d.Live != nil {
			live = d.Live.Metadata
		}
		if err != nil {
			return err
		}
		diff, err := diffOf(live, p.canonical)
		if err != nil {
			return err
		}
		diff.From, diff.To = p.id+" live", p.id+" in the file"
		diffs = append(diffs, diff)
		if len(diff.Changes) > 0 {
			differ++
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := a.answer(diffs, func() {
		for _, d := range diffs {
			a.showDiff(d)
		}
	}); err != nil {
		return err
	}
	if differ > 0 {
		return foundError{fmt.Sprintf("%d of %d services would change", differ, len(diffs))}
	}
	return nil
}

// diffOf compares two canonical documents member by member, in the order of the second, then of the first.
func diffOf(from, to json.RawMessage) (adminapi.Diff, error) {
	d := adminapi.Diff{Changes: []adminapi.Change{}}
	var a, b map[string]json.RawMessage
	if err := errors.Join(json.Unmarshal(from, &a), json.Unmarshal(to, &b)); err != nil {
		return d, err
	}
	seen := map[string]bool{}
	for _, doc := range []json.RawMessage{to, from} {
		dec := json.NewDecoder(bytes.NewReader(doc))
		if _, err := dec.Token(); err != nil {
			return d, err
		}
		for dec.More() {
			t, err := dec.Token()
			if err != nil {
				return d, err
			}
			name, _ := t.(string)
			var skip json.RawMessage
			if err := dec.Decode(&skip); err != nil {
				return d, err
			}
			if !seen[name] && !bytes.Equal(a[name], b[name]) {
				d.Changes = append(d.Changes, adminapi.Change{Member: name, From: orNull(a[name]), To: orNull(b[name])})
			}
			seen[name] = true
		}
	}
	return d, nil
}

func orNull(v json.RawMessage) json.RawMessage {
	if v == nil {
		return json.RawMessage("null")
	}
	return v
}

func (a *app) clientDiff() *cobra.Command {
	var from, to string
	c := &cobra.Command{Use: "diff ID", Short: "Shows what differs between two versions; exit code 5 if anything does", Args: cobra.ExactArgs(1), ValidArgsFunction: a.clientIDs}
	c.Flags().StringVar(&from, "from", "live", "a version's number, live or draft")
	c.Flags().StringVar(&to, "to", "draft", "as --from")
	c.RunE = func(c *cobra.Command, args []string) error {
		var d adminapi.Diff
		if err := a.call(c.Context(), http.MethodGet, clientPath(args[0], "diff")+"?"+url.Values{"from": {from}, "to": {to}}.Encode(), nil, &d); err != nil {
			return err
		}
		if err := a.answer(d, func() { a.showDiff(d) }); err != nil {
			return err
		}
		if len(d.Changes) > 0 {
			return foundError{fmt.Sprintf("%d members differ", len(d.Changes))}
		}
		return nil
	}
	return c
}

func (a *app) showDiff(d adminapi.Diff) {
	if len(d.Changes) == 0 {
		a.say("%s and %s are the same.", d.From, d.To)
		return
	}
	a.say("--- %s\n+++ %s", d.From, d.To)
	for _, ch := range d.Changes {
		if string(ch.From) != "null" {
			a.say("- %s: %s", ch.Member, string(ch.From))
		}
		if string(ch.To) != "null" {
			a.say("+ %s: %s", ch.Member, string(ch.To))
		}
	}
}
