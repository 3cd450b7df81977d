// Command etax serves the sample tax site.
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/tsunagu-id/tsunagu/clients/etax"
	"github.com/tsunagu-id/tsunagu/clients/rp/program"
)

func main() {
	if err := new(config).program().Run(context.Background(), os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "etax:", err)
		os.Exit(1)
	}
}

func (c *config) program() program.Program {
	return program.Program{Name: "etax", Config: c, Base: &c.Config, Registration: etax.Registration, Open: c.open}
}

func (c *config) open(ctx context.Context, parts program.Parts) (program.Site, error) {
	accounts, err := c.accounts()
	if err != nil {
		return nil, err
	}
	signers, err := c.signatureAuthorities()
	if err != nil {
		return nil, err
	}
	return etax.New(ctx, etax.Config{
		Issuer: c.Issuer, BaseURL: c.BaseURL, ClientID: c.ClientID, Credential: parts.Key, HTTP: parts.HTTP, DB: parts.DB,
		Now: time.Now, Log: parts.Log, Sample: c.Sample, Accounts: accounts, SignatureAuthorities: signers,
		Follow: time.Duration(c.Follow),
	})
}
