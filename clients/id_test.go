package clients

import "testing"

// An id stands in the paths of the administration API, where "." and ".." mean something else (RFC 3986 §5.2.4).
func TestIDsCanStandInAnAddress(t *testing.T) {
	for _, s := range []string{"", ".", "..", "a/b", "a b", "図書館"} {
		if _, err := ParseID(s); err == nil {
			t.Errorf("%q is taken", s)
		}
	}
	for _, s := range []string{"a", "...", ".a", "a.b-c_d~e"} {
		if _, err := ParseID(s); err != nil {
			t.Errorf("%q: %v", s, err)
		}
	}
}
