package pinentry

import (
	"context"
	"fmt"
	"io"
	"os"
	"sync"

	"golang.org/x/term"

	"github.com/tsunagu-id/tsunagu/cardauth/agent"
)

var _ agent.Asker = (*Terminal)(nil)

// IsTerminal says whether somebody can type into f and not be seen.
func IsTerminal(f *os.File) bool { return f != nil && term.IsTerminal(int(f.Fd())) }

// Terminal asks in a terminal, without echo. It is used by one question at a time; further ones wait.
type Terminal struct {
	in  *os.File
	out io.Writer

	turn   chan struct{}
	mu     sync.Mutex
	before *term.State // how the terminal was before a question that is under way
	typing chan line   // a read that was given up and has not ended
}

type line struct {
	text string
	err  error
}

// NewTerminal asks on out and reads from in, which has to be a terminal.
func NewTerminal(in *os.File, out io.Writer) *Terminal {
	return &Terminal{in: in, out: out, turn: make(chan struct{}, 1)}
}

// Ask shows a question and reads a line without echo. When ctx ends, as it does with Ctrl-C, the terminal shows what is typed again.
func (t *Terminal) Ask(ctx context.Context, q agent.Question) (string, error) {
	select {
	case t.turn <- struct{}{}:
		defer func() { <-t.turn }()
	case <-ctx.Done():
		return "", given(ctx)
	}
	// A read of a terminal cannot be stopped. What is typed into one that was given up is nobody's answer.
	if t.typing != nil {
		_, _ = fmt.Fprintln(t.out, "Enter ⏎")
		select {
		case <-t.typing:
			t.typing = nil
		case <-ctx.Done():
			return "", given(ctx)
		}
	}
	fd := int(t.in.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return "", &agent.Error{Reason: agent.EntryMissing, Detail: "not a terminal", Err: err}
	}
	t.remember(before)
	_, _ = fmt.Fprintf(t.out, "%s\n%s: ", q.Title, q.Text)
	done := make(chan line, 1)
	go func() {
		b, err := term.ReadPassword(fd)
		defer clear(b)
		done <- line{string(b), err}
	}()
	select {
	case l := <-done:
		t.remember(nil) // it was put back by whoever read
		_, _ = fmt.Fprintln(t.out)
		if l.err != nil { // the end of the input, too
			return "", &agent.Error{Reason: agent.Cancelled, Detail: "nothing was typed", Err: l.err}
		}
		return l.text, nil
	case <-ctx.Done():
		t.typing = done
		t.Restore()
		_, _ = fmt.Fprintln(t.out)
		return "", given(ctx)
	}
}

func given(ctx context.Context) error {
	return &agent.Error{Reason: agent.Cancelled, Detail: "nothing was typed in time", Err: context.Cause(ctx)}
}

func (t *Terminal) remember(s *term.State) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.before = s
}

// Restore puts the terminal back as it was before a question that is under way, or was given up. A program calls it before it ends.
func (t *Terminal) Restore() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.before != nil {
		_ = term.Restore(int(t.in.Fd()), t.before)
	}
}
