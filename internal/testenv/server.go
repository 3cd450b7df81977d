package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"
)

const (
	startTimeout = 30 * time.Second
	stopTimeout  = 5 * time.Second
)

// notInstalledError says that a server cannot be started because it is not there.
type notInstalledError struct{ program string }

func (e *notInstalledError) Error() string { return e.program + " is not installed" }

// server is a running server process.
type server struct {
	env  string // NAME=value for the command
	cmd  *exec.Cmd
	quit os.Signal     // asks it to stop at once
	done chan struct{} // closed when it has ended
}

// launch starts a server and waits until ready succeeds. What the server prints is shown only if that fails.
func launch(ctx context.Context, cmd *exec.Cmd, quit os.Signal, ready func(ctx context.Context) error) (*server, error) {
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	cmd.SysProcAttr = dieWithParent(cmd.SysProcAttr)
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s := &server{cmd: cmd, quit: quit, done: make(chan struct{})}
	go func() {
		_ = cmd.Wait()
		close(s.done)
	}()

	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		err := ready(ctx)
		if err == nil {
			return s, nil
		}
		select {
		case <-s.done:
			return nil, fmt.Errorf("%s ended: %s", cmd.Path, bytes.TrimSpace(output.Bytes()))
		case <-ctx.Done():
			s.stop()
			return nil, errors.Join(fmt.Errorf("%s does not answer: %s", cmd.Path, bytes.TrimSpace(output.Bytes())), err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// stop ends the server, by force if it takes its time, and returns when it has ended.
func (s *server) stop() {
	_ = s.cmd.Process.Signal(s.quit)
	select {
	case <-s.done:
	case <-time.After(stopTimeout):
		_ = s.cmd.Process.Kill()
		<-s.done
	}
}

// group makes the server the head of a process group, so that Ctrl-C at a terminal reaches us and not it.
func group(attr *syscall.SysProcAttr) *syscall.SysProcAttr {
	if attr == nil {
		attr = &syscall.SysProcAttr{}
	}
	attr.Setpgid = true
	return attr
}
