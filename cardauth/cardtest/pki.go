package cardtest

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// PKI is the two authorities and the cards they issued.
type PKI struct {
	dir        string
	auth, sign *CA
	now        func() time.Time
	drawer     *Drawer
	linkage    *Linkage
}

// LoadOrCreatePKI opens the PKI in dir, or makes it there: some tenths of a
// second for two RSA keys. ocspURL is what certificates issued from now on say
// about where their responder is; those already issued keep what they say.
func LoadOrCreatePKI(dir string, now func() time.Time, ocspURL string) (*PKI, error) {
	if err := os.MkdirAll(filepath.Join(dir, "cards"), 0o700); err != nil {
		return nil, err
	}
	p := &PKI{dir: dir, now: now}
	var authErr, signErr error
	var both sync.WaitGroup
	both.Go(func() { p.auth, authErr = openCA(dir, authAuthority, now, ocspURL) })
	both.Go(func() { p.sign, signErr = openCA(dir, signAuthority, now, ocspURL) })
	both.Wait()
	if err := errors.Join(authErr, signErr); err != nil {
		return nil, err
	}
	p.drawer = &Drawer{pki: p, cards: map[string]*Card{}}
	p.linkage = &Linkage{pki: p, told: map[named][]named{}}
	return p, nil
}

// Auth returns the authority for user-authentication certificates.
func (p *PKI) Auth() *CA { return p.auth }

// Sign returns the authority for signature certificates.
func (p *PKI) Sign() *CA { return p.sign }

// Drawer returns the drawer with the demo's cards.
func (p *PKI) Drawer() *Drawer { return p.drawer }

// Revoke puts a certificate on the authority's list. RFC 5280 §5.3.1 gives the
// reasons their numbers; 6 is certificateHold, which Release undoes.
func (ca *CA) Revoke(serial uint32, reason int) error {
	return ca.reg.revoke(serial, revocation{Reason: reason, At: ca.now().UTC().Truncate(time.Second)})
}

// Release takes a certificate off the list again.
func (ca *CA) Release(serial uint32) error {
	err := os.Remove(serialFile(ca.reg.revoked, serial))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// RevokedFor returns the reason that a certificate is on the list for, or -1 if
// it is not.
func (ca *CA) RevokedFor(serial uint32) int {
	rev, revoked, err := ca.reg.revocation(serial)
	if err != nil || !revoked {
		return -1
	}
	return rev.Reason
}
