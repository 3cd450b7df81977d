package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/tsunagu-id/tsunagu/cardauth/jlis"
)

// linkageConfig says where the authority's service for verifiers is, and as whom the hub asks.
type linkageConfig struct {
	URL         string `json:"url"`
	Certificate string `json:"certificate"` // PEM files of the verifier's client certificate; both or neither
	Key         string `json:"key"`
}

// linkage returns a client of the service, or nil if there is none.
func (c config) linkage(now func() time.Time) (jlis.Authority, error) {
	l := c.Cards.Linkage
	if l.URL == "" {
		if l.Certificate != "" || l.Key != "" {
			return nil, errors.New("cards.linkage: a certificate, but no address")
		}
		return nil, nil
	}
	secure := &tls.Config{MinVersion: tls.VersionTLS12}
	if l.Certificate != "" || l.Key != "" {
		pair, err := tls.LoadX509KeyPair(l.Certificate, l.Key)
		if err != nil {
			return nil, fmt.Errorf("cards.linkage: %w", err)
		}
		secure.Certificates = []tls.Certificate{pair}
	}
	client, err := jlis.NewClient(jlis.Config{URL: l.URL, Now: now, HTTP: &http.Client{Transport: &http.Transport{
		TLSClientConfig: secure, ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 16, MaxConnsPerHost: 64, IdleConnTimeout: 90 * time.Second,
	}}})
	if err != nil {
		return nil, fmt.Errorf("cards.linkage: %w", err)
	}
	return client, nil
}
