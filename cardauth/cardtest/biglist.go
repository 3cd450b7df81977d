package cardtest

import (
	"bufio"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/binary"
	"errors"
	"io"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

var (
	oidCRLNumber = asn1.ObjectIdentifier{2, 5, 29, 20}
)

// BigList is a revocation list of any length.
type BigList struct {
	Entries                int
	Point                  []byte // name of the distribution point, DER; nil: all certificates
	Number                 int64  // cRLNumber; 0: none
	ThisUpdate, NextUpdate time.Time
	// Serial and Reason say what the entries hold; nil: serial numbers of cards
	// all over the range, no two alike, and mostly superseded. A serial number
	// needs four bytes (0x00800000 to 0x7FFFFFFF), a reason is from 1 to 10.
	Serial func(i int) uint32
	Reason func(i int) byte
}

// scattered is a serial number for each i below 2^30, no two alike: an odd
// number times i runs through all of them.
func scattered(i int) uint32 {
	return uint32(i)*0x2545F491&(1<<30-1) + 0x02000000 //nolint:gosec // modulo 2^32 is meant
}

func usual(i int) byte { return [...]byte{4, 4, 4, 5, 1}[i%5] }

// entryLen is the length of an entry: its number has four bytes and it has a
// reason.
const entryLen = 37

// WriteList writes a list as it is made, in memory of a fixed size, and signs
// it.
func (ca *CA) WriteList(to io.Writer, l BigList) error {
	if l.Serial == nil {
		l.Serial = scattered
	}
	if l.Reason == nil {
		l.Reason = usual
	}
	head := l.head(ca)
	extensions := l.extensions(ca)
	entries := header(cbasn1.SEQUENCE, l.Entries*entryLen)
	if l.Entries == 0 {
		entries = nil // RFC 5280 §5.1.2.6: absent
	}
	signed := len(head) + len(entries) + l.Entries*entryLen + len(extensions)
	algorithm := der(func(b *cryptobyte.Builder) {
		seq(b, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(oidSHA256WithRSA); b.AddASN1NULL() })
	})
	tbs := header(cbasn1.SEQUENCE, signed)
	signature := header(cbasn1.BIT_STRING, 1+ca.key.Size())
	out, sum := bufio.NewWriterSize(to, 1<<16), sha256.New()
	write(out, header(cbasn1.SEQUENCE, len(tbs)+signed+len(algorithm)+len(signature)+1+ca.key.Size()))
	both := io.MultiWriter(out, sum)
	write(both, tbs, head, entries)
	for i := range l.Entries {
		write(both, l.entry(i))
	}
	write(both, extensions)
	s, err := rsa.SignPKCS1v15(rand.Reader, ca.key, crypto.SHA256, sum.Sum(nil))
	write(out, algorithm, signature, []byte{0}, s)
	return errors.Join(err, out.Flush())
}

// write leaves errors to Flush, which has those of every write before it.
func write(to io.Writer, parts ...[]byte) {
	for _, p := range parts {
		_, _ = to.Write(p)
	}
}

// head is what comes before the entries.
func (l BigList) head(ca *CA) []byte {
	return der(func(b *cryptobyte.Builder) {
		b.AddASN1Int64(1)
		seq(b, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(oidSHA256WithRSA); b.AddASN1NULL() })
		b.AddBytes(ca.cert.RawSubject)
		b.AddASN1UTCTime(l.ThisUpdate.UTC())
		b.AddASN1UTCTime(l.NextUpdate.UTC())
	})
}

func (l BigList) entry(i int) []byte {
	b := make([]byte, 0, entryLen)
	b = append(b, 0x30, entryLen-2, 0x02, 0x04)
	b = binary.BigEndian.AppendUint32(b, l.Serial(i))
	b = append(b, 0x17, 13)
	b = append(b, "260101000000Z"...)
	return append(b, 0x30, 0x0C, 0x30, 0x0A, 0x06, 0x03, 0x55, 0x1D, 0x15, 0x04, 0x03, 0x0A, 0x01, l.Reason(i))
}

func (l BigList) extensions(ca *CA) []byte {
	var all []pkix.Extension
	all = append(all, pkix.Extension{Id: oidAuthorityKeyID, Value: der(func(b *cryptobyte.Builder) {
		seq(b, func(b *cryptobyte.Builder) { implicit(b, 0, ca.cert.SubjectKeyId) })
	})})
	if l.Number != 0 {
		all = append(all, pkix.Extension{Id: oidCRLNumber, Value: der(func(b *cryptobyte.Builder) { b.AddASN1Int64(l.Number) })})
	}
	if l.Point != nil {
		all = append(all, issuingPoint(l.Point))
	}
	return der(func(b *cryptobyte.Builder) {
		explicit(b, 0, func(b *cryptobyte.Builder) {
			seq(b, func(b *cryptobyte.Builder) {
				for _, e := range all {
					seq(b, func(b *cryptobyte.Builder) {
						b.AddASN1ObjectIdentifier(e.Id)
						if e.Critical {
							b.AddASN1Boolean(true)
						}
						b.AddASN1OctetString(e.Value)
					})
				}
			})
		})
	})
}

// header is tag and length of an element of n bytes, in the shortest form.
func header(tag cbasn1.Tag, n int) []byte {
	if n < 0x80 {
		return []byte{byte(tag), byte(n)} //nolint:gosec // below 128
	}
	length := binary.BigEndian.AppendUint64(nil, uint64(n))
	for length[0] == 0 {
		length = length[1:]
	}
	return append([]byte{byte(tag), 0x80 | byte(len(length))}, length...) //nolint:gosec // at most eight
}
