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

	"github.com/tsunagu-id/tsunagu/cardauth/agent/install"
)

// done is a file that was, or would be, put in place.
type done struct {
	Path  string        `json:"path"`
	State install.State `json:"state"`
}

// installed makes this computer know the card app, or writes what another system's tools take.
func installed(ctx context.Context, args []string, s streams, _ func() time.Time) (err error) {
	var f flags
	var out output
	var system, dir, path string
	var dry bool
	if err := parse("cardagent install", args, func(set *flag.FlagSet) {
		f.add(set)
		out.add(set)
		set.StringVar(&system, "os", runtime.GOOS, "")
		set.StringVar(&dir, "dir", "", "")
		set.StringVar(&path, "program", "", "")
		set.BoolVar(&dry, "dry-run", false, "")
		set.BoolVar(&dry, "print", false, "")
	}); err != nil {
		return err
	}
	all, next := []done{}, ""
	defer func() {
		if out.json {
			out.print(s.out, struct {
				Files []done `json:"files"`
				Next  string `json:"next,omitempty"`
				outcome
			}{all, next, outcomeOf(err)})
		}
	}()
	c, err := f.load()
	if err != nil {
		return err // what is installed has to start
	}
	if c.PIN == pinInTerminal {
		return usageError{errors.New("pin: what starts at login has no terminal; page or dialog")}
	}
	files, err := plan(f, system, dir, path)
	if err != nil {
		return usageError{err}
	}
	for _, file := range files {
		state, err := file.State()
		if err == nil && !dry {
			err = file.Apply()
		}
		if err != nil {
			return err
		}
		all = append(all, done{file.Path, state})
		if dry && !out.json {
			_, _ = fmt.Fprintf(s.out, "# %s\n%s\n", file.Path, file.Content)
		}
	}
	if next = afterwards(ctx, install.System(system), files, dry); out.json {
		return nil
	}
	for _, d := range all {
		_, _ = fmt.Fprintln(s.out, d.State, d.Path)
	}
	if next != "" {
		_, _ = fmt.Fprintln(s.out, in(out.lang(), "次に: ", "next: ")+next)
	}
	return nil
}

// plan is what has to be there.
func plan(f flags, system, dir, path string) ([]install.File, error) {
	target, err := install.ParseSystem(system)
	if err != nil {
		return nil, err
	}
	p := install.Program{Path: path}
	if p.Path == "" && system != runtime.GOOS {
		return nil, errors.New("-program is required for another system: where is the card app there?")
	}
	if p.Path == "" {
		if p.Path, err = os.Executable(); err != nil {
			return nil, err
		}
	}
	if system != runtime.GOOS && f.config+f.cards+f.ca != "" {
		return nil, errors.New("-config, -cards and -ca are files of this computer: for another system leave them out, it has its own")
	}
	if p.Args, err = f.arguments(); err != nil {
		return nil, err
	}
	if dir == "" {
		dir = "tsunagu-install"
	}
	switch target {
	case install.Linux:
		folders, err := ownFolders()
		if err != nil {
			return nil, err
		}
		return install.ForLinux(p, folders)
	case install.MacOS:
		return install.ForMacOS(p, dir)
	case install.Windows:
		return install.ForWindows(p, dir)
	}
	return nil, fmt.Errorf("no system %q", system)
}

// ownFolders are the user's (XDG Base Directory Specification; a path that is not absolute counts as unset).
func ownFolders() (install.Folders, error) {
	home, err := os.UserHomeDir()
	if err != nil {
		return install.Folders{}, err
	}
	f := install.Folders{Data: filepath.Join(home, ".local", "share"), Config: filepath.Join(home, ".config")}
	if dir := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(dir) {
		f.Data = dir
	}
	if dir := os.Getenv("XDG_CONFIG_HOME"); filepath.IsAbs(dir) {
		f.Config = dir
	}
	return f, nil
}

// afterwards tells the running desktop, where there is one, and returns what is left for the citizen to do.
func afterwards(ctx context.Context, system install.System, files []install.File, dry bool) string {
	dir := filepath.Dir(files[0].Path)
	switch system {
	case install.MacOS:
		return "sh " + filepath.Join(dir, "install.sh")
	case install.Windows:
		return "reg import " + filepath.Join(dir, "install.reg")
	case install.Linux:
	}
	if dry {
		return ""
	}
	// What fails here is made good by the next login.
	_ = exec.CommandContext(ctx, "update-desktop-database", dir).Run() //nolint:gosec // the user's own folder
	if !manage(ctx, "daemon-reload") || !manage(ctx, "restart", "tsunagu-cardagent.service") {
		return "cardagent"
	}
	return ""
}

// manage tells the user's service manager something, if one runs.
func manage(ctx context.Context, what ...string) bool {
	if _, err := os.Stat(filepath.Join(os.Getenv("XDG_RUNTIME_DIR"), "systemd", "private")); err != nil { //nolint:gosec // the user's own folder
		return false
	}
	return exec.CommandContext(ctx, "systemctl", append([]string{"--user"}, what...)...).Run() == nil //nolint:gosec // constants
}

// uninstalled takes away what install made.
func uninstalled(ctx context.Context, args []string, s streams, _ func() time.Time) error {
	var out output
	if err := parse("cardagent uninstall", args, func(set *flag.FlagSet) { out.add(set) }); err != nil {
		return err
	}
	if runtime.GOOS != "linux" {
		return usageError{errors.New("on this system, run the uninstall file that `cardagent install` has written")}
	}
	folders, err := ownFolders()
	if err != nil {
		return err
	}
	files, err := install.ForLinux(install.Program{Path: "/"}, folders)
	if err != nil {
		return err
	}
	left, err := install.Uninstalled(folders)
	if err != nil {
		return err
	}
	manage(ctx, "stop", "tsunagu-cardagent.service") // while the manager still knows it
	all := []done{}
	state, err := left.State()
	if err == nil {
		err = left.Apply()
	}
	if err == nil && state != install.Same {
		all = append(all, done{left.Path, state})
	}
	for _, file := range files {
		gone, e := file.Remove()
		if err = errors.Join(err, e); gone {
			all = append(all, done{file.Path, install.Gone})
		}
	}
	manage(ctx, "daemon-reload")
	if out.json {
		out.print(s.out, struct {
			Files []done `json:"files"`
			outcome
		}{all, outcomeOf(err)})
		return err
	}
	for _, d := range all {
		_, _ = fmt.Fprintln(s.out, d.State, d.Path)
	}
	return err
}

// registered says whether links lead to us and whether we start at login, where it can be told.
func registered() (link, start, known bool) {
	folders, err := ownFolders()
	if err != nil || runtime.GOOS != "linux" {
		return false, false, false
	}
	link, start = folders.Registered()
	return link, start, true
}
