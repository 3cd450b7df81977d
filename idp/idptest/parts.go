package idptest

import (
	"os"
	"sync"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/cardauth"
	"github.com/tsunagu-id/tsunagu/cardauth/cardtest"
	"github.com/tsunagu-id/tsunagu/cardauth/jlis"
)

// sharedDir holds one authority and one drawer for the whole test binary: making RSA keys is slow, and certificates are only data.
var sharedDir = sync.OnceValues(func() (string, error) { return os.MkdirTemp("", "tsunagu-pki-") })

// openPKI opens the authority, with its responder at ocspURL: one of its own, or the one that tests share and leave as it is.
func openPKI(t testing.TB, own bool, ocspURL string, now func() time.Time) *cardtest.PKI {
	t.Helper()
	dir := t.TempDir()
	if !own {
		var err error
		dir, err = sharedDir()
		must(t, err)
	}
	pki, err := cardtest.LoadOrCreatePKI(dir, now, ocspURL)
	must(t, err)
	return pki
}

func revocation(t testing.TB, responder string, now func() time.Time) *cardauth.Revocation {
	t.Helper()
	r, err := cardauth.NewRevocation(cardauth.RevocationDeps{Now: now, OCSP: responder, CRL: responder + "/crl"})
	must(t, err)
	return r
}

func linkage(t testing.TB, service string, now func() time.Time) *jlis.Client {
	t.Helper()
	c, err := jlis.NewClient(jlis.Config{URL: service + "/jlis", Now: now, Timeout: time.Second})
	must(t, err)
	return c
}
