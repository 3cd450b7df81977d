// Command postbox serves the sample delivery provider.
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/tsunagu-id/tsunagu/clients/postbox"
	"github.com/tsunagu-id/tsunagu/clients/rp/program"
	"github.com/tsunagu-id/tsunagu/internal/conf"
)

func main() {
	if err := new(config).program().Run(context.Background(), os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "postbox:", err)
		os.Exit(1)
	}
}

func (c *config) program() program.Program {
	return program.Program{Name: "postbox", Config: c, Base: &c.Config, Registration: postbox.Registration, Open: c.open}
}

func (c *config) open(ctx context.Context, parts program.Parts) (program.Site, error) {
	return postbox.New(ctx, postbox.Config{
		Issuer: c.Issuer, BaseURL: c.BaseURL, ClientID: c.ClientID, Credential: parts.Key, HTTP: parts.HTTP, DB: parts.DB,
		Now: time.Now, Log: parts.Log, Sample: c.Sample, Follow: time.Duration(c.Follow),
	})
}

// config is the configuration file of the sample delivery provider.
type config struct {
	program.Config
	Follow conf.Duration `json:"follow"` // how often the hub is asked what has changed; 0: a minute
}
