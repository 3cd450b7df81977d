package main

import (
	"crypto/tls"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// A browser told to trust ca.pem trusts it after a restart; what is about to end is made anew; private keys are for the owner alone.
func TestAuthorityIsKept(t *testing.T) {
	dir := t.TempDir()
	now := time.Now()
	if _, err := openAuthority(dir, now); err != nil {
		t.Fatal(err)
	}
	read := func(name string) string {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	ca, leaf := read("ca.pem"), read("server.pem")
	if _, err := openAuthority(dir, now.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if read("ca.pem") != ca || read("server.pem") != leaf {
		t.Error("made anew without need")
	}
	if _, err := openAuthority(dir, now.Add(authorityLife/2)); err != nil {
		t.Fatal(err)
	}
	if read("ca.pem") != ca || read("server.pem") == leaf {
		t.Error("the server's certificate was not renewed, or the authority was")
	}
	for _, name := range []string{"ca.key", "server.key"} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "ca.key"), []byte("broken"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openAuthority(dir, now); err == nil {
		t.Error("a broken key was replaced in silence")
	}
}

// The listeners speak TLS 1.2 and 1.3 with forward secrecy, and nothing older.
func TestTLSVersions(t *testing.T) {
	a, err := openAuthority(t.TempDir(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", a.config)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				if s, ok := c.(*tls.Conn); ok {
					_ = s.Handshake() // the client's side is what is tested
				}
				_ = c.Close()
			}()
		}
	}()
	dial := func(c *tls.Config) error {
		c.RootCAs, c.ServerName = a.pool, "localhost"
		d := tls.Dialer{NetDialer: &net.Dialer{Timeout: 5 * time.Second}, Config: c}
		conn, err := d.DialContext(t.Context(), "tcp", l.Addr().String())
		if err == nil {
			_ = conn.Close()
		}
		return err
	}
	for name, tt := range map[string]struct {
		config *tls.Config
		works  bool
	}{
		"1.3":     {&tls.Config{MinVersion: tls.VersionTLS13}, true},
		"1.2":     {&tls.Config{MinVersion: tls.VersionTLS12, MaxVersion: tls.VersionTLS12}, true},
		"1.1":     {&tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, false},
		"1.2 CBC": {&tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA}}, false},
	} {
		if err := dial(tt.config); (err == nil) != tt.works {
			t.Errorf("TLS %s: %v", name, err)
		}
	}
}

// A second demo on the same directory is told so.
func TestLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	unlock, err := lock(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lock(path); err == nil {
		t.Error("two at once")
	}
	unlock()
	again, err := lock(path)
	if err != nil {
		t.Fatalf("after the first ended: %v", err)
	}
	again()
}
