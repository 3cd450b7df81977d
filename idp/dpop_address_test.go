package idp

import "testing"

// RFC 9449 §4.3, RFC 3986 §6.2.2 and §6.2.3: letters of scheme and host, the default port, query and fragment make no difference; all
// else does.
func TestProofAddressIsNormalized(t *testing.T) {
	for _, tt := range []struct {
		htu, own string
		same     bool
	}{
		{"https://id.example/token", "https://id.example/token", true},
		{"HTTPS://ID.Example/token", "https://id.example/token", true},
		{"https://id.example:443/token", "https://id.example/token", true},
		{"https://id.example:/token", "https://id.example/token", true},
		{"https://id.example/token", "https://id.example:443/token", true},
		{"http://localhost:80/token", "http://localhost/token", true},
		{"https://[::1]:443/token", "https://[::1]/token", true},
		{"https://[::1]:8410/token", "https://[::1]:8410/token", true},
		{"https://id.example/token?a=b", "https://id.example/token", true},
		{"https://id.example/token#a", "https://id.example/token", true},
		{"https://id.example/token?", "https://id.example/token", true},
		{"https://id.example:80/token", "https://id.example/token", false},
		{"https://id.example:8443/token", "https://id.example/token", false},
		{"http://id.example:443/token", "https://id.example/token", false},
		{"http://id.example/token", "https://id.example/token", false},
		{"https://id.example/Token", "https://id.example/token", false},
		{"https://id.example/token/", "https://id.example/token", false},
		{"https://id.example//token", "https://id.example/token", false},
		{"https://id.example/x/../token", "https://id.example/token", false},
		{"https://id.example", "https://id.example/token", false},
		{"https://user@id.example/token", "https://id.example/token", false},
		{"https://id.example.evil/token", "https://id.example/token", false},
		{"https:id.example/token", "https://id.example/token", false},
		{"//id.example/token", "https://id.example/token", false},
		{"/token", "https://id.example/token", false},
		{"", "https://id.example/token", false},
	} {
		if got := sameAddress(tt.htu, tt.own); got != tt.same {
			t.Errorf("%q and %q: %v", tt.htu, tt.own, got)
		}
	}
}
