package main

import (
	"errors"
	"os"

	"github.com/tsunagu-id/tsunagu/cardauth/agent"
	"github.com/tsunagu-id/tsunagu/cardauth/agent/pinentry"
)

// Where a PIN is typed.
const (
	pinOnPage     = "page"
	pinInDialog   = "dialog"
	pinInTerminal = "terminal"
)

// asker is who asks for the PIN; nil: the page.
func (c config) asker(s streams) (agent.Asker, *pinentry.Terminal, error) {
	switch c.PIN {
	case pinInDialog:
		if !(pinentry.Dialog{}).Available() {
			return nil, nil, errors.New("pin: no program for windows; on Debian, install zenity")
		}
		return pinentry.Dialog{}, nil, nil
	case pinInTerminal:
		f, ok := s.in.(*os.File)
		if !ok || !pinentry.IsTerminal(f) {
			return nil, nil, errors.New("pin: this is no terminal")
		}
		t := pinentry.NewTerminal(f, s.err)
		return t, t, nil
	}
	return nil, nil, nil
}
