package conf

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// MaxSize is the size of the largest configuration file in bytes.
const MaxSize = 1 << 20

// Load decodes the file at path into a pointer to a struct. Errors begin with the path; those about the content are a *KeyError
// underneath.
func Load(path string, into any) error {
	b, err := readBounded(path, MaxSize, nil)
	if err != nil {
		return err
	}
	if err := Parse(b, into); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// readBounded reads a regular file that check, if any, accepts. All looks go to the opened file, so it cannot be exchanged in
// between.
func readBounded(path string, limit int64, check func(os.FileInfo) error) (_ []byte, err error) {
	f, err := os.Open(path) // #nosec G304 -- the operator names the file
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: not a regular file", path)
	}
	if check != nil {
		if err := check(info); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(b)) > limit {
		return nil, fmt.Errorf("%s: larger than %d bytes", path, limit)
	}
	return b, nil
}
