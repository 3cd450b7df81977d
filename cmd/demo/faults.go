package main

import (
	"cmp"
	"errors"
	"net"
	"net/http"
	"slices"
	"sync"

	"github.com/tsunagu-id/tsunagu/cardauth"
	"github.com/tsunagu-id/tsunagu/cardauth/cardtest"
	"github.com/tsunagu-id/tsunagu/internal/serve"
)

// fault is one service of the test authority, or one program of the demo, that can be taken down.
type fault struct {
	name     string
	down, up func() error
}

// faults lets tests and curious people break the test authority while the demo runs: POST /faults/revoke/taro (with ?reason= another
// one than a lost card's) and /faults/restore/taro, /faults/ocsp/down and /faults/ocsp/up; and shut a program of the demo: /faults/etax/down.
// It is for this machine alone, and refuses requests that a page of another site caused a browser to make.
type faults struct {
	pki    *cardtest.PKI
	mu     sync.Mutex
	toggle []fault
}

// newFaults returns the control handler of a responder; with adds further services.
func newFaults(pki *cardtest.PKI, r *cardtest.Responder) *faults {
	ocsp := func(b cardtest.OCSPBehaviour) func() error { return func() error { r.BehaveOCSP(b); return nil } }
	return &faults{pki: pki, toggle: []fault{
		{"ocsp", ocsp(cardtest.OCSPServerError), ocsp(cardtest.OCSPGood)},
		{"ocsp-answers", ocsp(cardtest.OCSPUnknown), ocsp(cardtest.OCSPGood)},
		{"crl", func() error { r.BehaveCRL(cardtest.CRLMissing); return nil }, func() error { r.BehaveCRL(cardtest.CRLGood); return nil }},
	}}
}

// with adds a service that can be taken down.
func (f *faults) with(name string, down, up func() error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.toggle = append(f.toggle, fault{name, down, up})
}

// handler puts the controls beside what the authority serves.
func (f *faults) handler(authority http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", authority)
	mux.HandleFunc("POST /faults/{what}/{which}", func(w http.ResponseWriter, r *http.Request) {
		if serve.CheckLoopback(r.Host) != nil { // a name of another site's that was pointed here
			http.Error(w, "for this machine alone, by its own name", http.StatusForbidden)
			return
		}
		f.post(w, r)
	})
	guarded := new(http.CrossOriginProtection).Handler(mux)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.RemoteAddr)
		if ip := net.ParseIP(host); err != nil || ip == nil || !ip.IsLoopback() {
			http.Error(w, "for this machine alone", http.StatusForbidden)
			return
		}
		guarded.ServeHTTP(w, r)
	})
}

func (f *faults) post(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	what, which := r.PathValue("what"), r.PathValue("which")
	var err error
	switch what {
	case "revoke":
		err = f.revoke(which, r.FormValue("reason"))
	case "restore":
		err = f.restore(which)
	default:
		err = f.service(what, which)
	}
	switch {
	case errors.Is(err, errNoFault) || errors.Is(err, errNoReason) || errors.Is(err, cardtest.ErrNoSuchCard):
		http.Error(w, err.Error(), http.StatusNotFound)
	case err != nil:
		http.Error(w, err.Error(), http.StatusInternalServerError)
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

var errNoFault = errors.New("faults are revoke/CARD, restore/CARD, and SERVICE/down, SERVICE/up")

var errNoReason = errors.New("reason is keyCompromise, cessationOfOperation, superseded or certificateHold")

// revocations are what happens to citizens' cards: lost, owner gone, replaced, suspended.
var revocations = map[string]cardauth.RevocationReason{
	cardauth.KeyCompromise.String():        cardauth.KeyCompromise,
	cardauth.CessationOfOperation.String(): cardauth.CessationOfOperation,
	cardauth.Superseded.String():           cardauth.Superseded,
	cardauth.CertificateHold.String():      cardauth.CertificateHold,
}

// revoke takes back both certificates of a card of the drawer: that is what losing a card does. Without a reason it was lost.
func (f *faults) revoke(name, reason string) error {
	why := revocations[cmp.Or(reason, cardauth.KeyCompromise.String())]
	if why == 0 {
		return errNoReason
	}
	auth, sign, err := f.pki.Drawer().Serials(name)
	if err != nil {
		return err
	}
	return errors.Join(f.pki.Auth().Revoke(auth, int(why)), f.pki.Sign().Revoke(sign, int(why)))
}

// restore takes a card off the list.
func (f *faults) restore(name string) error {
	auth, sign, err := f.pki.Drawer().Serials(name)
	if err != nil {
		return err
	}
	return errors.Join(f.pki.Auth().Release(auth), f.pki.Sign().Release(sign))
}

func (f *faults) service(name, state string) error {
	i := slices.IndexFunc(f.toggle, func(t fault) bool { return t.name == name })
	switch {
	case i >= 0 && state == "down":
		return f.toggle[i].down()
	case i >= 0 && state == "up":
		return f.toggle[i].up()
	}
	return errNoFault
}
