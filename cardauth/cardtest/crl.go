package cardtest

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"math/big"
	"net/http"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

var oidDeltaIndicator = asn1.ObjectIdentifier{2, 5, 29, 27}

func (r *Responder) serveCRL(w http.ResponseWriter, req *http.Request, id string) {
	r.mu.Lock()
	r.fetched++
	behaviour := r.crl
	point, there := r.points[id]
	r.mu.Unlock()
	w.Header().Set("Content-Type", "application/pkix-crl")
	switch {
	case behaviour == CRLSilent:
		silence(req)
	case behaviour == CRLHuge:
		flood(w)
	case behaviour == CRLGarbage:
		_, _ = w.Write([]byte("this is not a revocation list"))
	case behaviour == CRLMissing || !there:
		http.Error(w, "no such list", http.StatusNotFound)
	default:
		list, err := r.list(behaviour, point)
		if err != nil {
			http.Error(w, "list cannot be made", http.StatusInternalServerError)
			return
		}
		deliver(w, req, behaviour, list)
	}
}

// deliver writes a list, or as much of it as the behaviour lets through. Who has
// it already is told so.
func deliver(w http.ResponseWriter, req *http.Request, behaviour CRLBehaviour, list []byte) {
	sum := sha256.Sum256(list)
	tag := `"` + hex.EncodeToString(sum[:]) + `"`
	w.Header().Set("ETag", tag)
	switch {
	case req.Header.Get("If-None-Match") == tag:
		w.WriteHeader(http.StatusNotModified)
	case behaviour == CRLTruncated:
		_, _ = w.Write(list[:len(list)*2/3])
	case behaviour == CRLDrip:
		flush := http.NewResponseController(w)
		for n := range len(list) - 1 {
			if _, err := w.Write(list[n : n+1]); err != nil || flush.Flush() != nil {
				return
			}
			select {
			case <-req.Context().Done():
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
		silence(req)
	default:
		_, _ = w.Write(list)
	}
}

// list makes a revocation list. It holds every certificate its authority ever
// revoked, whatever the municipality: the register does not know who lives
// where.
func (r *Responder) list(behaviour CRLBehaviour, point spot) ([]byte, error) {
	ca := point.ca
	now := ca.now().UTC().Truncate(time.Second)
	signer := &Leaf{Certificate: ca.cert, Key: ca.key}
	thisUpdate, nextUpdate := now.Add(-6*time.Hour), now.Add(20*time.Hour)
	pointName, number := point.name, now.Unix()
	var delta []pkix.Extension
	var err error
	switch behaviour {
	case CRLStale:
		thisUpdate, nextUpdate = now.Add(-48*time.Hour), now.Add(-22*time.Hour)
	case CRLOlder:
		thisUpdate = now.Add(-12 * time.Hour)
	case CRLFuture:
		thisUpdate, nextUpdate = now.Add(24*time.Hour), now.Add(48*time.Hour)
	case CRLWrongSigner:
		if signer, err = r.strangerKey(); err != nil {
			return nil, err
		}
	case CRLWrongPoint:
		pointName = ca.Point(Place{Prefecture: "Hokkaido", City: "Sapporo-shi"})
	case CRLWrongIssuer:
		other := r.pki.sign
		if ca == other {
			other = r.pki.auth
		}
		named := *ca.cert
		named.RawSubject = other.cert.RawSubject
		signer = &Leaf{Certificate: &named, Key: ca.key}
	case CRLDelta:
		delta = []pkix.Extension{fixed(oidDeltaIndicator, true, "020101")}
	case CRLLowerNumber:
		number, thisUpdate = number-1, thisUpdate.Add(time.Hour)
	case CRLGood, CRLGarbage, CRLMissing, CRLHuge, CRLSilent, CRLTruncated, CRLDrip: // nothing to spoil here
	}
	extensions := delta
	if pointName != nil {
		extensions = append(extensions, issuingPoint(pointName))
	}
	entries, err := ca.revokedEntries()
	if err != nil {
		return nil, err
	}
	return x509.CreateRevocationList(rand.Reader, &x509.RevocationList{
		SignatureAlgorithm:        x509.SHA256WithRSA,
		RevokedCertificateEntries: entries,
		Number:                    big.NewInt(number),
		ThisUpdate:                thisUpdate,
		NextUpdate:                nextUpdate,
		ExtraExtensions:           extensions,
	}, signer.Certificate, signer.Key)
}

func (ca *CA) revokedEntries() ([]x509.RevocationListEntry, error) {
	serials, err := ca.reg.allRevoked()
	if err != nil {
		return nil, err
	}
	var out []x509.RevocationListEntry
	for _, serial := range serials {
		rev, revoked, err := ca.reg.revocation(serial)
		if err != nil {
			return nil, err
		}
		if revoked {
			out = append(out, x509.RevocationListEntry{
				SerialNumber: big.NewInt(int64(serial)), RevocationTime: rev.At, ReasonCode: rev.Reason,
			})
		}
	}
	return out, nil
}

// issuingPoint says which municipality's list this is, critical (RFC 5280
// §5.2.5).
func issuingPoint(point []byte) pkix.Extension {
	return pkix.Extension{Id: oidIssuingPoint, Critical: true, Value: der(func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { fullName(b, point) })
	})}
}
