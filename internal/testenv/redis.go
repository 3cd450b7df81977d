package main

import (
	"context"
	"errors"
	"net"
	"os/exec"
	"syscall"
	"time"
)

func startRedis(ctx context.Context, dir string) (*server, error) {
	program, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, &notInstalledError{"redis-server"}
	}
	port, err := freePort(ctx)
	if err != nil {
		return nil, err
	}
	addr := net.JoinHostPort("127.0.0.1", port)
	cmd := exec.Command(program, //nolint:gosec,noctx // found in PATH; stopped by server.stop, not by the context
		"--port", port, "--bind", "127.0.0.1", "--dir", dir, "--save", "", "--appendonly", "no")
	s, err := launch(ctx, cmd, syscall.SIGKILL, func(ctx context.Context) error { return pingRedis(ctx, addr) })
	if err != nil {
		return nil, err
	}
	s.env = "TSUNAGU_TEST_REDIS=" + addr
	return s, nil
}

// pingRedis speaks the inline form of the protocol.
func pingRedis(ctx context.Context, addr string) error {
	conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	if deadline, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(deadline)
	}
	if _, err := conn.Write([]byte("PING\r\n")); err != nil {
		return err
	}
	answer := make([]byte, 5)
	if _, err := conn.Read(answer); err != nil {
		return err
	}
	if string(answer) != "+PONG" {
		return errors.New("redis is not ready")
	}
	return nil
}
