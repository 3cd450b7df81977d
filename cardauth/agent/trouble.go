package agent

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// troubleCodes gives every word its code, for a telephone: citizens read it out, helplines look it up in docs/card-login.md. A code
// never changes its meaning and is never used again. The first digit is where to look: 1 what the browser asked for, 2 reader and
// card, 3 PIN and password, 4 the hub, 5 the certificate, 9 this program.
func troubleCodes() map[string]string {
	return map[string]string{
		"invalid_request": "T-101", "issuer_untrusted": "T-102", "challenge_address": "T-103", "challenge_forged": "T-104",
		"challenge_expired": "T-105", "clock_wrong": "T-106", "page_spent": "T-107", "foreign_host": "T-108", "embedded": "T-109",
		"cancelled": "T-110", "not_found": "T-111", "remote_refused": "T-112",
		"reader_missing": "T-201", "reader_service": "T-202", "reader_busy": "T-203", "card_missing": "T-204", "card_removed": "T-205",
		"card_fault": "T-206", "not_myna": "T-207", "no_auth_cert": "T-208", "no_sign_cert": "T-209",
		"pin_wrong": "T-301", "pin_locked": "T-302", "pin_last_try": "T-303", "pin_malformed": "T-304", "pin_required": "T-305",
		"password_wrong": "T-306", "password_locked": "T-307", "password_last_try": "T-308", "password_malformed": "T-309",
		"change_unknown": "T-310", "pin_entry": "T-311",
		"hub_unreachable": "T-401", "hub_refused": "T-402", "return_refused": "T-403", "response_malformed": "T-404",
		"challenge_unknown": "T-405", "challenge_spent": "T-406", "challenge_mismatch": "T-407", "claim_mismatch": "T-408",
		"signature_invalid": "T-409", "status_unknown": "T-410", "too_many": "T-411", "document_mismatch": "T-412",
		"cert_malformed": "T-501", "cert_is_ca": "T-502", "cert_signing": "T-503", "cert_profile": "T-504", "cert_untrusted": "T-505",
		"cert_not_yet_valid": "T-506", "cert_expired": "T-507", "cert_revoked": "T-508", "cert_login": "T-509",
		"internal": "T-901", AppStopped: "T-902",
	}
}

// AppStopped is the word for a card app that does not run where browsers look for it. Only a program beside it can say so.
const AppStopped = "app_stopped"

// CodeOf is the code for a word of Word's, or for AppStopped.
func CodeOf(word string) string { return codeOf(word) }

// TroubleCode is the code for an error, such as "T-204". It says nothing about a person.
func TroubleCode(err error) string { return codeOf(Word(err)) }

func codeOf(word string) string {
	if code, ok := troubleCodes()[word]; ok {
		return code
	}
	return troubleCodes()[Internal.String()]
}

// Trouble is one thing that went wrong.
type Trouble struct {
	At   time.Time `json:"at"` // to the second
	Code string    `json:"code"`
	Word string    `json:"error"`
}

// Bounds of what is remembered.
const (
	maxTroubles     = 20
	maxTroublesFile = 16 << 10 // bytes
	troublePause    = time.Second
)

// Troubles remembers the last troubles in a file, for a helpline that asks later. It holds times and codes only. Two processes may
// use it at once; of two troubles in the same instant one may be forgotten.
type Troubles struct {
	path string
	now  func() time.Time
	mu   sync.Mutex
	own  []Trouble // without a path
}

// NewTroubles uses the file at path, which need not exist; with an empty path troubles are forgotten with the program.
func NewTroubles(path string, now func() time.Time) *Troubles { return &Troubles{path: path, now: now} }

// Add remembers an error. The same one again within a second is not written twice: any page in the browser can cause some.
func (t *Troubles) Add(err error) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := t.last()
	next := Trouble{At: t.now().UTC().Truncate(time.Second), Code: TroubleCode(err), Word: Word(err)}
	if slices.ContainsFunc(all, func(t Trouble) bool { return t.Code == next.Code && next.At.Sub(t.At).Abs() <= troublePause }) {
		return nil
	}
	all = append(all, next)
	all = all[max(0, len(all)-maxTroubles):]
	if t.path == "" {
		t.own = all
		return nil
	}
	b, jsonErr := json.Marshal(all)
	if jsonErr != nil {
		return jsonErr
	}
	return replaceFile(t.path, b)
}

// Last returns the troubles that are remembered, oldest first. A file that cannot be read is an empty one: what went wrong then is
// not worth another failure.
func (t *Troubles) Last() []Trouble {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.last()
}

func (t *Troubles) last() []Trouble {
	if t.path == "" {
		return t.own
	}
	b, err := os.ReadFile(t.path)
	if err != nil {
		return nil
	}
	return parseTroubles(b)
}

// parseTroubles keeps what this program may have written.
func parseTroubles(b []byte) []Trouble {
	var all, good []Trouble
	if len(b) > maxTroublesFile || json.Unmarshal(b, &all) != nil {
		return nil
	}
	codes := troubleCodes()
	for _, t := range all {
		if code, ok := codes[t.Word]; ok && code == t.Code {
			good = append(good, t)
		}
	}
	return good[max(0, len(good)-maxTroubles):]
}

// replaceFile puts b at path, whole, whatever was there.
func replaceFile(path string, b []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-")
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// failed records why something did not go on, in the journal and among the troubles.
func (a *Agent) failed(ctx context.Context, req *request, err error) {
	a.record(ctx, a.journal.failure(ctx, req, err))
	a.trouble(ctx, err)
}

func (a *Agent) trouble(ctx context.Context, err error) {
	if a.troubles != nil {
		a.record(ctx, a.troubles.Add(err))
	}
}
