package pinentry

import (
	"context"
	"errors"

	"github.com/ncruces/zenity"

	"github.com/tsunagu-id/tsunagu/cardauth/agent"
)

var _ agent.Asker = Dialog{}

// Dialog asks in a window of the system's own.
type Dialog struct{}

// Available says whether this system has a program that shows windows. On Linux one has to be installed.
func (Dialog) Available() bool { return zenity.IsAvailable() }

// Ask shows a window that hides what is typed and returns it.
func (Dialog) Ask(ctx context.Context, q agent.Question) (string, error) {
	typed, err := zenity.Entry(q.Text, zenity.Title(q.Title), zenity.HideText(), zenity.Context(ctx), zenity.Modal())
	if errors.Is(err, zenity.ErrCanceled) {
		return "", &agent.Error{Reason: agent.Cancelled, Detail: "the window was closed"}
	}
	if err != nil {
		return "", &agent.Error{Reason: agent.EntryMissing, Detail: "no window for the PIN", Err: err}
	}
	return typed, nil
}
