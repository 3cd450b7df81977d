package conf

import (
	"bytes"
	"errors"
	"fmt"
	"os"
)

// maxSecret is the size of the largest secret file in bytes; certificates with their chain and key fit.
const maxSecret = 64 << 10

// SecretFile names the file that holds a secret: {"file": "/etc/tsunagu/seal.key"}. A relative path counts from the working
// directory of the program.
type SecretFile struct {
	File string `json:"file"`
}

// Read returns the content of the file without one line end at its end; it is for secrets that are text. It refuses a file that anybody but its owner may read
// or write, and an empty one. The content appears in no error.
func (s SecretFile) Read() ([]byte, error) {
	if s.File == "" {
		return nil, errors.New("secret: no file is named")
	}
	b, err := readBounded(s.File, maxSecret, private)
	if err != nil {
		return nil, fmt.Errorf("secret: %w", err)
	}
	if text, ok := bytes.CutSuffix(b, []byte("\n")); ok {
		b = bytes.TrimSuffix(text, []byte("\r"))
	}
	if len(b) == 0 {
		return nil, fmt.Errorf("secret: %s: empty", s.File)
	}
	return b, nil
}

func private(info os.FileInfo) error {
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return fmt.Errorf("mode %04o lets others in; chmod 600 it", mode)
	}
	return nil
}
