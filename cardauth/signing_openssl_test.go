package cardauth

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The CMS is for others: openssl verifies it, with the document beside it, and
// a document that was changed by one byte is not what was signed.
func TestSignatureVerifiesWithOpenSSL(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("openssl is not installed")
	}
	n := newNotary(t)
	id := n.ask(t, &document)
	s, err := n.judge(t.Context(), id, n.honestly(t, id, signingLeaf(t, nil)).body(t))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name string, b []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	signature, ca := write("signature.p7s", s.CMS), write("sign-ca.pem", testPKI(t).Sign().PEM())
	verify := func(content string) (string, error) {
		// The time is the one of the tests; the certificate has no purpose that openssl knows.
		out, err := exec.CommandContext(t.Context(), openssl, "cms", "-verify", "-binary", "-inform", "DER", "-in", signature,
			"-content", content, "-CAfile", ca, "-purpose", "any", "-cades", "-attime", "1775034000", "-out", filepath.Join(dir, "out")).CombinedOutput()
		return string(out), err
	}
	if out, err := verify(write("document", documentBytes)); err != nil || !strings.Contains(out, "successful") {
		t.Fatalf("%v: %s", err, out)
	}
	if out, err := verify(write("changed", append([]byte{' '}, documentBytes...))); err == nil {
		t.Fatalf("a changed document passes: %s", out)
	}
}
