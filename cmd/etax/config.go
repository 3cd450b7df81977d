package main

import (
	"encoding/pem"
	"fmt"
	"os"

	"github.com/tsunagu-id/tsunagu/clients/etax"
	"github.com/tsunagu-id/tsunagu/clients/rp"
	"github.com/tsunagu-id/tsunagu/clients/rp/program"
	"github.com/tsunagu-id/tsunagu/internal/conf"
)

// config is the configuration file of the sample tax site.
type config struct {
	program.Config
	SignatureCAFiles []string  `json:"signature_ca_files"` // PEM: whose certificates may sign returns; empty: none can be sent
	Accounts         []account `json:"accounts"`           // made at start if absent

	Follow conf.Duration `json:"follow"` // how often the hub is asked what has changed; 0: a minute
}

// account is an account to begin with.
type account struct {
	Number   string          `json:"number"` // 16 digits
	Password conf.SecretFile `json:"password"`
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
