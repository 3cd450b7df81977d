package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"
)

// state is what is kept between calls, in a file of the user alone.
type state struct {
	Current string           `json:"current"` // the hub of the last login
	Hubs    map[string]login `json:"hubs"`    // by address of the API
}

// login is a sign-in at one hub. The tokens are as good as the operator's card for half a day at most: the hub wants a card read for longer.
type login struct {
	Issuer  string    `json:"issuer"`
	Access  string    `json:"access_token,omitempty"`
	Refresh string    `json:"refresh_token,omitempty"`
	Until   time.Time `json:"until,omitzero"`
}

func (a *app) stateFile() (string, error) {
	dir := a.dir
	if dir == "" {
		user, err := os.UserConfigDir()
		if err != nil {
			return "", usageError{fmt.Errorf("--home: %w", err)}
		}
		dir = filepath.Join(user, "tsunagu", "hubctl")
	}
	return filepath.Join(dir, "state.json"), nil
}

// readState returns what was kept; nothing, if nothing was.
func (a *app) readState() (state, error) {
	s := state{Hubs: map[string]login{}}
	path, err := a.stateFile()
	if err != nil {
		return s, err
	}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return s, err
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 { // there the user's directory has its own rights, and a mode says nothing
		return s, usageError{fmt.Errorf("%s can be read by others; chmod 600 it, or delete it and log in again", path)}
	}
	b, err := os.ReadFile(path) //nolint:gosec // the user's own file
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(b, &s); err != nil {
		return s, usageError{fmt.Errorf("%s is damaged; delete it and log in again", path)}
	}
	if s.Hubs == nil {
		s.Hubs = map[string]login{}
	}
	return s, nil
}

// writeState replaces the file as a whole, so that a crash leaves the old one or the new one.
func (a *app) writeState(s state) (err error) {
	path, err := a.stateFile()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".state-*") // mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(append(b, '\n'))
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
