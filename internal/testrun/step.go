package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// step is one command and how to count what it does.
type step struct {
	name    string
	dir     string   // "" is the root of the module
	needs   []string // programs without which the step is skipped
	prepare []string // installs what the step needs; when it fails the step is skipped
	run     []string
	env     []string
	events  bool // standard output is a stream of test events
}

func (s step) do(ctx context.Context, t *tally) {
	for _, program := range s.needs {
		if _, err := exec.LookPath(program); err != nil {
			t.skip(s.name, "every test", program+" is not installed")
			return
		}
	}
	if s.prepare != nil {
		if out, err := s.command(ctx, s.prepare).CombinedOutput(); err != nil {
			t.skip(s.name, "every test", fmt.Sprintf("%v: %v: %s", s.prepare, err, lastLine(out)))
			return
		}
	}
	cmd := s.command(ctx, s.run)
	cmd.Stderr = os.Stderr
	if !s.events {
		cmd.Stdout = os.Stdout
		if err := cmd.Run(); err != nil {
			t.fail(s.name, err.Error())
			return
		}
		t.passed++
		return
	}
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.fail(s.name, err.Error())
		return
	}
	before := t.failed()
	seen := t.read(out)
	if err := cmd.Wait(); err != nil && t.failed() == before {
		t.fail(s.name, err.Error())
	} else if seen == 0 {
		t.fail(s.name, "no test ran")
	}
}

func (s step) command(ctx context.Context, args []string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...) // #nosec G204 -- the steps are constants
	cmd.Dir = s.dir
	cmd.Env = append(os.Environ(), s.env...)
	// An interrupted run lets its children stop their servers.
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 20 * time.Second
	return cmd
}

func lastLine(out []byte) string {
	lines := bytes.Split(bytes.TrimSpace(out), []byte("\n"))
	return string(lines[len(lines)-1])
}
