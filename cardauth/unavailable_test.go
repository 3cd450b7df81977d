package cardauth

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/tsunagu-id/tsunagu/cardauth/cardtest"
)

// Operators read of a refusal its Detail alone: it says who did not answer and
// why, and not which list, which would be the citizen's municipality.
func TestUnavailableRevocationSaysWhy(t *testing.T) {
	w := newWorld(t, func(d *RevocationDeps) { d.CRL = "http://127.0.0.1:1/crl" })
	w.responder.BehaveOCSP(cardtest.OCSPServerError)
	leaf := issue(t, nil)
	_, err := w.login(t, leaf)
	point := digestPoint(testPKI(t).Auth().Point(taro.Place))
	said := refused(t, err, RevocationUnavailable).Detail
	if !strings.Contains(said, "primary: status 500") || !strings.Contains(said, "connection refused") {
		t.Errorf("says %q", said)
	}
	if strings.Contains(err.Error(), hex.EncodeToString(point[:])) || strings.Contains(said, "\n") {
		t.Errorf("names the citizen's municipality, or breaks the line: %q", err)
	}
}
