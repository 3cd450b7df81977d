package cardtest

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"sync"
)

// OCSPBehaviour is how a Responder answers questions about one certificate.
type OCSPBehaviour int

// The honest answer and the ways to fall short of it.
const (
	OCSPGood             OCSPBehaviour = iota // the truth: good, revoked, or unknown if never issued
	OCSPDelegated                             // the truth, signed by a responder the authority appointed
	OCSPLate                                  // the truth of two days ago, said to be good until now
	OCSPFuture                                // dated tomorrow
	OCSPStale                                 // fresh, but its nextUpdate has passed
	OCSPWrongNonce                            // somebody else's answer
	OCSPNoNonce                               // cannot be told from a recorded one
	OCSPWrongSigner                           // signed by a stranger who names himself as the authority
	OCSPUnappointed                           // signed with a certificate of the authority that is not for OCSP
	OCSPImpostor                              // signed by a responder that a stranger appointed in the authority's name
	OCSPRetired                               // signed by an appointed responder whose time is over
	OCSPWrongCertificate                      // good, about another certificate
	OCSPAltered                               // good, put over a revoked answer after signing
	OCSPUnknown                               // signed: never heard of it
	OCSPTryLater                              // unsigned: busy
	OCSPServerError                           // HTTP 500
	OCSPGarbage                               // bytes that are no OCSP
	OCSPHuge                                  // more bytes than anyone should read
	OCSPSilent                                // takes the request and says nothing until the client gives up
)

// CRLBehaviour is how a Responder publishes revocation lists.
type CRLBehaviour int

// The honest list and the ways to fall short of it.
const (
	CRLGood        CRLBehaviour = iota
	CRLStale                    // nextUpdate has passed
	CRLOlder                    // still current, but older than the one of CRLGood
	CRLFuture                   // thisUpdate is tomorrow
	CRLWrongSigner              // signed by a stranger who names himself as the authority
	CRLWrongPoint               // another municipality's list
	CRLWrongIssuer              // the other authority's name over our signature
	CRLDelta                    // only what changed
	CRLLowerNumber              // fresh, but with a lower number than the one of CRLGood
	CRLTruncated                // breaks off after two thirds
	CRLDrip                     // a byte now and then, for ever
	CRLGarbage
	CRLMissing // 404
	CRLHuge
	CRLSilent
)

// Responder answers OCSP at every path by POST and publishes revocation lists
// for both authorities at GET /crl/{hex key identifier}/{hex SHA-256 of the
// distribution point's name}.crl, and one of all certificates at
// /crl/{hex key identifier}/all.crl.
type Responder struct {
	pki *PKI

	mu        sync.Mutex
	ocsp      OCSPBehaviour
	crl       CRLBehaviour
	asked     int
	fetched   int
	stranger  *Leaf           // made when first needed
	appointed map[*CA]*Leaf   // likewise
	points    map[string]spot // by path below /crl/, without .crl
}

// spot is one revocation list.
type spot struct {
	ca   *CA
	name []byte // nil: all of the authority's certificates
}

// Responder returns an honest responder for the PKI's two authorities.
func (p *PKI) Responder() *Responder {
	r := &Responder{pki: p, appointed: map[*CA]*Leaf{}, points: map[string]spot{}}
	for _, ca := range []*CA{p.auth, p.sign} {
		for _, place := range []Place{chiyoda, kiyose} {
			r.publish(ca, ca.Point(place))
		}
		r.points[ca.folder()+"/all"] = spot{ca: ca}
	}
	return r
}

func (r *Responder) publish(ca *CA, point []byte) {
	sum := sha256.Sum256(point)
	r.points[ca.folder()+"/"+hex.EncodeToString(sum[:])] = spot{ca, point}
}

// folder is where an authority's lists are.
func (ca *CA) folder() string { return hex.EncodeToString(ca.cert.SubjectKeyId) }

// BehaveOCSP changes how OCSP requests are answered.
func (r *Responder) BehaveOCSP(b OCSPBehaviour) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ocsp = b
}

// BehaveCRL changes how revocation lists are published.
func (r *Responder) BehaveCRL(b CRLBehaviour) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.crl = b
}

// Asked returns how many OCSP requests and how many list downloads came in.
func (r *Responder) Asked() (ocsp, crl int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.asked, r.fetched
}

// ServeHTTP is the responder and the publisher.
func (r *Responder) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	file, isList := strings.CutPrefix(req.URL.Path, "/crl/")
	switch {
	case isList && req.Method == http.MethodGet:
		r.serveCRL(w, req, strings.TrimSuffix(file, ".crl"))
	case !isList && req.Method == http.MethodPost:
		r.serveOCSP(w, req)
	default:
		http.Error(w, "OCSP by POST, lists at /crl/", http.StatusNotFound)
	}
}

// silence waits until the client has had enough.
func silence(req *http.Request) { <-req.Context().Done() }

// flood writes far more than any honest answer is long.
func flood(w http.ResponseWriter) {
	block := make([]byte, 1<<20)
	for range 256 {
		if _, err := w.Write(block); err != nil {
			return
		}
	}
}

// strangerKey is a key that no authority vouches for.
func (r *Responder) strangerKey() (*Leaf, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stranger == nil {
		made, err := newAuthority(authAuthority, r.pki.now())
		if err != nil {
			return nil, err
		}
		if r.stranger, err = parseBundle(made); err != nil {
			return nil, err
		}
	}
	return r.stranger, nil
}
