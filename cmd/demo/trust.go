package main

import (
	"crypto/x509"
	"fmt"

	"github.com/tsunagu-id/tsunagu/idp"
	"github.com/tsunagu-id/tsunagu/internal/serve"
)

// roots returns whom the hub trusts where it reaches clients: this authority and those of -trust; nil: the system's.
func (s *stack) roots() (*x509.CertPool, error) {
	var own *x509.CertPool
	if s.authority != nil {
		own = s.authority.pool
	}
	if s.trust == "" {
		return own, nil
	}
	pool, err := serve.Roots(own, s.trust)
	if err != nil {
		return nil, fmt.Errorf("-trust: %w", err)
	}
	return pool, nil
}

// mutual returns the hub's second address and who issues clients' certificates there: this authority and those of -client-ca.
func (s *stack) mutual() (idp.MutualTLS, *x509.CertPool, error) {
	if s.authority == nil {
		return idp.MutualTLS{}, nil, nil
	}
	at := idp.MutualTLS{BaseURL: s.url(mutualAddr)}
	if s.clientCA == "" {
		return at, s.authority.pool, nil
	}
	pool, err := serve.Roots(s.authority.pool, s.clientCA)
	if err != nil {
		return at, nil, fmt.Errorf("-client-ca: %w", err)
	}
	return at, pool, nil
}
