package keys

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// LoadSealer reads the 32 bytes of a seal file. It refuses a file that its group
// or others may read or write, that is not a regular file, or that has another
// length. A missing file is fs.ErrNotExist.
func LoadSealer(path string) (*Sealer, error) {
	f, err := os.Open(path) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, fmt.Errorf("open seal file: %w", err)
	}
	defer func() { _ = f.Close() }() // only read from
	info, err := f.Stat()            // of the open file, so that it cannot be exchanged in between
	if err != nil {
		return nil, fmt.Errorf("open seal file: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("seal file %s is not a regular file", path)
	}
	if open := info.Mode().Perm() & 0o077; open != 0 {
		return nil, fmt.Errorf("seal file %s is open to group or others (mode %04o): chmod 600", path, info.Mode().Perm())
	}
	b, err := io.ReadAll(io.LimitReader(f, SealKeySize+1))
	if err != nil {
		return nil, fmt.Errorf("read seal file: %w", err)
	}
	s, err := newSealer(NewSecret(b))
	if err != nil {
		return nil, fmt.Errorf("seal file %s: %w", path, err)
	}
	return s, nil
}

// CreateSealer loads the seal file, and makes it first, mode 0600, if there is
// none. It never replaces a file: two processes that start together end up with
// the same key, and a crash leaves either a whole file or none, because the
// bytes are written elsewhere and then linked to the name, which fails if the
// name is taken.
func CreateSealer(path string) (*Sealer, error) {
	s, err := LoadSealer(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return s, err
	}
	if err := makeSealFile(path); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("make seal file: %w", err)
	}
	return LoadSealer(path)
}

func makeSealFile(path string) (err error) {
	key := make([]byte, SealKeySize)
	_, _ = rand.Read(key)                                  // cannot fail since Go 1.24
	f, err := os.CreateTemp(filepath.Dir(path), ".seal-*") // mode 0600, O_EXCL
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(f.Name())) }()
	_, err = f.Write(key)
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return err
	}
	if err := os.Link(f.Name(), path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// syncDir makes a new name in a directory survive a power cut.
func syncDir(dir string) error {
	d, err := os.Open(dir) //nolint:gosec // the folder of that file
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
