package main

import (
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
)

// configFile is the one that was named, or the user's own if there is one; empty: the defaults.
func (f flags) configFile() string {
	if f.config != "" {
		return f.config
	}
	path := ownConfigFile()
	if _, err := os.Stat(path); err != nil {
		return ""
	}
	return path
}

// ownConfigFile is where a user keeps the configuration.
func ownConfigFile() string {
	dir, err := os.UserConfigDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "tsunagu", "cardagent.json")
}

// stateDir is where the user's programs keep what they remember: as the XDG Base Directory Specification says, elsewhere beside the
// configuration. Empty where there is none.
func stateDir() string {
	if runtime.GOOS == "linux" {
		if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
			return filepath.Join(dir, "tsunagu")
		}
		if home, err := os.UserHomeDir(); err == nil {
			return filepath.Join(home, ".local", "state", "tsunagu")
		}
	}
	if dir, err := os.UserConfigDir(); err == nil {
		return filepath.Join(dir, "tsunagu")
	}
	return ""
}

func (c config) troublesFile() string {
	if c.State == "" {
		return ""
	}
	return filepath.Join(c.State, "cardagent-troubles.json")
}

// version is what the program was built from, one word.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" || info.Main.Version == "(devel)" {
		return "devel"
	}
	return strings.ReplaceAll(info.Main.Version, " ", "")
}
