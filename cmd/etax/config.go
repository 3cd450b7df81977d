package main

import (
	"crypto/tls"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"

	"github.com/tsunagu-id/tsunagu/clients/etax"
	"github.com/tsunagu-id/tsunagu/clients/rp"
	"github.com/tsunagu-id/tsunagu/internal/conf"
	"github.com/tsunagu-id/tsunagu/internal/serve"
)

// config is the configuration file of the sample tax site.
type config struct {
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
	SignatureCAFiles []string  `json:"signature_ca_files"` // PEM: whose certificates may sign returns; empty: none can be sent
	Sample           bool      `json:"sample"`             // say on every page that this is a sample
	Accounts         []account `json:"accounts"`           // made at start if absent
}

// account is an account to begin with.
type account struct {
	Number   string          `json:"number"` // 16 digits
	Password conf.SecretFile `json:"password"`
}

// load reads and checks the file. An error names the key and what to do.
func load(path string) (config, error) {
	var c config
	if err := conf.Load(path, &c); err != nil {
		return c, err
	}
	return c, c.check()
}

func (c config) address() serve.Address {
	return serve.Address{Listen: c.Listen, Certificate: c.TLS.Certificate, Key: c.TLS.Key}
}

func (c config) check() error {
	for _, required := range []struct{ key, value, example string }{
		{"base_url", c.BaseURL, "https://etax.example.go.jp"},
		{"listen", c.Listen, "127.0.0.1:8402"},
		{"issuer", c.Issuer, "https://id.example.go.jp"},
		{"client_id", c.ClientID, "etax"},
		{"database", c.Database, "sqlite:/var/lib/etax/etax.db"},
		{"key_file", c.KeyFile, "/var/lib/etax/key.pem"},
	} {
		if required.value == "" {
			return fmt.Errorf("%s: required, such as %s", required.key, required.example)
		}
	}
	return c.address().Check()
}

// client speaks to the hub.
func (c config) client() (*http.Client, error) {
	t, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return nil, errors.New("the default transport is not one that can be configured")
	}
	t = t.Clone()
	t.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	if c.CAFile == "" {
		return &http.Client{Transport: t}, nil
	}
	pool, err := serve.Roots(nil, c.CAFile)
	if err != nil {
		return nil, fmt.Errorf("ca_file: %w", err)
	}
	t.TLSClientConfig.RootCAs = pool
	return &http.Client{Transport: t}, nil
}

// signatureAuthorities is nil without any file.
func (c config) signatureAuthorities() ([]byte, error) {
	var all []byte
	for i, file := range c.SignatureCAFiles {
		b, err := os.ReadFile(file) //nolint:gosec // the operator names the file
		if err != nil {
			return nil, fmt.Errorf("signature_ca_files[%d]: %w", i, err)
		}
		if block, _ := pem.Decode(b); block == nil || block.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("signature_ca_files[%d]: no PEM certificate in %s", i, file)
		}
		all = append(append(all, b...), '\n')
	}
	return all, nil
}

func (c config) accounts() ([]etax.Account, error) {
	var all []etax.Account
	for i, a := range c.Accounts {
		password, err := a.Password.Read()
		if err != nil {
			return nil, fmt.Errorf("accounts[%d].password: %w", i, err)
		}
		all = append(all, etax.Account{Number: a.Number, Password: rp.NewSecret(string(password))})
	}
	return all, nil
}

// development says whether the origin is on this computer, which a registration has to tell the hub.
func (c config) development() bool {
	u, err := url.Parse(c.BaseURL)
	return err == nil && loopbackHost(u.Hostname())
}

func loopbackHost(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
