package cardtest

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// writeOnce returns the contents of path, or makes them and puts them there
// whole. If somebody else was faster, theirs are used.
func writeOnce(path string, mode fs.FileMode, create func() ([]byte, error)) ([]byte, error) {
	have, err := os.ReadFile(path) //nolint:gosec // a file of the PKI directory
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return have, err
	}
	made, err := create()
	if err != nil {
		return nil, err
	}
	temporary, err := writeTemporary(path, mode, made)
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.Remove(temporary) }()
	if err = os.Link(temporary, path); errors.Is(err, fs.ErrExist) {
		return os.ReadFile(path) //nolint:gosec // as above
	}
	return made, err
}

// replace puts b at path, whole, whatever was there.
func replace(path string, mode fs.FileMode, b []byte) error {
	temporary, err := writeTemporary(path, mode, b)
	if err != nil {
		return err
	}
	return os.Rename(temporary, path)
}

func writeTemporary(path string, mode fs.FileMode, b []byte) (string, error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-")
	if err != nil {
		return "", err
	}
	_, err = f.Write(b)
	err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
	if err != nil {
		return "", errors.Join(err, os.Remove(f.Name()))
	}
	return f.Name(), nil
}

// register is what an authority remembers about its certificates: one file
// per serial number issued and one per serial number revoked.
type register struct{ issued, revoked string }

func openRegister(dir string) (register, error) {
	r := register{issued: filepath.Join(dir, "issued"), revoked: filepath.Join(dir, "revoked")}
	return r, errors.Join(os.MkdirAll(r.issued, 0o700), os.MkdirAll(r.revoked, 0o700))
}

func serialFile(dir string, serial uint32) string {
	return filepath.Join(dir, fmt.Sprintf("%08X", serial))
}

// next takes a serial number nobody has: four bytes, like the real ones.
func (r register) next() (uint32, error) {
	for range 100 {
		var random [4]byte
		_, _ = rand.Read(random[:]) // cannot fail
		serial := binary.BigEndian.Uint32(random[:])&0x3FFFFFFF + 0x02000000
		err := r.take(serial)
		if !errors.Is(err, fs.ErrExist) {
			return serial, err
		}
	}
	return 0, errors.New("no serial number left")
}

func (r register) take(serial uint32) error {
	f, err := os.OpenFile(serialFile(r.issued, serial), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

func (r register) knows(serial uint32) bool {
	_, err := os.Stat(serialFile(r.issued, serial))
	return err == nil
}

// revocation says why and when a certificate stopped counting.
type revocation struct {
	Reason int       `json:"reason"` // CRLReason, RFC 5280 §5.3.1
	At     time.Time `json:"at"`
}

func (r register) revoke(serial uint32, rev revocation) error {
	b, err := json.Marshal(rev)
	if err != nil {
		return err
	}
	return replace(serialFile(r.revoked, serial), 0o600, b)
}

func (r register) revocation(serial uint32) (revocation, bool, error) {
	var rev revocation
	b, err := os.ReadFile(serialFile(r.revoked, serial))
	if errors.Is(err, fs.ErrNotExist) {
		return rev, false, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &rev)
	}
	return rev, err == nil, err
}

// allRevoked lists every revoked serial number.
func (r register) allRevoked() ([]uint32, error) {
	entries, err := os.ReadDir(r.revoked)
	if err != nil {
		return nil, err
	}
	var out []uint32
	for _, e := range entries {
		if n, err := strconv.ParseUint(e.Name(), 16, 32); err == nil {
			out = append(out, uint32(n))
		}
	}
	return out, nil
}
