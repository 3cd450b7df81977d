package exchange

import (
	"encoding/base64"
	"strconv"
	"strings"
)

// Cursor is a place in a list: after the exchange that was asked for at ms and has id. The zero value is the beginning.
type Cursor struct {
	ms int64
	id string
}

// String writes the cursor for outside, "" for the zero value.
func (c Cursor) String() string {
	if c == (Cursor{}) {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString([]byte(strconv.FormatInt(c.ms, 10) + "." + c.id))
}

// ParseCursor reads what String wrote. It grants nothing: the list is of the person who asks.
func ParseCursor(s string) (Cursor, error) {
	if s == "" {
		return Cursor{}, nil
	}
	bad := malformed("after is not what next said")
	if len(s) > 100 {
		return Cursor{}, bad
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil {
		return Cursor{}, bad
	}
	ms, id, ok := strings.Cut(string(b), ".")
	n, err := strconv.ParseInt(ms, 10, 64)
	if c := (Cursor{n, id}); ok && err == nil && goodID(id) && c.String() == s {
		return c, nil
	}
	return Cursor{}, bad
}

// goodID says whether a text can be the id of an exchange (rand.Text).
func goodID(s string) bool {
	return len(s) == 26 && !strings.ContainsFunc(s, func(r rune) bool { return (r < 'A' || r > 'Z') && (r < '2' || r > '7') })
}
