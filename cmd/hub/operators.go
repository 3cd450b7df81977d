package main

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/tsunagu-id/tsunagu/internal/serve"
)

// operators is where operators look: figures, and whether the hub is alive and ready.
type operators struct {
	Listen string `json:"listen"` // empty: 127.0.0.1:8409; "none"
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

// check refuses addresses that other machines reach: nobody is asked there who they are.
func (o operators) check() error {
	if o.Listen == noOperators {
		return nil
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
