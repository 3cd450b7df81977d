package web

import (
	"bytes"
	"errors"
	"net/http"
	"time"
)

// liveMark is where a page that goes on is cut in two: a template writes it where the pieces belong.
const liveMark = "<wbr data-live>"

// liveWrite is how long a browser may leave what was sent to it unread.
const liveWrite = 20 * time.Second

var errNoLiveMark = errors.New("the page has no " + liveMark)

// Live answers with a page that goes on, for browsers without script as well: everything up to the mark in its "late" template is sent at
// once, then, whenever next returns, the template piece of the page with the data it returned, until next returns false; then the rest. next
// waits as long as it likes, and has to end when the request's context does. For nil data a line break is sent, so that no proxy takes a page
// on which nothing happens for dead. A piece that fails ends the page.
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
	// The server's bounds are those of pages that end; here next sets them, and a write has one of its own. A server that knows no bounds has
	// none to lift.
	_ = control.SetReadDeadline(time.Time{})
	send := func(write func()) error {
		_ = control.SetWriteDeadline(time.Now().Add(liveWrite)) //nolint:forbidigo // a connection goes by the system's clock
		write()
		err := control.Flush()
		_ = control.SetWriteDeadline(time.Time{}) // one that runs out ends a stream of HTTP/2, written to or not
		return err
	}
	w.Header().Set("X-Accel-Buffering", "no") // nginx and others: hand on what there is
	err = send(func() { s.answer(w, r, http.StatusOK, p, head) })
	for err == nil && r.Method != http.MethodHead {
		data, more := next()
		if !more {
			break
		}
		out := &bytes.Buffer{}
		if data == nil {
			out.WriteByte('\n')
		} else if err := s.pages[s.Lang(r)][p.Name].ExecuteTemplate(out, piece, view{Data: data}); err != nil {
			s.log.ErrorContext(r.Context(), "piece not rendered", "page", p.Name, "err", err, "trace", Trace(r.Context()))
			break
		}
		err = send(func() { _, _ = w.Write(out.Bytes()) }) // the flush says whether it arrived
	}
	if err == nil { // somebody is left to tell
		_ = send(func() { _, _ = w.Write(tail) })
	}
}
