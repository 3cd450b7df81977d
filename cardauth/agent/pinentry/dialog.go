package pinentry

import (
	"context"
	"errors"
	"strings"

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
	typed, err := zenity.Entry(plain(q.Text), zenity.Title(q.Title), zenity.HideText(), zenity.Context(ctx), zenity.Modal())
	if errors.Is(err, zenity.ErrCanceled) {
		return "", &agent.Error{Reason: agent.Cancelled, Detail: "the window was closed"}
	}
	if err != nil {
		return "", &agent.Error{Reason: agent.EntryMissing, Detail: "no window for the PIN", Err: err}
	}
	return typed, nil
}

// plain keeps a name from adding lines of its own to the question: zenity and its like read \n and \342 as C does (g_strcompress), long
// after the name was checked, and each of them in a way of its own, so no way of quoting is right for all.
func plain(text string) string { return strings.ReplaceAll(text, `\`, "＼") }
