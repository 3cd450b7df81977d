package web

import (
	"bytes"
	"errors"
	"net/http"
	"time"
)

// liveMark is where a page that goes on is cut in two: a template writes it where the pieces belong.
const liveMark = "<wbr data-live>"

var errNoLiveMark = errors.New("the page has no " + liveMark)

// Live answers with a page that goes on, for browsers without script as well: everything up to the mark in its "late" template is sent at
// once, then, whenever next returns, the template piece of the page with the data it returned, until next returns false; then the rest. next
// waits as long as it likes, and has to end when the request's context does. A piece that fails ends the page.
//
// The footer is sent before the pieces and stands after them: body is a declarative shadow host whose slots give the order. To a browser that
// does not know such hosts the pieces come after the footer.
func (s *Site) Live(w http.ResponseWriter, r *http.Request, p Page, piece string, next func() (any, bool)) {
	p.Live = true
	body, err := s.build(r, p)
	head, tail, found := bytes.Cut(body, []byte(liveMark))
	if err == nil && !found {
		err = errNoLiveMark
	}
	if err != nil {
		s.log.ErrorContext(r.Context(), "page not rendered", "page", p.Name, "err", err, "trace", Trace(r.Context()))
		s.Fail(w, r, http.StatusInternalServerError, "internal")
		return
	}
	control := http.NewResponseController(w)
	// The server's bounds are those of pages that end; here next sets them. A server that knows no such bounds has none to lift.
	_ = control.SetReadDeadline(time.Time{})
	_ = control.SetWriteDeadline(time.Time{})
	s.answer(w, r, http.StatusOK, p, head)
	for r.Method != http.MethodHead {
		if control.Flush() != nil {
			return // nobody is left to tell
		}
		data, more := next()
		if !more {
			break
		}
		var out bytes.Buffer
		if err := s.pages[s.Lang(r)][p.Name].ExecuteTemplate(&out, piece, view{Data: data}); err != nil {
			s.log.ErrorContext(r.Context(), "piece not rendered", "page", p.Name, "err", err, "trace", Trace(r.Context()))
			break
		}
		if _, err := w.Write(out.Bytes()); err != nil {
			return
		}
	}
	_, _ = w.Write(tail) //nolint:gosec // the end of a page that html/template made
}
