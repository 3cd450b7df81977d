package main

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/tsunagu-id/tsunagu/idp"
	"github.com/tsunagu-id/tsunagu/internal/serve"
)

// operators is where operators work: the administration API, figures, and whether the hub is alive and ready.
type operators struct {
	Listen string `json:"listen"` // empty: 127.0.0.1:8409; "none"
	// BaseURL is where their browsers and programs find it, through the proxy if there is one; empty: http at the address of listen.
	BaseURL string `json:"base_url"`
	// KeyFile is the console's own signing key, made at the first start; empty: console.key beside the seal file.
	KeyFile string `json:"key_file"`
}

const (
	operatorAddress = "127.0.0.1:8409"
	noOperators     = "none"
)

func (o operators) address() string {
	if o.Listen == "" {
		return operatorAddress
	}
	return o.Listen
}

// url is the address as its callers write it; empty: there is none.
func (o operators) url() string {
	switch {
	case o.Listen == noOperators:
		return ""
	case o.BaseURL != "":
		return o.BaseURL
	}
	return "http://" + o.address()
}

// check refuses addresses that other machines reach: of figures nobody is asked who they are.
func (o operators) check() error {
	if o.Listen == noOperators {
		if o.BaseURL != "" {
			return errors.New("operators.base_url: nothing listens there")
		}
		return nil
	}
	if o.BaseURL != "" {
		if err := idp.CheckIssuer(o.BaseURL); err != nil { // the same is asked of it: https but on this machine, no slash at the end
			return fmt.Errorf("operators.base_url: %w", err)
		}
	}
	if serve.CheckLoopback(o.address()) != nil {
		return errors.New(`operators.listen: a loopback address, behind a proxy that asks who calls; or "none"`)
	}
	return nil
}

// bind listens; nil: nobody looks.
func (o operators) bind(ctx context.Context) (net.Listener, error) {
	if err := o.check(); err != nil || o.Listen == noOperators {
		return nil, err
	}
	l, err := serve.Bind(ctx, serve.Address{Listen: o.address()})
	if err != nil {
		return nil, fmt.Errorf("operators.listen: %w", err)
	}
	return l, nil
}
