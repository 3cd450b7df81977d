package idp

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tsunagu-id/tsunagu/internal/ephemeral"
)

// Times of the device flow (RFC 8628 §3.2).
const (
	deviceLife     = 10 * time.Minute
	deviceMemory   = 10 * time.Minute // how much longer a code is known, so that it is called expired and not unknown
	deviceInterval = 5 * time.Second
	deviceSlower   = 5 * time.Second // what every too early poll adds (§3.5)
	// A network delays one poll and not the next: this much too early is not too early.
	deviceJitter = time.Second
)

// deviceState is where the request of a device stands.
type deviceState string

const (
	devicePending  deviceState = "pending"
	deviceShown    deviceState = "shown" // a citizen typed its code; only her browser may go on
	deviceApproved deviceState = "approved"
	deviceDenied   deviceState = "denied"
	deviceSpent    deviceState = "spent" // the device has its tokens
)

// deviceMoves is the whole state machine. A citizen who says yes and no at once has said no, until the device has its tokens.
var deviceMoves = map[deviceState][]deviceState{
	devicePending:  {deviceShown},
	deviceShown:    {deviceShown, deviceApproved, deviceDenied},
	deviceApproved: {deviceSpent, deviceDenied},
	deviceDenied:   {},
	deviceSpent:    {},
}

// deviceRecord is the request of one device. It is kept under the digest of the device code, which the device alone has; that digest
// is also what the record is called in links and logins, and opens nothing.
type deviceRecord struct {
	handle  string
	version ephemeral.Version

	State    deviceState   `json:"s"`
	Request  *authzRequest `json:"r"`
	Head     userCode      `json:"h"` // the first half of the user code
	Code     string        `json:"u"` // keyed digest of the whole
	Asked    int64         `json:"t"` // Unix seconds
	Exp      int64         `json:"e"`
	Interval int64         `json:"i"`           // milliseconds between polls
	Polled   int64         `json:"p,omitempty"` // Unix milliseconds of the last poll
	Browser  string        `json:"b,omitempty"` // digest of the browser that typed the code
	Spent    int64         `json:"x,omitempty"` // Unix seconds
}

func (d *deviceRecord) move(to deviceState) error {
	if !slices.Contains(deviceMoves[d.State], to) {
		return fmt.Errorf("device %s to %s: %w", d.State, to, errMove)
	}
	d.State = to
	return nil
}

func (d *deviceRecord) expired(now time.Time) bool { return d.Exp <= now.Unix() }

// signature is what the grant of the request knows the device code by, see signatureOf.
func (d *deviceRecord) signature() string { return string(kindDevice) + d.Request.Grant + d.handle }

// devices keeps the requests of devices in the ephemeral store.
type devices struct {
	store  ephemeral.Store
	now    func() time.Time
	digest func(purpose string, data []byte) [32]byte
}

func deviceKey(handle string) string { return "device:1:" + handle }
func userCodeKey(code string) string { return "usercode:1:" + code }

// codeDigest is keyed: a user code is short enough to be guessed from a plain digest.
func (s devices) codeDigest(code userCode) string {
	d := s.digest("device user code", []byte(code))
	return base64.RawURLEncoding.EncodeToString(d[:])
}

// create stores a judged request and returns the two codes it is known by.
func (s devices) create(ctx context.Context, req *authzRequest) (deviceCode string, code userCode, handle string, err error) {
	deviceCode = newToken(kindDevice, req.Grant)
	handle = digest(deviceCode)
	now := s.now()
	for range 8 { // two of the living codes are the same once in a very long time
		code = newUserCode()
		err = s.store.Create(ctx, userCodeKey(s.codeDigest(code)), []byte(handle), deviceLife+deviceMemory)
		if !errors.Is(err, ephemeral.ErrExists) {
			break
		}
	}
	if err != nil {
		return "", "", "", fmt.Errorf("store user code: %w", err)
	}
	b, err := json.Marshal(&deviceRecord{
		State: devicePending, Request: req, Head: code.head(), Code: s.codeDigest(code), Asked: now.Unix(), Exp: now.Add(deviceLife).Unix(),
		Interval: deviceInterval.Milliseconds(),
	})
	if err != nil {
		return "", "", "", fmt.Errorf("encode device request: %w", err)
	}
	if err := s.store.Create(ctx, deviceKey(handle), b, deviceLife+deviceMemory); err != nil {
		return "", "", "", fmt.Errorf("store device request: %w", err)
	}
	return deviceCode, code, handle, nil
}

// get returns the request, or ephemeral.ErrNotFound.
func (s devices) get(ctx context.Context, handle string) (*deviceRecord, error) {
	if !isBase64URL(handle, 43) {
		return nil, ephemeral.ErrNotFound
	}
	rec, err := s.store.Get(ctx, deviceKey(handle))
	if err != nil {
		return nil, err
	}
	d := &deviceRecord{handle: handle, version: rec.Version}
	if err := json.Unmarshal(rec.Value, d); err != nil {
		return nil, fmt.Errorf("decode device request: %w", err)
	}
	return d, nil
}

// byUserCode returns the request that a whole code belongs to, or ephemeral.ErrNotFound.
func (s devices) byUserCode(ctx context.Context, code userCode) (*deviceRecord, error) {
	rec, err := s.store.Get(ctx, userCodeKey(s.codeDigest(code)))
	if err != nil {
		return nil, err
	}
	return s.get(ctx, string(rec.Value))
}

// swap writes the request if nobody changed it since it was read; else ephemeral.ErrConflict.
func (s devices) swap(ctx context.Context, d *deviceRecord) error {
	b, err := json.Marshal(d)
	if err != nil {
		return fmt.Errorf("encode device request: %w", err)
	}
	return s.store.Swap(context.WithoutCancel(ctx), deviceKey(d.handle), d.version, b, ephemeral.KeepLife)
}

// change reads, decides and swaps until nobody came between: the device may be polling all the while.
func (s devices) change(ctx context.Context, handle string, decide func(*deviceRecord) error) (*deviceRecord, error) {
	for range 50 {
		d, err := s.get(ctx, handle)
		if err != nil {
			return nil, err
		}
		if err := decide(d); err != nil {
			return d, err
		}
		if err := s.swap(ctx, d); err == nil {
			return d, nil
		} else if !errors.Is(err, ephemeral.ErrConflict) {
			return nil, fmt.Errorf("store device request: %w", err)
		}
	}
	return nil, fmt.Errorf("device request: %w", ephemeral.ErrConflict)
}
