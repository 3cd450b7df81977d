//go:build pcsc && linux

package pcsc

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/cardauth/cardtest"
	"github.com/tsunagu-id/tsunagu/cardauth/jpki"
	"github.com/tsunagu-id/tsunagu/cardauth/pcsc/pcsctest"
)

// openSC is software that knows nothing of ours, at a fresh virtual card in the first reader.
type openSC struct {
	t      *testing.T
	d      *pcsctest.Daemon
	dir    string
	module string
}

func newOpenSC(t *testing.T) *openSC {
	t.Helper()
	modules, err := filepath.Glob("/usr/lib/*/opensc-pkcs11.so")
	if err != nil {
		t.Fatal(err)
	}
	var missing []string
	for program, debian := range map[string]string{"pkcs15-tool": "opensc", "openssl": "openssl"} {
		if _, err := exec.LookPath(program); err != nil {
			missing = append(missing, debian)
		}
	}
	if len(modules) == 0 {
		missing = append(missing, "opensc-pkcs11")
	}
	if missing != nil {
		t.Skipf("not installed: %s", strings.Join(missing, ", "))
	}
	o := &openSC{t: t, d: pcsctest.Start(t), dir: t.TempDir(), module: modules[0]}
	// A cached certificate would be another card's.
	t.Setenv("OPENSC_CONF", o.write("opensc.conf", "app default { framework pkcs15 { use_file_caching = no; } }\n"))
	fresh, err := cardtest.LoadOrCreatePKI(filepath.Join(o.dir, "pki"), time.Now, "")
	if err != nil {
		t.Fatal(err)
	}
	card, err := fresh.Drawer().Card("taro")
	if err != nil {
		t.Fatal(err)
	}
	plug(t, card, o.d.Addresses[0])
	untilPresent(t, open(t), o.d.Readers[0], true)
	return o
}

func (o *openSC) path(name string) string { return filepath.Join(o.dir, name) }

func (o *openSC) write(name, text string) string {
	o.t.Helper()
	if err := os.WriteFile(o.path(name), []byte(text), 0o600); err != nil {
		o.t.Fatal(err)
	}
	return o.path(name)
}

// run runs a program and returns what it printed, and whether it succeeded.
func (o *openSC) run(program string, args ...string) (string, bool) {
	o.t.Helper()
	out, err := exec.CommandContext(o.t.Context(), program, args...).CombinedOutput()
	if _, failed := errors.AsType[*exec.ExitError](err); err != nil && !failed {
		o.t.Fatal(err)
	}
	return string(out), err == nil
}

// want runs a program that has to succeed and to print every text.
func (o *openSC) want(texts []string, program string, args ...string) string {
	o.t.Helper()
	out, ok := o.run(program, args...)
	if !ok {
		o.t.Errorf("%s %v failed: %s", program, args, out)
	}
	for _, text := range texts {
		if !strings.Contains(out, text) {
			o.t.Errorf("%s %v: %q is missing: %s", program, args, text, out)
		}
	}
	return out
}

// sign has a key of the card sign a file; openssl checks it with the certificate that OpenSC read.
func (o *openSC) sign(slot, id, secret, mechanism, certificate string) {
	o.t.Helper()
	message, signature := o.write("message", "見本"), o.path("signature")
	o.want(nil, "pkcs11-tool", "--module", o.module, "--slot-index", slot, "--login", "--pin", secret, "--sign", "--mechanism", mechanism,
		"--id", id, "-i", message, "-o", signature)
	key := o.want(nil, "openssl", "x509", "-pubkey", "-noout", "-in", o.write("certificate", certificate))
	hash := "-" + strings.ToLower(strings.TrimSuffix(mechanism, "-RSA-PKCS"))
	o.want([]string{"Verified OK"}, "openssl", "dgst", hash, "-verify", o.write("key", key), "-signature", signature, message)
}

// crypt has OpenSC's other tool sign a digest with the key that logs in; openssl checks it.
func (o *openSC) crypt(certificate string) {
	o.t.Helper()
	sum := sha256.Sum256([]byte("見本"))
	digest, signature := o.write("digest", string(sum[:])), o.path("signature")
	o.want(nil, "pkcs15-crypt", "--reader", "0", "--sign", "--key", "01", "--pin", cardtest.DemoPIN, "--sha-256", "--pkcs1", "--input", digest,
		"--output", signature, "--raw")
	key := o.want(nil, "openssl", "x509", "-pubkey", "-noout", "-in", o.write("certificate", certificate))
	o.want([]string{"Verified OK"}, "openssl", "dgst", "-sha256", "-verify", o.write("key", key), "-signature", signature, o.write("message", "見本"))
}

func TestOpenSCTakesTheVirtualCardForAMyNumberCard(t *testing.T) {
	o := newOpenSC(t)
	o.want([]string{o.d.Readers[0]}, "opensc-tool", "--list-readers")
	o.want([]string{"jpki"}, "opensc-tool", "--reader", "0", "--name")
	o.want([]string{"3b:e0:00:ff:81:31:fe:45:14"}, "opensc-tool", "--reader", "0", "--atr")
	o.want([]string{"User Authentication PIN", "Tries left     : 3", "Digital Signature PIN", "Tries left     : 5"},
		"pkcs15-tool", "--reader", "0", "--list-pins")
	o.want([]string{"User Authentication Certificate", "Digital Signature Certificate"}, "pkcs15-tool", "--reader", "0", "--list-certificates")
	o.want([]string{"JPKI (User Authentication PIN)", "JPKI (Digital Signature PIN)"}, "pkcs11-tool", "--module", o.module, "-L")

	auth := o.want([]string{"BEGIN CERTIFICATE"}, "pkcs15-tool", "--reader", "0", "--read-certificate", "01")
	r := open(t)
	s, card := session(t, r, o.d.Readers[0])
	der, err := card.AuthCertificate(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	if block, _ := pem.Decode([]byte(auth)); block == nil || !bytes.Equal(block.Bytes, der) {
		t.Error("OpenSC and our reader read different certificates")
	}
	if leaf, err := x509.ParseCertificate(der); err != nil || leaf.PublicKeyAlgorithm != x509.RSA {
		t.Errorf("%v, %v", leaf, err)
	}
	for _, mechanism := range []string{"SHA256-RSA-PKCS", "SHA1-RSA-PKCS", "SHA512-RSA-PKCS"} {
		o.sign("0", "01", cardtest.DemoPIN, mechanism, auth)
	}
	o.crypt(auth)
	if out, ok := o.run("pkcs15-tool", "--reader", "0", "--read-certificate", "02"); ok {
		t.Errorf("the signature certificate was read without its password: %s", out)
	}
	signing := o.want([]string{"BEGIN CERTIFICATE"}, "pkcs15-tool", "--reader", "0", "--read-certificate", "02",
		"--verify-pin", "--auth-id", "02", "--pin", cardtest.DemoPassword)
	o.sign("1", "02", cardtest.DemoPassword, "SHA256-RSA-PKCS", signing)
}

func TestOpenSCCountsTheSameTries(t *testing.T) {
	o := newOpenSC(t)
	r := open(t)
	tries := func() jpki.Tries {
		t.Helper()
		s, card := session(t, r, o.d.Readers[0])
		defer s.Close()
		left, err := card.AuthPINTries(t.Context())
		if err != nil {
			t.Error(err)
		}
		return left
	}
	try := func(secret string) (string, bool) {
		t.Helper()
		return o.run("pkcs11-tool", "--module", o.module, "--slot-index", "0", "--login", "--pin", secret, "--sign",
			"--mechanism", "SHA256-RSA-PKCS", "--id", "01", "-i", o.write("message", "x"), "-o", o.path("signature"))
	}
	refused := func(left jpki.Tries) {
		t.Helper()
		if out, ok := try("0000"); ok || !strings.Contains(out, "CKR_PIN_INCORRECT") {
			t.Errorf("a wrong PIN: %s", out)
		}
		if got := tries(); got != left {
			t.Errorf("%d tries left, want %d", got, left)
		}
	}
	refused(2)
	if out, ok := try(cardtest.DemoPIN); !ok || tries() != 3 { // the right one puts the counter back
		t.Errorf("the right PIN: %s, %d", out, tries())
	}
	refused(2)
	refused(1)
	o.want([]string{"final user PIN try"}, "pkcs11-tool", "--module", o.module, "-L")
	refused(0)
	o.want([]string{"user PIN locked"}, "pkcs11-tool", "--module", o.module, "-L")
	if out, ok := try(cardtest.DemoPIN); ok {
		t.Errorf("a blocked card signed: %s", out)
	}
	_, _, err := login(t.Context(), r, o.d.Readers[0], pin(t, cardtest.DemoPIN), digest)
	wantCard(t, err, jpki.PINBlocked)
}
