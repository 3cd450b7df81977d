// Package serve is what each of our programs does with a handler: bind an address with the right TLS, answer until told to stop, and
// let running requests finish.
package serve

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"
)

// Address is where a program listens. Without a certificate it serves plain HTTP.
type Address struct {
	Listen           string // host:port
	Certificate, Key string // PEM files
}

// Check says what is wrong with the address, in the words of a configuration file: certificate and key belong together, and plain HTTP
// stays on this machine.
func (a Address) Check() error {
	switch {
	case a.Listen == "":
		return errors.New("listen: host:port is required")
	case (a.Certificate == "") != (a.Key == ""):
		return errors.New("tls: certificate and key belong together")
	case a.Certificate == "" && !loopback(a.Listen):
		return errors.New("tls.certificate: required unless listen is a loopback address behind a TLS proxy")
	}
	return nil
}

// Bind listens, with TLS where the address has a certificate.
func Bind(ctx context.Context, a Address) (net.Listener, error) { return bind(ctx, a, TLS) }

// BindMutual is Bind with MutualTLS.
func BindMutual(ctx context.Context, a Address) (net.Listener, error) { return bind(ctx, a, MutualTLS) }

func bind(ctx context.Context, a Address, config func(tls.Certificate) *tls.Config) (net.Listener, error) {
	var cert tls.Certificate
	if a.Certificate != "" {
		var err error
		if cert, err = tls.LoadX509KeyPair(a.Certificate, a.Key); err != nil {
			return nil, fmt.Errorf("tls: %w", err)
		}
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", a.Listen)
	if err != nil || a.Certificate == "" {
		return l, err
	}
	return tls.NewListener(l, config(cert)), nil
}

// How long a client may take, and how long a stop waits for those under way.
const (
	headerTimeout = 5 * time.Second
	readTimeout   = 15 * time.Second
	writeTimeout  = time.Minute
	idleTimeout   = 2 * time.Minute
	stopTimeout   = 20 * time.Second
	maxHeader     = 64 << 10
)

// Until answers on the listener and runs what goes on beside it, until ctx ends or one of them fails.
func Until(ctx context.Context, l net.Listener, h http.Handler, beside ...func(context.Context) error) error {
	srv := &http.Server{
		Handler: h, ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout, IdleTimeout: idleTimeout,
		MaxHeaderBytes: maxHeader,
	}
	g, ctx := errgroup.WithContext(ctx)
	for _, run := range beside {
		g.Go(func() error { return run(ctx) })
	}
	g.Go(func() error {
		if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	g.Go(func() error {
		<-ctx.Done()
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer cancel()
		return srv.Shutdown(end)
	})
	return g.Wait()
}

// CheckLoopback refuses a listen address that other machines reach.
func CheckLoopback(listen string) error {
	if !loopback(listen) {
		return errors.New("listen: not a loopback address")
	}
	return nil
}

// loopback says whether a listen address is reachable from this machine only.
func loopback(listen string) bool {
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
