package keys

import (
	"strings"
	"testing"
)

// FuzzVerifyEmbedded: whatever a stranger sends is refused with a reason or was signed by the key whose thumbprint is returned: altering
// one character of what is accepted must make it refused.
func FuzzVerifyEmbedded(f *testing.F) {
	const proof = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg" // RFC 9449 §4.1
	f.Add(proof)
	f.Add("")
	f.Add("a.b.c")
	f.Add(strings.Replace(proof, ".", "..", 1))
	f.Fuzz(func(t *testing.T, token string) {
		got, err := VerifyEmbedded(token, "dpop+jwt", ES256, PS256, EdDSA)
		if err != nil {
			if _, ok := err.(*Error); !ok { //nolint:errorlint // the type itself
				t.Fatalf("error of type %T", err)
			}
			return
		}
		if len(got.Thumbprint) != 43 || token == "" {
			t.Fatalf("accepted %q with thumbprint %q", token, got.Thumbprint)
		}
		i := strings.IndexByte(token, '.') + 1
		other := byte('A')
		if token[i] == other {
			other = 'B'
		}
		if _, err := VerifyEmbedded(token[:i]+string(other)+token[i+1:], "dpop+jwt", ES256, PS256, EdDSA); err == nil {
			t.Errorf("accepted with another payload: %q", token)
		}
	})
}

// TestPublishedProof: the example of RFC 9449 §4.1 verifies, and its key has the thumbprint of §6.1.
func TestPublishedProof(t *testing.T) {
	const thumbprint = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"
	const proof = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg"
	got, err := VerifyEmbedded(proof, "dpop+jwt", ES256)
	if err != nil || got.Thumbprint != thumbprint {
		t.Errorf("%+v, %v", got, err)
	}
}
