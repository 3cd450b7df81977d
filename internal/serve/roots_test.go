package serve

import (
	"crypto/x509"
	"encoding/pem"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
)

// What is added stands beside what was trusted, whose pool stays as it was.
func TestRoots(t *testing.T) {
	s := httptest.NewTLSServer(nil)
	defer s.Close()
	dir := t.TempDir()
	good, bad := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "empty.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	for path, b := range map[string][]byte{good: block, bad: []byte("nothing")} {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	base := x509.NewCertPool()
	pool, err := Roots(base, good)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Certificate().Verify(x509.VerifyOptions{Roots: pool}); err != nil {
		t.Errorf("what was added is not trusted: %v", err)
	}
	if !base.Equal(x509.NewCertPool()) {
		t.Error("the pool given was changed")
	}
	if _, err := Roots(nil, good); err != nil {
		t.Errorf("beside the system's: %v", err)
	}
	for _, path := range []string{bad, filepath.Join(dir, "absent.pem")} {
		if _, err := Roots(base, path); err == nil {
			t.Errorf("%s is taken", path)
		}
	}
}
