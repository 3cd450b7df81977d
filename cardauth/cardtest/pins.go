package cardtest

import (
	"crypto/subtle"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
)

// How often a card compares a wrong secret before it blocks.
const (
	authTries = 3
	signTries = 5
)

// secret is one PIN with its counter.
type secret struct {
	Value string `json:"value"`
	Left  int    `json:"left"`
	Max   int    `json:"max"`
}

// secrets is what a card remembers for ever, power or not.
type secrets struct {
	Auth secret `json:"auth"`
	Sign secret `json:"sign"`
}

func freshPINs(pin, password string) secrets {
	return secrets{Auth: secret{pin, authTries, authTries}, Sign: secret{password, signTries, signTries}}
}

// memory holds the secrets: in a file, or, if path is empty, as long as the
// card exists. The file is read each time, so that a card that two processes
// hold has one counter (unless they ask in the same instant).
type memory struct {
	path string
	own  secrets
}

func (m *memory) load() (secrets, error) {
	if m.path == "" {
		return m.own, nil
	}
	b, err := os.ReadFile(m.path)
	if errors.Is(err, fs.ErrNotExist) {
		return m.own, nil
	}
	if err != nil {
		return secrets{}, err
	}
	var s secrets
	return s, json.Unmarshal(b, &s)
}

func (m *memory) save(s secrets) error {
	if m.path == "" {
		m.own = s
		return nil
	}
	b, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return replace(m.path, 0o600, b)
}

// of returns the secret behind a PIN file.
func (s *secrets) of(id uint16) *secret {
	if id == fileSignPIN {
		return &s.Sign
	}
	return &s.Auth
}

// compare spends a try on a wrong value and restores the counter on a right
// one. It reports whether the value was right.
func (s *secret) compare(value []byte) bool {
	if subtle.ConstantTimeCompare([]byte(s.Value), value) != 1 {
		s.Left--
		return false
	}
	s.Left = s.Max
	return true
}
