package console

import (
	"errors"

	"golang.org/x/text/width"
)

var errWrongCode = errors.New("console: no such code")

// narrow turns full-width letters and digits into plain ones, as people type them.
func narrow(s string) string { return width.Narrow.String(s) }
