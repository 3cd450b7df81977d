package cardtest

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // certificate ids are SHA-1 by RFC 6960 §4.1.1 practice, not a protection
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"io"
	"math/big"
	"net/http"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// maxRequest bounds what a client may send, in bytes.
const maxRequest = 4 << 10

// question is what this responder understands of an OCSP request: one
// certificate, by SHA-1 certificate id, and perhaps a nonce.
type question struct {
	nameHash, keyHash []byte
	serial            *big.Int
	nonce             []byte // the extension's value, an OCTET STRING; nil: none
}

// parseQuestion reads an unsigned OCSPRequest (RFC 6960 §4.1.1).
func parseQuestion(raw []byte) (question, bool) {
	var q question
	input := cryptobyte.String(raw)
	var request, tbs, list, single, id, algorithm cryptobyte.String
	var hash asn1.ObjectIdentifier
	q.serial = new(big.Int)
	tag := func(n uint8) cbasn1.Tag { return cbasn1.Tag(n).ContextSpecific().Constructed() }
	fits := input.ReadASN1(&request, cbasn1.SEQUENCE) && input.Empty() &&
		request.ReadASN1(&tbs, cbasn1.SEQUENCE) &&
		tbs.SkipOptionalASN1(tag(0)) && tbs.SkipOptionalASN1(tag(1)) &&
		tbs.ReadASN1(&list, cbasn1.SEQUENCE) &&
		list.ReadASN1(&single, cbasn1.SEQUENCE) && list.Empty() &&
		single.ReadASN1(&id, cbasn1.SEQUENCE) &&
		id.ReadASN1(&algorithm, cbasn1.SEQUENCE) && algorithm.ReadASN1ObjectIdentifier(&hash) && hash.Equal(oidSHA1) &&
		id.ReadASN1Bytes(&q.nameHash, cbasn1.OCTET_STRING) &&
		id.ReadASN1Bytes(&q.keyHash, cbasn1.OCTET_STRING) &&
		id.ReadASN1Integer(q.serial) && id.Empty()
	if !fits {
		return question{}, false
	}
	var extensions, list2 cryptobyte.String
	var present bool
	if !tbs.ReadOptionalASN1(&extensions, &present, tag(2)) || !present {
		return q, !present
	}
	if !extensions.ReadASN1(&list2, cbasn1.SEQUENCE) {
		return question{}, false
	}
	for !list2.Empty() {
		var extension, value cryptobyte.String
		var oid asn1.ObjectIdentifier
		if !list2.ReadASN1(&extension, cbasn1.SEQUENCE) || !extension.ReadASN1ObjectIdentifier(&oid) ||
			!extension.SkipOptionalASN1(cbasn1.BOOLEAN) || !extension.ReadASN1(&value, cbasn1.OCTET_STRING) {
			return question{}, false
		}
		if oid.Equal(oidOCSPNonce) {
			q.nonce = value
		}
	}
	return q, true
}

func (r *Responder) serveOCSP(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	r.asked++
	behaviour := r.ocsp
	r.mu.Unlock()
	raw, err := io.ReadAll(http.MaxBytesReader(w, req.Body, maxRequest))
	if err != nil {
		http.Error(w, "request too long", http.StatusRequestEntityTooLarge)
		return
	}
	w.Header().Set("Content-Type", "application/ocsp-response")
	switch behaviour {
	case OCSPSilent:
		silence(req)
		return
	case OCSPServerError:
		http.Error(w, "broken", http.StatusInternalServerError)
		return
	case OCSPHuge:
		flood(w)
		return
	case OCSPGarbage:
		_, _ = w.Write([]byte("this is not an OCSP response"))
		return
	case OCSPTryLater:
		_, _ = w.Write(unsigned(3))
		return
	case OCSPGood, OCSPDelegated, OCSPLate, OCSPFuture, OCSPStale, OCSPWrongNonce, OCSPNoNonce, OCSPWrongSigner, OCSPUnappointed, OCSPImpostor, OCSPRetired,
		OCSPWrongCertificate, OCSPAltered, OCSPUnknown:
		answer, err := r.answer(behaviour, raw)
		if err != nil {
			answer = unsigned(2) // internalError
		}
		_, _ = w.Write(answer)
	}
}

// unsigned is a response that only says why there is none (RFC 6960 §4.2.1).
func unsigned(why byte) []byte { return []byte{0x30, 0x03, 0x0A, 0x01, why} }

// reply is everything a signed answer says.
type reply struct {
	question
	responder                        []byte // key hash
	produced, thisUpdate, nextUpdate time.Time
	unknown                          bool
	revoked                          *revocation
}

// answer looks the certificate up and signs what the behaviour makes of it.
func (r *Responder) answer(behaviour OCSPBehaviour, raw []byte) ([]byte, error) {
	q, fits := parseQuestion(raw)
	if !fits {
		return unsigned(1), nil // malformedRequest
	}
	ca := r.authorityOf(q)
	if ca == nil {
		return unsigned(6), nil // unauthorized
	}
	a, err := ca.lookUp(q)
	if err != nil {
		return nil, err
	}
	switch behaviour {
	case OCSPLate:
		a.produced, a.thisUpdate = a.produced.Add(-2*day), a.thisUpdate.Add(-2*day)
	case OCSPFuture:
		a.produced, a.thisUpdate, a.nextUpdate = a.produced.Add(day), a.thisUpdate.Add(day), a.nextUpdate.Add(day)
	case OCSPStale:
		a.thisUpdate, a.nextUpdate = a.thisUpdate.Add(-40*time.Minute), a.produced.Add(-30*time.Minute)
	case OCSPWrongNonce:
		a.nonce = append([]byte{0x04, 0x20}, bytes.Repeat([]byte{0x5A}, 32)...)
	case OCSPNoNonce:
		a.nonce = nil
	case OCSPUnknown:
		a.unknown, a.revoked = true, nil
	case OCSPWrongCertificate:
		a.serial, a.unknown, a.revoked = new(big.Int).Add(q.serial, big.NewInt(1)), false, nil
	case OCSPGood, OCSPDelegated, OCSPWrongSigner, OCSPUnappointed, OCSPImpostor, OCSPRetired, OCSPAltered,
		OCSPTryLater, OCSPServerError, OCSPGarbage, OCSPHuge, OCSPSilent: // what is said is the truth
	}
	signer, err := r.signer(behaviour, ca)
	if err != nil {
		return nil, err
	}
	a.responder = keyHash(signer.Certificate)
	var include []byte // the signer's certificate, if it is not the authority's
	switch {
	case behaviour == OCSPWrongSigner:
		a.responder = keyHash(ca.cert)
	case signer.Certificate != ca.cert:
		include = signer.Certificate.Raw
	}
	said := a
	if behaviour == OCSPAltered {
		said.unknown, said.revoked = false, nil
	}
	return a.sign(signer.Key, said.data(), include)
}

// authorityOf finds whom a question is for.
func (r *Responder) authorityOf(q question) *CA {
	for _, ca := range []*CA{r.pki.auth, r.pki.sign} {
		nameHash := sha1.Sum(ca.cert.RawSubject) //nolint:gosec // see the import
		if bytes.Equal(q.nameHash, nameHash[:]) && bytes.Equal(q.keyHash, keyHash(ca.cert)) {
			return ca
		}
	}
	return nil
}

// lookUp is the truth about a certificate, fifteen minutes' data at most old.
func (ca *CA) lookUp(q question) (reply, error) {
	now := ca.now().UTC().Truncate(time.Second)
	a := reply{question: q, produced: now, thisUpdate: now.Add(-5 * time.Minute), nextUpdate: now.Add(15 * time.Minute)}
	if !q.serial.IsUint64() || q.serial.Uint64() > 0xFFFFFFFF || !ca.reg.knows(uint32(q.serial.Uint64())) { //nolint:gosec // just compared
		a.unknown = true
		return a, nil
	}
	rev, revoked, err := ca.reg.revocation(uint32(q.serial.Uint64())) //nolint:gosec // just compared
	if revoked {
		a.revoked = &rev
	}
	return a, err
}

// keyHash is the SHA-1 of the contents of a certificate's public key.
func keyHash(c *x509.Certificate) []byte {
	var info struct {
		Algorithm pkix.AlgorithmIdentifier
		Key       asn1.BitString
	}
	_, _ = asn1.Unmarshal(c.RawSubjectPublicKeyInfo, &info) // parsed before
	sum := sha1.Sum(info.Key.Bytes)                         //nolint:gosec // see the import
	return sum[:]
}

// status is CertStatus (RFC 6960 §4.2.1).
func (a *reply) status() []byte {
	return der(func(b *cryptobyte.Builder) {
		switch {
		case a.unknown:
			implicit(b, 2, nil)
		case a.revoked != nil:
			explicit(b, 1, func(b *cryptobyte.Builder) {
				b.AddASN1GeneralizedTime(a.revoked.At.UTC())
				explicit(b, 0, func(b *cryptobyte.Builder) { b.AddASN1Enum(int64(a.revoked.Reason)) })
			})
		default:
			implicit(b, 0, nil)
		}
	})
}

// data is ResponseData.
func (a *reply) data() []byte {
	return der(func(b *cryptobyte.Builder) {
		seq(b, func(b *cryptobyte.Builder) {
			explicit(b, 2, func(b *cryptobyte.Builder) { b.AddASN1OctetString(a.responder) })
			b.AddASN1GeneralizedTime(a.produced)
			seq(b, func(b *cryptobyte.Builder) {
				seq(b, func(b *cryptobyte.Builder) {
					seq(b, func(b *cryptobyte.Builder) {
						seq(b, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(oidSHA1); b.AddASN1NULL() })
						b.AddASN1OctetString(a.nameHash)
						b.AddASN1OctetString(a.keyHash)
						b.AddASN1BigInt(a.serial)
					})
					b.AddBytes(a.status())
					b.AddASN1GeneralizedTime(a.thisUpdate)
					explicit(b, 0, func(b *cryptobyte.Builder) { b.AddASN1GeneralizedTime(a.nextUpdate) })
				})
			})
			if a.nonce != nil {
				explicit(b, 1, func(b *cryptobyte.Builder) {
					seq(b, func(b *cryptobyte.Builder) {
						seq(b, func(b *cryptobyte.Builder) {
							b.AddASN1ObjectIdentifier(oidOCSPNonce)
							b.AddASN1OctetString(a.nonce)
						})
					})
				})
			}
		})
	})
}

// sign makes the whole OCSPResponse: what is said, with a signature over what
// is true.
func (a *reply) sign(key *rsa.PrivateKey, said, include []byte) ([]byte, error) {
	digest := sha256.Sum256(a.data())
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, digest[:])
	if err != nil {
		return nil, err
	}
	basic := der(func(b *cryptobyte.Builder) {
		seq(b, func(b *cryptobyte.Builder) {
			b.AddBytes(said)
			seq(b, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(oidSHA256WithRSA); b.AddASN1NULL() })
			b.AddASN1BitString(signature)
			if include != nil {
				explicit(b, 0, func(b *cryptobyte.Builder) {
					seq(b, func(b *cryptobyte.Builder) { b.AddBytes(include) })
				})
			}
		})
	})
	return der(func(b *cryptobyte.Builder) {
		seq(b, func(b *cryptobyte.Builder) {
			b.AddASN1Enum(0)
			explicit(b, 0, func(b *cryptobyte.Builder) {
				seq(b, func(b *cryptobyte.Builder) {
					b.AddASN1ObjectIdentifier(oidOCSPBasic)
					b.AddASN1OctetString(basic)
				})
			})
		})
	}), nil
}
