package cardtest

import (
	"bufio"
	"bytes"
	"net"
	"testing"
)

// FuzzReaderMessages: whatever a reader sends, the card reads whole messages of the length that was announced, and ends at the first
// that is not.
func FuzzReaderMessages(f *testing.F) {
	for _, s := range []string{"\x00\x01\x04", "\x00\x00", "\x00\x05\x00\xa4\x04\x0c\x00", "\xff\xff\x00", "\x00"} {
		f.Add([]byte(s))
	}
	ours, theirs := net.Pipe()
	f.Cleanup(func() { _, _ = ours.Close(), theirs.Close() })
	f.Fuzz(func(t *testing.T, sent []byte) {
		p := &Plugged{conn: ours}
		in := bufio.NewReader(bytes.NewReader(sent))
		at := 0
		for {
			message, err := p.receive(in)
			if err != nil {
				return
			}
			if len(message) == 0 || at+2+len(message) > len(sent) || !bytes.Equal(message, sent[at+2:at+2+len(message)]) {
				t.Fatalf("message %x at %d of %x", message, at, sent)
			}
			at += 2 + len(message)
		}
	})
}
