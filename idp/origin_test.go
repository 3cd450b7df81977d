package idp

import "testing"

// An origin without a port that goes without saying, as the browser of the service's page reports it (RFC 6454 §6.2).
func TestOriginIsAsBrowsersWriteIt(t *testing.T) {
	for address, want := range map[string]string{
		"https://app.example/callback?a=b": "https://app.example", "https://app.example:443/": "https://app.example",
		"https://app.example:8443/cb": "https://app.example:8443", "http://127.0.0.1:80/cb": "http://127.0.0.1",
		"http://localhost:443": "http://localhost:443", "http://[::1]:8080/x": "http://[::1]:8080", "https://[::1]:443/x": "https://[::1]",
	} {
		if got := originOf(address); got != want {
			t.Errorf("%s: %s, want %s", address, got, want)
		}
	}
}
