package passkeytest

import "encoding/binary"

// The few kinds of CBOR (RFC 8949 §3) that authenticators write; maps in the order given, which callers keep canonical (CTAP2 §8).

func head(major byte, n uint64) []byte {
	switch {
	case n < 24:
		return []byte{major<<5 | byte(n)}
	case n < 1<<8:
		return []byte{major<<5 | 24, byte(n)}
	case n < 1<<16:
		return binary.BigEndian.AppendUint16([]byte{major<<5 | 25}, uint16(n))
	}
	return binary.BigEndian.AppendUint32([]byte{major<<5 | 26}, uint32(n)) //nolint:gosec // nothing here is longer
}

func number(n int64) []byte {
	if n < 0 {
		return head(1, uint64(-1-n))
	}
	return head(0, uint64(n))
}

func bytesOf(b []byte) []byte  { return append(head(2, uint64(len(b))), b...) }
func textOf(s string) []byte   { return append(head(3, uint64(len(s))), s...) }
func mapHead(pairs int) []byte { return head(5, uint64(pairs)) } //nolint:gosec // never negative

func joined(parts ...[]byte) []byte {
	var out []byte
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}
