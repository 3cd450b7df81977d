package keys

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tsunagu-id/tsunagu/internal/sqldb"
)

const (
	defaultAnnounce = 24 * time.Hour
	defaultRetire   = 7 * 24 * time.Hour
	// pollEvery is how often Run looks for changes made by other processes. It is
	// far below any sensible Announce, so every process knows a key before it signs.
	pollEvery = 10 * time.Second
)

// Deps is what a Set needs. DB, Sealer and Now are required.
type Deps struct {
	DB     *sqldb.DB
	Sealer *Sealer
	Now    func() time.Time

	// Announce is how long a key is published before it signs; zero means 24
	// hours. It should exceed the time relying parties cache the JWKS.
	Announce time.Duration
	// Retire is how long a key is published after it signed last; zero means 7
	// days. It must exceed the life of the longest-lived token.
	Retire time.Duration
	// Lifetime is how long a key signs before Run announces its successor; zero
	// means that only Rotate does.
	Lifetime time.Duration
	// Algs are the algorithms that get a key when they have none; nil means all.
	Algs []Alg
	// Generate makes private keys; nil: fresh ones of crypto/rand, here. Tests open hundreds of sets and need not wait for
	// hundreds of RSA keys.
	Generate func(Alg) (crypto.Signer, error)
	// Log receives what Run could not do; nil means slog.Default().
	Log *slog.Logger
}

// Set is the hub's own signing keys. Sign, Verify and JWKS take no lock and touch
// no database; they are safe to call from any number of goroutines, also while
// keys move.
type Set struct {
	d       Deps
	current atomic.Pointer[snapshot]
	loading sync.Mutex // one reload at a time, so that an older never replaces a newer
}

// Open migrates the tables, makes an active key for every algorithm that has
// none, and loads the keys. It starts nothing; see Run.
func Open(ctx context.Context, d Deps) (*Set, error) {
	if d.DB == nil || d.Sealer == nil || d.Now == nil {
		return nil, errors.New("keys: DB, Sealer and Now are required")
	}
	if d.Announce < 0 || d.Retire < 0 || d.Lifetime < 0 {
		return nil, errors.New("keys: a duration is negative")
	}
	if d.Announce == 0 {
		d.Announce = defaultAnnounce
	}
	if d.Retire == 0 {
		d.Retire = defaultRetire
	}
	if d.Algs == nil {
		d.Algs = Algs()
	}
	if d.Generate == nil {
		d.Generate = Alg.Generate
	}
	if d.Log == nil {
		d.Log = slog.Default()
	}
	if err := migrate(ctx, d.DB); err != nil {
		return nil, fmt.Errorf("keys: %w", err)
	}
	s := &Set{d: d}
	own, err := s.reload(ctx)
	if err != nil {
		return nil, err
	}
	missing := false
	for _, alg := range d.Algs {
		if slices.ContainsFunc(own, func(k ownKey) bool { return k.alg == alg && k.state == stateActive }) {
			continue
		}
		missing = true
		if err := s.create(ctx, alg, stateActive); err != nil && !errors.Is(err, errLost) {
			return nil, err
		}
	}
	if missing {
		if _, err := s.reload(ctx); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Sign returns a compact JWS of the JSON of claims, signed with the active key of
// the algorithm, with headers alg, kid and, unless empty, typ.
func (s *Set) Sign(alg Alg, typ string, claims any) (string, error) {
	signer, there := s.current.Load().signers[alg]
	if !there {
		return "", refuse(AlgRefused, "no active key for "+string(alg))
	}
	return signer.sign(typ, claims)
}

// Verify checks a token that this Set or a sibling signed, with announced, active
// or retired keys, and returns the signed bytes. The algorithm is the one of the
// key that the header names, and has to be among algs; without algs it may be any
// of the closed list. typ must match, unless it is empty: then the token must
// have no typ, or "JWT". Expiry is the caller's business. The error is an *Error.
func (s *Set) Verify(token string, typ string, algs ...Alg) ([]byte, error) {
	if len(algs) == 0 {
		algs = Algs()
	}
	in, err := parseToken(token, algs)
	if err != nil {
		return nil, err
	}
	if want := mediaType(typ); in.typ != want && (want != "" || in.typ != "jwt") {
		return nil, refuse(TypRefused, "typ is not "+typ)
	}
	key, there := s.current.Load().verifies[in.kid]
	if !there {
		return nil, refuse(KeyUnknown, "not one of our keys")
	}
	if key.alg != in.alg {
		return nil, refuse(AlgRefused, "the key is for another algorithm")
	}
	payload, err := in.jws.Verify(key.public)
	if err != nil {
		return nil, refuse(SignatureInvalid, "")
	}
	return payload, nil
}

// JWKS returns the JWK set to publish and its entity tag (with quotes). Both are
// prepared; the caller must not change the bytes.
func (s *Set) JWKS() (body []byte, etag string) {
	c := s.current.Load()
	return c.jwks, c.etag
}

// reload reads the keys and makes them current.
func (s *Set) reload(ctx context.Context) ([]ownKey, error) {
	s.loading.Lock()
	defer s.loading.Unlock()
	stamp, rows, err := selectKeys(ctx, s.d.DB)
	if err != nil {
		return nil, err
	}
	own := make([]ownKey, len(rows))
	for i, r := range rows {
		if own[i], err = openRow(s.d.Sealer, r); err != nil {
			return nil, err
		}
	}
	next, err := buildSnapshot(stamp, own)
	if err != nil {
		return nil, err
	}
	s.current.Store(next)
	return own, nil
}

// create makes and stores a key. errLost means that the algorithm has one in that
// state already.
func (s *Set) create(ctx context.Context, alg Alg, state string) error {
	key, err := s.newKey(alg, state)
	if err != nil {
		return err
	}
	row, err := key.seal(s.d.Sealer)
	if err != nil {
		return err
	}
	return s.d.DB.Tx(ctx, func(ctx context.Context) error {
		stored, err := insertKey(ctx, s.d.DB, row)
		if err == nil && !stored {
			return errLost
		}
		return err
	})
}
