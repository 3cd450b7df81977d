package admin

import (
	"errors"
	"net/http"
	"time"
)

// stream is an answer that is written while it is read, without ever being whole in memory.
type stream struct {
	kind string // its media type
	name string // of the file that a browser saves it as
	// next returns the next piece, or nothing at the end.
	next func() ([]byte, error)
}

// errCutOff is a stream that broke after it had begun: nothing can be answered any more.
var errCutOff = errors.New("stream cut off")

// copy writes the stream. What breaks before the first piece is an ordinary refusal; later the connection is cut, so that half an
// answer does not look whole.
func (s stream) copy(w http.ResponseWriter) error {
	b, err := s.next()
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", s.kind)
	w.Header().Set("Content-Disposition", `attachment; filename="`+s.name+`"`)
	if err := http.NewResponseController(w).SetWriteDeadline(time.Time{}); err != nil && !errors.Is(err, http.ErrNotSupported) { // it takes as long as it takes
		return err
	}
	w.WriteHeader(http.StatusOK)
	for len(b) > 0 {
		if _, err := w.Write(b); err != nil {
			return nil //nolint:nilerr // the caller hung up: nobody is left to tell
		}
		if b, err = s.next(); err != nil {
			return errors.Join(errCutOff, err)
		}
	}
	return nil
}
