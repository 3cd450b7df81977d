package clients

import "errors"

// maxID is the longest client id, in bytes.
const maxID = 128

// ID is a client_id.
type ID string

// ParseID accepts 1 to 128 letters, digits and "-", ".", "_", "~" (RFC 3986
// §2.3 unreserved): they mean the same in a URL, a form and a Basic header.
func ParseID(s string) (ID, error) {
	if s == "" || len(s) > maxID {
		return "", errors.New("client_id must have 1 to 128 characters")
	}
	if s == "." || s == ".." {
		return "", errors.New(`client_id must not be "." or "..": no address could name it`)
	}
	for i := range len(s) {
		if !unreserved(s[i]) {
			return "", errors.New(`client_id may have letters, digits, "-", ".", "_" and "~" only`)
		}
	}
	return ID(s), nil
}

func unreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '.' || c == '_' || c == '~'
}
