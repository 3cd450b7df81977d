package console

import (
	"net/url"
	"strings"

	"github.com/tsunagu-id/tsunagu/clients/adminapi"
)

// StateKind is how the chip of the state looks in the template "service-head", which all pages about a service begin with.
func (s *service) StateKind() string {
	switch s.State {
	case adminapi.StateLive:
		return "ok"
	case adminapi.StateRequested:
		return "info"
	case adminapi.StateSuspended:
		return "error"
	case adminapi.StateDraft, adminapi.StateRetired:
	}
	return "quiet"
}

// Path is the address of a page about the service.
func (s *service) Path(segments ...string) string { return s.Base() + apiPath(segments...) }

// query is an address with a query that leaves out what is empty.
func query(path string, pairs ...string) string {
	var b strings.Builder
	b.WriteString(path)
	separator := byte('?')
	if strings.Contains(path, "?") {
		separator = '&'
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] == "" {
			continue
		}
		b.WriteByte(separator)
		b.WriteString(url.QueryEscape(pairs[i]) + "=" + url.QueryEscape(pairs[i+1]))
		separator = '&'
	}
	return b.String()
}

// More is the link to the rest of a list whose page is at path; nil: there is none.
func (v *visit) More(next, path string) *moreView {
	if next == "" {
		return nil
	}
	return &moreView{Href: query(path, "after", next)}
}

// moreView is what the template "more" shows.
type moreView struct{ Href string }

// codeView is text to be copied, as the template "code" shows it. Pages with one load copy.js.
type codeView struct {
	ID    string
	Label string // heading; empty: none, then Name says what it is
	Name  string
	Text  string
}

// CodeText makes a codeView for templates.
func (v *visit) CodeText(id, label, text string) codeView {
	return codeView{ID: id, Label: label, Text: text}
}
