package keys

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

func sealerFrom(t testing.TB, fill byte) *Sealer {
	t.Helper()
	s, err := newSealer(NewSecret(bytes.Repeat([]byte{fill}, SealKeySize)))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func reasonOf(err error) Reason {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Reason
	}
	return 0
}

func TestSealedOpensOnlyWhereItBelongs(t *testing.T) {
	s, other := sealerFrom(t, 1), sealerFrom(t, 2)
	plain, aad := []byte("private key"), []byte("row 7")
	sealed := s.Seal(plain, aad)
	if got, err := s.Open(sealed, aad); err != nil || !bytes.Equal(got, plain) {
		t.Fatalf("own value: %q, %v", got, err)
	}
	if bytes.Contains(sealed, plain) {
		t.Error("the plain text shows")
	}
	if bytes.Equal(sealed, s.Seal(plain, aad)) {
		t.Error("sealed twice alike: the nonce repeats")
	}
	refused := map[string]func() ([]byte, error){
		"other aad":  func() ([]byte, error) { return s.Open(sealed, []byte("row 8")) },
		"empty aad":  func() ([]byte, error) { return s.Open(sealed, nil) },
		"other key":  func() ([]byte, error) { return other.Open(sealed, aad) },
		"empty":      func() ([]byte, error) { return s.Open(nil, aad) },
		"header":     func() ([]byte, error) { return s.Open(sealed[:sealHeader], aad) },
		"cut":        func() ([]byte, error) { return s.Open(sealed[:len(sealed)-1], aad) },
		"lengthened": func() ([]byte, error) { return s.Open(append(bytes.Clone(sealed), 0), aad) },
	}
	for name, open := range refused {
		if got, err := open(); reasonOf(err) != SealBroken || got != nil {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	for i := range sealed {
		altered := bytes.Clone(sealed)
		altered[i] ^= 1
		if _, err := s.Open(altered, aad); reasonOf(err) != SealBroken {
			t.Errorf("byte %d altered: %v", i, err)
		}
	}
}

// The digest is stored for ever (card bindings hang on it): its value must never
// change. The expected values were computed with Python's hmac and a hand-written
// HKDF.
func TestDigestIsStable(t *testing.T) {
	s := sealerFrom(t, 1)
	for _, c := range []struct{ purpose, data, want string }{
		{"card-serial", "0123456789", "55abe95a9086e050a718956d3039774493fa78bdacc1ee083374dec8151932f3"},
		{"", "", "a852325c0d5ebbb98f79e84eb89e5c9355c10b71483412f511b4ccddc8c1127c"},
	} {
		got := s.Digest(c.purpose, []byte(c.data))
		if hex.EncodeToString(got[:]) != c.want {
			t.Errorf("%s: %x", c.purpose, got)
		}
	}
}

func TestDigestsAreUnrelated(t *testing.T) {
	s, other := sealerFrom(t, 1), sealerFrom(t, 2)
	seen := map[[32]byte]bool{}
	for _, d := range [][32]byte{
		s.Digest("a", []byte("bc")), s.Digest("ab", []byte("c")), s.Digest("abc", nil), s.Digest("", []byte("abc")), other.Digest("a", []byte("bc")),
	} {
		if seen[d] {
			t.Errorf("%x came twice", d)
		}
		seen[d] = true
	}
}

func TestSealFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "seal.key")
	if _, err := LoadSealer(path); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("missing file: %v", err)
	}
	first, err := CreateSealer(path)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 || info.Size() != SealKeySize {
		t.Fatalf("made %v, %v", info, err)
	}
	again, err := CreateSealer(path)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := again.Open(first.Seal([]byte("x"), nil), nil); err != nil || string(got) != "x" {
		t.Errorf("the second start has another key: %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".seal-*")); left != nil {
		t.Errorf("left behind: %v", left)
	}
}

func TestSealFileRefused(t *testing.T) {
	good := bytes.Repeat([]byte{7}, SealKeySize)
	for _, c := range []struct {
		name  string
		bytes []byte
		mode  fs.FileMode
	}{
		{"readable by group", good, 0o640},
		{"readable by others", good, 0o604},
		{"writable by others", good, 0o602},
		{"too short", good[1:], 0o600},
		{"too long", append(good, 1), 0o600},
		{"empty", nil, 0o600},
		{"all zero", make([]byte, SealKeySize), 0o600},
	} {
		path := filepath.Join(t.TempDir(), "seal.key")
		if err := errors.Join(os.WriteFile(path, c.bytes, 0o600), os.Chmod(path, c.mode)); err != nil {
			t.Fatal(err)
		}
		for _, open := range []func(string) (*Sealer, error){LoadSealer, CreateSealer} {
			if _, err := open(path); err == nil {
				t.Errorf("%s: accepted", c.name)
			}
		}
		if b, err := os.ReadFile(path); err != nil || !bytes.Equal(b, c.bytes) {
			t.Errorf("%s: the file was changed", c.name)
		}
	}
	if _, err := LoadSealer(t.TempDir()); err == nil {
		t.Error("a directory was accepted")
	}
}

func TestSealFileMadeOnceByMany(t *testing.T) {
	path := filepath.Join(t.TempDir(), "seal.key")
	sealers := make([]*Sealer, 16)
	var wg sync.WaitGroup
	for i := range sealers {
		wg.Go(func() {
			s, err := CreateSealer(path)
			if err != nil {
				t.Error(err)
			}
			sealers[i] = s
		})
	}
	wg.Wait()
	for _, s := range sealers {
		if s == nil || s.keyID != sealers[0].keyID {
			t.Fatal("two starts have two keys")
		}
	}
}
