package main

import (
	"fmt"

	"github.com/tsunagu-id/tsunagu/clients/agency"
	"github.com/tsunagu-id/tsunagu/clients/rp/program"
	"github.com/tsunagu-id/tsunagu/internal/conf"
	"github.com/tsunagu-id/tsunagu/internal/serve"
)

// config is the configuration file of the sample offices.
type config struct {
	Listen string `json:"listen"`  // host:port of all offices
	Issuer string `json:"issuer"`  // the hub
	CAFile string `json:"ca_file"` // PEM, authorities of the hub's and of other offices' certificates beside the system's; empty: none
	TLS    struct {
		Certificate string `json:"certificate"`
		Key         string `json:"key"`
	} `json:"tls"`
	Sample  bool     `json:"sample"` // say on every page that this is a sample
	Offices []office `json:"offices"`
}

// office is one of them.
type office struct {
	Slug     string      `json:"slug"` // short name: letters and digits
	Name     agency.Text `json:"name"`
	BaseURL  string      `json:"base_url"`  // its own origin, with a host of its own
	ClientID string      `json:"client_id"` // as registered at the hub
	BodyCode string      `json:"body_code"` // a municipality's six digits, or a corporate number
	Database string      `json:"database"`  // sqlite:/path or postgres://…, of this office alone
	KeyFile  string      `json:"key_file"`  // its signing key; made at the first start

	Inquiries []agency.Inquiry `json:"inquiries"` // what it asks other offices about an application
	Records   []agency.Record  `json:"records"`   // made at start if absent
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
	type key struct{ name, value, example string }
	required := []key{{"listen", c.Listen, "127.0.0.1:8403"}, {"issuer", c.Issuer, "https://id.example.go.jp"}}
	databases, keyFiles, slugs := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for i, o := range c.Offices {
		at := fmt.Sprintf("offices[%d].", i)
		required = append(
			required, key{at + "slug", o.Slug, "pension"}, key{at + "base_url", o.BaseURL, "https://pension.example.go.jp"}, key{at + "client_id", o.ClientID, "pension"},
			key{at + "database", o.Database, "sqlite:/var/lib/agency/pension.db"}, key{at + "key_file", o.KeyFile, "/var/lib/agency/pension.key"},
			key{at + "name.ja", o.Name.JA, "見本年金事務所"}, key{at + "name.en", o.Name.EN, "Sample Pension Office"},
		)
		if databases[o.Database] || keyFiles[o.KeyFile] || slugs[o.Slug] {
			return fmt.Errorf("offices[%d]: shares a slug, a database or a key with another office; no two may", i)
		}
		databases[o.Database], keyFiles[o.KeyFile], slugs[o.Slug] = true, true, true
	}
	if len(c.Offices) == 0 {
		return fmt.Errorf("offices: list at least one")
	}
	for _, k := range required {
		if k.value == "" {
			return fmt.Errorf("%s: required, such as %s", k.name, k.example)
		}
	}
	return c.address().Check()
}

// registered is what the hub has to know of the office.
func (o office) registered(jwks []byte) agency.Registered {
	r := agency.Registered{
		ClientID: o.ClientID, Base: o.BaseURL, Name: o.Name, BodyCode: o.BodyCode, JWKS: jwks, Answers: len(o.Records) > 0,
		Development: program.Development(o.BaseURL),
	}
	for _, q := range o.Inquiries {
		r.Ask(q.Resource)
	}
	return r
}
