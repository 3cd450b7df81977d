package idptest

import (
	"crypto"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/cardauth"
	"github.com/tsunagu-id/tsunagu/cardauth/cardtest"
	"github.com/tsunagu-id/tsunagu/cardauth/jlis"
	"github.com/tsunagu-id/tsunagu/keys"
)

// sharedKeys are the first signing keys of every hub of the test binary: the hubs do not know each other, and RSA keys are slow to make.
var sharedKeys = map[keys.Alg]func() (crypto.Signer, error){
	keys.RS256: sync.OnceValues(keys.RS256.Generate), keys.PS256: sync.OnceValues(keys.PS256.Generate),
}

// generator makes the signing keys of one hub; those it needs after the first are fresh.
func generator() func(keys.Alg) (crypto.Signer, error) {
	var had sync.Map
	return func(alg keys.Alg) (crypto.Signer, error) {
		if shared := sharedKeys[alg]; shared != nil {
			if _, again := had.LoadOrStore(alg, true); !again {
				return shared()
			}
		}
		return alg.Generate()
	}
}

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
