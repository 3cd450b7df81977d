package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// background runs the program until stop, which waits for its exit code.
type background struct {
	line string // the first it printed
	err  *bytes.Buffer
	stop func() int
}

func start(t *testing.T, args ...string) background {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	b := background{err: &bytes.Buffer{}}
	out, in := io.Pipe()
	ended := make(chan int, 1)
	go func() {
		code := run(ctx, args, streams{strings.NewReader(""), in, b.err}, time.Now)
		_ = in.Close()
		ended <- code
	}()
	b.stop = func() int {
		cancel()
		code := <-ended
		ended <- code
		return code
	}
	t.Cleanup(func() { b.stop() })
	b.line, _ = bufio.NewReader(out).ReadString('\n')
	return b
}

// The program makes the PKI, says when a reader has asked for the card, and pulls it out when it is told to end.
func TestVirtualCommand(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	conns := make(chan net.Conn, 2)
	go func() {
		for conn, err := l.Accept(); err == nil; conn, err = l.Accept() {
			_, _ = conn.Write([]byte{0, 1, 1, 0, 1, 4}) // power on; ATR?
			conns <- conn
		}
	}()
	pki := filepath.Join(t.TempDir(), "new", "pki")
	args := []string{"virtual", "-card", "taro", "-pki", pki, "-vpcd", l.Addr().String()}
	b := start(t, args...)
	if want := "inserted taro " + l.Addr().String() + "\n"; b.line != want {
		t.Fatalf("%q, want %q; %s", b.line, want, b.err)
	}
	for _, name := range []string{"auth-ca.pem", "sign-ca.pem"} {
		if _, err := os.Stat(filepath.Join(pki, name)); err != nil {
			t.Error(err)
		}
	}
	if code := b.stop(); code != exitDone || b.err.Len() > 0 {
		t.Errorf("code %d, %q", code, b.err)
	}
	said, _ := io.ReadAll(<-conns) // the ATR, and then the end
	if want := []byte{0, 9, 0x3B, 0xE0, 0, 0xFF, 0x81, 0x31, 0xFE, 0x45, 0x14}; !bytes.Equal(said, want) {
		t.Errorf("% X", said)
	}
	b = start(t, args...)
	_ = (<-conns).Close()
	time.Sleep(10 * time.Millisecond)
	if code := b.stop(); code != exitFailed || !strings.Contains(b.err.String(), "the reader is gone") {
		t.Errorf("reader gone: code %d, %q", code, b.err)
	}
	for _, c := range []struct {
		args []string
		text string
	}{
		{[]string{"virtual"}, "-vpcd"},
		{[]string{"virtual", "-card", "nobody", "-pki", pki, "-vpcd", "127.0.0.1:1"}, "nobody"},
		{[]string{"virtual", "-cards", pki}, "-cards"},
	} {
		cardagent(t, "", c.args...).want(t, exitUsage, "", c.text)
	}
}
