package install

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode"
)

// System is an operating system that is known here; the words are Go's.
type System string

// The systems. There are no others.
const (
	Linux   System = "linux"
	MacOS   System = "darwin"
	Windows System = "windows"
)

// ParseSystem reads a system's name.
func ParseSystem(s string) (System, error) {
	switch system := System(s); system {
	case Linux, MacOS, Windows:
		return system, nil
	}
	return "", fmt.Errorf("no system %q: linux, darwin or windows", s)
}

// Program is what is installed.
type Program struct {
	Path string   // of the program, absolute on the system it is for
	Args []string // before which it is told what to do, such as -config FILE
}

func (p Program) check(system System) error {
	absolute := strings.HasPrefix(p.Path, "/")
	if system == Windows {
		absolute = len(p.Path) > 3 && p.Path[1] == ':' && p.Path[2] == '\\'
	}
	if !absolute {
		return fmt.Errorf("%q is no absolute path", p.Path)
	}
	for _, s := range append([]string{p.Path}, p.Args...) {
		// No file of any of these systems can carry a line end or a control letter as it is. Windows puts the link, which a stranger
		// wrote, wherever a command has %1, and nothing quotes the percent sign.
		if strings.ContainsFunc(s, unicode.IsControl) || system == Windows && strings.ContainsAny(s, `"%`) {
			return fmt.Errorf("%q cannot be written into a file of settings", s)
		}
	}
	return nil
}

// Folders are where Linux keeps a user's files (XDG Base Directory Specification).
type Folders struct{ Data, Config string }

// File is one that is to be there, or with an empty Content and Link gone.
type File struct {
	Path    string
	Content []byte
	Link    string // what a symbolic link points to
	Shared  bool   // others keep things in it, too
}

// State is what has to be done about a file.
type State string

// The states of a file.
const (
	Same    State = "unchanged"
	New     State = "new"
	Changed State = "changed"
	Gone    State = "removed"
)

// State compares a file with what is there.
func (f File) State() (State, error) {
	if f.Link != "" {
		to, err := os.Readlink(f.Path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return New, nil
		case err == nil && to == f.Link:
			return Same, nil
		}
		return Changed, nil
	}
	have, err := os.ReadFile(f.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && len(f.Content) == 0:
		return Same, nil
	case errors.Is(err, fs.ErrNotExist):
		return New, nil
	case err != nil:
		return "", err
	case len(f.Content) == 0:
		return Gone, nil
	case bytes.Equal(have, f.Content):
		return Same, nil
	}
	return Changed, nil
}

// Apply makes it so. A file is replaced whole: whoever reads meanwhile reads the old one or the new one.
func (f File) Apply() error {
	state, err := f.State()
	if err != nil || state == Same {
		return err
	}
	mode := fs.FileMode(0o644)
	if f.Shared {
		// What others keep there stays where they keep it, and readable for whom it was.
		if info, err := os.Lstat(f.Path); err == nil && info.Mode()&fs.ModeSymlink != 0 {
			if f.Path, err = filepath.EvalSymlinks(f.Path); err != nil {
				return err // it leads nowhere, and that is not ours to change
			}
			state = Changed // an empty list is left, so that the link leads somewhere
		}
		if info, err := os.Stat(f.Path); err == nil {
			mode = info.Mode().Perm()
		}
	}
	if state == Gone {
		return os.Remove(f.Path)
	}
	if err := os.MkdirAll(filepath.Dir(f.Path), 0o750); err != nil {
		return err
	}
	temporary, err := f.write(mode)
	if err == nil {
		err = os.Rename(temporary, f.Path)
	}
	return err
}

// write puts the file beside its place.
func (f File) write(mode fs.FileMode) (string, error) {
	dir, base := filepath.Split(f.Path)
	if f.Link != "" {
		temporary := filepath.Join(dir, "."+base+".new")
		if err := os.Remove(temporary); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		return temporary, os.Symlink(f.Link, temporary)
	}
	t, err := os.CreateTemp(dir, "."+base+"-")
	if err != nil {
		return "", err
	}
	_, err = t.Write(f.Content)
	if err = errors.Join(err, t.Chmod(mode), t.Close()); err != nil {
		return "", errors.Join(err, os.Remove(t.Name()))
	}
	return t.Name(), nil
}

// Remove takes a file of ours away; of a shared one Remove takes nothing, see Uninstalled.
func (f File) Remove() (bool, error) {
	if f.Shared {
		return false, nil
	}
	err := os.Remove(f.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}
