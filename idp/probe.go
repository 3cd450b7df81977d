package idp

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/federation"
	"github.com/tsunagu-id/tsunagu/internal/ephemeral"
)

// A probe is a pre-flight at work: for three minutes at most, the provider issues codes to one client for people who do not exist, and may
// spoil what it answers for such a code, so that it is seen whether the client looks (package preflight plays their browsers).
//
// There is one record for it, named by the client, and everything rests on that record: a grant of a probe lives while the record names
// the grant's own probe, and so does the right to spoil an ID token. The people of a probe have account ids that no folder can have, their
// subjects are in no table, and their tokens are good for the userinfo endpoint alone.
const (
	// ProbeLife is how long a probe lasts at most.
	ProbeLife = 3 * time.Minute
	// MaxProbePeople is how many people a probe may make up.
	MaxProbePeople = 40
)

// ErrProbing: a probe of that client is running. ErrNoProbe: it is not, or is another one.
var (
	ErrProbing = errors.New("idp: the client is being probed already")
	ErrNoProbe = errors.New("idp: no such probe is running")
)

// Probe names a probe that was begun.
type Probe struct {
	ID     string
	Client *clients.Client // as it would be
}

// probeRecord is what any process knows of a running probe.
type probeRecord struct {
	ID       string          `json:"i"`
	Metadata json.RawMessage `json:"m"` // of the candidate
	New      bool            `json:"n,omitempty"`
}

func probeKey(id clients.ID) string { return "probe:1:" + string(id) }

// probeMark makes a grant one of a probe.
type probeMark struct {
	ID   string    `json:"i"`
	Flaw ProbeFlaw `json:"f,omitempty"`
}

// probeAccount is an account id that no folder has: those are base64url.
func probeAccount(probe string, person int) federation.AccountID {
	return federation.AccountID("probe~" + probe + "~" + strconv.Itoa(person))
}

// BeginProbe lets a probe of a client begin. Metadata is what candidate was made of. A client that was never live may, for as long as the probe
// lasts, push requests and redeem codes of the probe; nothing else, and for nobody else.
func (p *Provider) BeginProbe(ctx context.Context, id string, candidate *clients.Client, metadata []byte) (Probe, error) {
	if !wellFormedID(id) {
		return Probe{}, errors.New("idp: a probe's id is 22 characters of base64url")
	}
	_, err := p.clients.Get(ctx, candidate.ID())
	unknown := errors.Is(err, clients.ErrUnknown)
	if err != nil && !unknown {
		return Probe{}, err
	}
	b, err := json.Marshal(probeRecord{ID: id, Metadata: metadata, New: unknown})
	if err != nil {
		return Probe{}, fmt.Errorf("encode probe: %w", err)
	}
	err = p.store.Create(ctx, probeKey(candidate.ID()), b, ProbeLife)
	if errors.Is(err, ephemeral.ErrExists) {
		return Probe{}, ErrProbing
	}
	return Probe{ID: id, Client: candidate}, err
}

// EndProbe ends a probe, and with it every grant and token that came of it.
func (p *Provider) EndProbe(ctx context.Context, probe Probe) error {
	if err := p.probing(ctx, probe); errors.Is(err, ErrNoProbe) {
		return nil
	} else if err != nil {
		return err
	}
	return p.store.Delete(ctx, probeKey(probe.Client.ID()))
}

func (p *Provider) probing(ctx context.Context, probe Probe) error {
	rec, err := p.findProbe(ctx, probe.Client.ID())
	if err == nil && rec.ID != probe.ID {
		err = ErrNoProbe
	}
	return err
}

// findProbe returns the running probe of a client, or ErrNoProbe.
func (p *Provider) findProbe(ctx context.Context, id clients.ID) (probeRecord, error) {
	var out probeRecord
	rec, err := p.store.Get(ctx, probeKey(id))
	if errors.Is(err, ephemeral.ErrNotFound) {
		return out, ErrNoProbe
	}
	if err != nil {
		return out, fmt.Errorf("read probe: %w", err)
	}
	if err := json.Unmarshal(rec.Value, &out); err != nil {
		return out, fmt.Errorf("decode probe: %w", err)
	}
	return out, nil
}

// probeStands is live for a grant of a probe: the probe is running, is of the grant's client, and the grant is about one of its own people.
// It is also what decides whether an ID token may be spoilt.
func (p *Provider) probeStands(ctx context.Context, g *grant) (bool, error) {
	if g.Probe == nil || !strings.HasPrefix(string(g.Account), "probe~"+g.Probe.ID+"~") {
		return false, nil
	}
	rec, err := p.findProbe(ctx, g.Client)
	if errors.Is(err, ErrNoProbe) {
		return false, nil
	}
	return err == nil && rec.ID == g.Probe.ID, err
}

// probeSubject names a made-up person to the client. The name is computed and in no table: nothing that looks a subject up finds it.
func (p *Provider) probeSubject(probe Probe, person int) string {
	d := p.digest("probe subject", []byte(string(probeAccount(probe.ID, person))+"\x00"+probe.Client.Sector()))
	return "probe-" + base64.RawURLEncoding.EncodeToString(d[:16])
}

// probeSession is the hub's session of a made-up person, which does not exist.
func probeSession(probe Probe, person int) string {
	return string(probeAccount(probe.ID, person)) + "~session"
}

// candidateKey is the key of a context in which a client is taken as it would be; see withCandidate.
type candidateKey struct{}

// withCandidate lets Provider.client answer with a hypothetical version of a client. Only what belongs to a running probe is done so.
func withCandidate(ctx context.Context, c *clients.Client) context.Context {
	return context.WithValue(ctx, candidateKey{}, c)
}

func candidateOf(ctx context.Context, id clients.ID) *clients.Client {
	if c, ok := ctx.Value(candidateKey{}).(*clients.Client); ok && c.ID() == id {
		return c
	}
	return nil
}

// newcomer returns the client of a running probe that was never live, or ErrNoProbe. In every other case the registry knows the client, and
// what the registry says counts.
func (p *Provider) newcomer(ctx context.Context, id clients.ID) (*clients.Client, error) {
	if _, err := p.clients.Get(ctx, id); err == nil || errors.Is(err, clients.ErrSuspended) {
		return nil, ErrNoProbe
	} else if !errors.Is(err, clients.ErrUnknown) {
		return nil, err
	}
	rec, err := p.findProbe(ctx, id)
	if err == nil && !rec.New {
		err = ErrNoProbe
	}
	if err != nil {
		return nil, err
	}
	c, err := clients.Candidate(rec.Metadata)
	if err != nil {
		return nil, fmt.Errorf("client of probe: %w", err)
	}
	return c, nil
}

// withClientOf prepares a context for what is done with a grant: one of a probe may be of a client that was never live.
func (p *Provider) withClientOf(ctx context.Context, g *grant) (context.Context, error) {
	if g.Probe == nil {
		return ctx, nil
	}
	c, err := p.newcomer(ctx, g.Client)
	if errors.Is(err, ErrNoProbe) {
		return ctx, nil
	}
	if err != nil {
		return ctx, err
	}
	return withCandidate(ctx, c), nil
}
