package cardauth

import (
	"bufio"
	"crypto"
	"errors"
	"fmt"
	"hash"
	"io"

	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

const (
	streamBuffer = 32 << 10 // bytes; no element that is read whole is longer
	maxHeader    = 6        // bytes of tag and length, for lengths below 4 GB
)

var (
	errDER     = errors.New("not DER")
	errTooLong = errors.New("longer than is accepted")
)

// stream reads DER whose outermost elements are too long to be held: it goes
// into them, and reads whole only what is small. What lies between sign and
// signed is hashed on the way.
type stream struct {
	src *bufio.Reader
	pos int64 // bytes consumed
	max int64 // bytes that may be

	signing bool
	early   []byte    // signed bytes from before the hash was known
	sum     hash.Hash // nil: not known yet
}

func newStream(src io.Reader, limit int64) *stream {
	return &stream{src: bufio.NewReaderSize(src, streamBuffer), max: limit}
}

// peek returns the next n bytes, which are there or it is an error.
func (s *stream) peek(n int) ([]byte, error) {
	b, err := s.src.Peek(n)
	if errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: cut off", errDER)
	}
	return b, err
}

// consume takes n bytes that were peeked at.
func (s *stream) consume(b []byte) error {
	if s.pos += int64(len(b)); s.pos > s.max {
		return errTooLong
	}
	switch {
	case s.sum != nil && s.signing:
		_, _ = s.sum.Write(b) // a hash takes everything
	case s.signing:
		if s.early = append(s.early, b...); len(s.early) > maxEarly {
			return errDER
		}
	}
	_, err := s.src.Discard(len(b))
	return err
}

// measure reads tag and length of the next element without consuming them: low
// tag numbers and shortest lengths only.
func (s *stream) measure() (tag cbasn1.Tag, header int, length int64, err error) {
	b, err := s.peek(2)
	if err != nil {
		return 0, 0, 0, err
	}
	tag = cbasn1.Tag(b[0])
	if tag&0x1F == 0x1F {
		return 0, 0, 0, errDER
	}
	if b[1] < 0x80 {
		return tag, 2, int64(b[1]), nil
	}
	octets := int(b[1] & 0x7F)
	if octets == 0 || 2+octets > maxHeader {
		return 0, 0, 0, errDER
	}
	if b, err = s.peek(2 + octets); err != nil {
		return 0, 0, 0, err
	}
	for _, octet := range b[2:] {
		length = length<<8 | int64(octet)
	}
	if length < 0x80 || length>>(8*(octets-1)) == 0 {
		return 0, 0, 0, errDER // there is a shorter form
	}
	return tag, 2 + octets, length, nil
}

// enter goes into an element with this tag and returns the position of its end.
func (s *stream) enter(want cbasn1.Tag) (end int64, err error) {
	tag, header, length, err := s.measure()
	if err != nil {
		return 0, err
	}
	end = s.pos + int64(header) + length
	switch {
	case tag != want:
		return 0, errDER
	case end > s.max:
		return 0, errTooLong
	}
	b, err := s.peek(header)
	if err != nil {
		return 0, err
	}
	return end, s.consume(b)
}

// element reads an element whole, header included, of at most limit bytes. It
// is valid until the next is read.
func (s *stream) element(limit int) ([]byte, error) {
	_, header, length, err := s.measure()
	if err != nil {
		return nil, err
	}
	if length > int64(limit-header) {
		return nil, errTooLong
	}
	b, err := s.peek(header + int(length))
	if err != nil {
		return nil, err
	}
	return b, s.consume(b)
}

// next returns the tag of the next element.
func (s *stream) next() (cbasn1.Tag, error) {
	b, err := s.peek(1)
	if err != nil {
		return 0, err
	}
	return cbasn1.Tag(b[0]), nil
}

// maxEarly bounds what is signed before the hash is named: a header, a version,
// an algorithm.
const maxEarly = 128

// sign begins what is signed.
func (s *stream) sign() { s.signing = true }

// hashWith names the hash, once it was read in what is signed.
func (s *stream) hashWith(h crypto.Hash) {
	s.sum = h.New()
	_, _ = s.sum.Write(s.early) // a hash takes everything
	s.early = nil
}

// signed ends what is signed and returns its digest.
func (s *stream) signed() []byte {
	s.signing = false
	return s.sum.Sum(nil)
}

// ends reports whether nothing is left.
func (s *stream) ends() error {
	_, err := s.src.Peek(1)
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err == nil {
		err = fmt.Errorf("%w: more after the end", errDER)
	}
	return err
}
