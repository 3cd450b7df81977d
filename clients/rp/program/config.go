// Package program is what the programs of our relying parties share: the configuration file, the flags, and serving a site until told to
// stop. What a program has beyond that stands in its own configuration, which embeds Config.
package program

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"

	"github.com/tsunagu-id/tsunagu/internal/conf"
	"github.com/tsunagu-id/tsunagu/internal/serve"
)

// Config is the configuration file of a relying party.
type Config struct {
	BaseURL  string `json:"base_url"`  // our own origin, as browsers see it
	Listen   string `json:"listen"`    // host:port
	Issuer   string `json:"issuer"`    // the hub
	ClientID string `json:"client_id"` // as registered at the hub
	Database string `json:"database"`  // sqlite:/path or postgres://…, of this program alone
	KeyFile  string `json:"key_file"`  // our signing key; made at the first start
	CAFile   string `json:"ca_file"`   // PEM, authorities of the hub's certificate beside the system's; empty: none
	TLS      struct {
		Certificate string `json:"certificate"`
		Key         string `json:"key"`
	} `json:"tls"`
	Sample bool `json:"sample"` // say on every page that this is a sample
}

// Load reads the file into a pointer to a Config, or to a struct that embeds base, and checks it. An error names the key and what to do.
func Load(path string, into any, base *Config) error {
	if err := conf.Load(path, into); err != nil {
		return err
	}
	return base.Check()
}

// Check names the first key that is missing or does not fit the others.
func (c *Config) Check() error {
	for _, required := range []struct{ key, value, example string }{
		{"base_url", c.BaseURL, "https://service.example.go.jp"},
		{"listen", c.Listen, "127.0.0.1:8402"},
		{"issuer", c.Issuer, "https://id.example.go.jp"},
		{"client_id", c.ClientID, "service"},
		{"database", c.Database, "sqlite:/var/lib/service/service.db"},
		{"key_file", c.KeyFile, "/var/lib/service/key.pem"},
	} {
		if required.value == "" {
			return fmt.Errorf("%s: required, such as %s", required.key, required.example)
		}
	}
	return c.address().Check()
}

func (c *Config) address() serve.Address {
	return serve.Address{Listen: c.Listen, Certificate: c.TLS.Certificate, Key: c.TLS.Key}
}

// client speaks to the hub.
func (c *Config) client() (*http.Client, error) { return Client(c.CAFile) }

// Client returns what speaks to the hub, trusting the system's authorities and those in the PEM file. An empty name means none beside.
func Client(caFile string) (*http.Client, error) {
	t, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return nil, errors.New("the default transport is not one that can be configured")
	}
	t = t.Clone()
	t.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	if caFile == "" {
		return &http.Client{Transport: t}, nil
	}
	pool, err := serve.Roots(nil, caFile)
	if err != nil {
		return nil, fmt.Errorf("ca_file: %w", err)
	}
	t.TLSClientConfig.RootCAs = pool
	return &http.Client{Transport: t}, nil
}

// Development says whether an origin is on this computer, which a registration has to tell the hub.
func Development(base string) bool {
	u, err := url.Parse(base)
	if err != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}
