package cardauth

import (
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"
)

const (
	maxFallbacks  = 4
	maxNamedThere = 16 // responders named in certificates; authorities have one each
)

// responder is one address to ask at.
type responder struct {
	name    string // for operators: primary, certificate, fallback-1…
	address string
	circuit circuit
}

// responders are who is asked, in order: the configured one, or the one that
// the certificate names, then the fallbacks.
type responders struct {
	primary   *responder // nil: the certificate's
	fallbacks []*responder

	mu    sync.Mutex
	named map[string]*responder // by address in certificates
}

func newResponders(d RevocationDeps) (*responders, error) {
	rs := &responders{named: map[string]*responder{}}
	if d.OCSP != "" {
		rs.primary = &responder{name: "primary", address: d.OCSP}
	}
	if len(d.OCSPFallback) > maxFallbacks {
		return nil, errors.New("revocation: too many fallback responders")
	}
	for i, address := range d.OCSPFallback {
		if err := webAddress(address); err != nil {
			return nil, fmt.Errorf("fallback responder: %w", err)
		}
		rs.fallbacks = append(rs.fallbacks, &responder{name: "fallback-" + strconv.Itoa(i+1), address: address})
	}
	return rs, nil
}

// of returns whom to ask about a certificate that names this address.
func (rs *responders) of(address string) []*responder {
	first := rs.primary
	if first == nil && address != "" {
		first = rs.byName(address)
	}
	if first == nil {
		return rs.fallbacks
	}
	return append([]*responder{first}, rs.fallbacks...)
}

// byName keeps one circuit for each address. Addresses come from certificates
// that an anchor signed: more than a few are a mistake, and are not asked.
func (rs *responders) byName(address string) *responder {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	r := rs.named[address]
	if r == nil && len(rs.named) < maxNamedThere {
		r = &responder{name: "certificate", address: address}
		rs.named[address] = r
	}
	return r
}

// states returns the worst state of each name.
func (rs *responders) states(now time.Time) map[string]circuitState {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	out := map[string]circuitState{}
	note := func(r *responder) { out[r.name] = max(out[r.name], r.circuit.state(now)) }
	if rs.primary != nil {
		note(rs.primary)
	}
	for _, r := range rs.fallbacks {
		note(r)
	}
	for _, r := range rs.named {
		note(r)
	}
	return out
}
