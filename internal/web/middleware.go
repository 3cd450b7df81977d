package web

import (
	"encoding/json"
	"fmt"
	"net/http"
	"path"
	"runtime/debug"
	"strings"
)

// MaxBody is the most bytes a request body may have.
const MaxBody = 64 << 10

// MaxUpload is the same where a site takes files: enough that a file somewhat too large is told of at its field.
const MaxUpload = 8 << 20

// Middleware gives every request a trace id, safe headers and a bounded body, refuses posts that come from other
// sites, and turns a panic into the 500 page.
func (s *Site) Middleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r = r.WithContext(WithTrace(r.Context()))
		s.setHeaders(w.Header(), r, false)
		out := &watchedWriter{ResponseWriter: w}
		defer s.recover(out, r)
		most := s.maxBody(r.URL.Path)
		switch {
		case r.ContentLength > most:
			s.refuse(out, r, http.StatusRequestEntityTooLarge, "too_large")
		case !s.mayPost(r):
			s.refuse(out, r, http.StatusForbidden, "csrf")
		default:
			r.Body = http.MaxBytesReader(w, r.Body, most) // w itself, so that the server stops reading as well
			next.ServeHTTP(out, r)
		}
	})
}

func (s *Site) maxBody(at string) int64 {
	for _, pattern := range s.config.Uploads {
		if ok, _ := path.Match(pattern, at); ok { // NewSite has seen every pattern
			return MaxUpload
		}
	}
	return MaxBody
}

func (s *Site) mayPost(r *http.Request) bool {
	if matches(s.config.APIPaths, r.URL.Path) || matches(s.config.CrossOriginPaths, r.URL.Path) {
		return true
	}
	return s.cross.Check(r) == nil
}

// matches reports whether path is in the list or under one of its entries that end in "/".
func matches(list []string, path string) bool {
	for _, entry := range list {
		if path == entry || (strings.HasSuffix(entry, "/") && strings.HasPrefix(path, entry)) {
			return true
		}
	}
	return false
}

// refuse answers a browser with a page and a machine with the error object of RFC 6749 §5.2.
func (s *Site) refuse(w http.ResponseWriter, r *http.Request, status int, reason string) {
	if !matches(s.config.APIPaths, r.URL.Path) {
		s.Fail(w, r, status, reason)
		return
	}
	code := "invalid_request"
	if status >= http.StatusInternalServerError {
		code = "server_error"
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{ // the caller hung up: nobody is left to tell
		"error": code, "error_description": reason + ", reference " + Trace(r.Context()),
	})
}

func (s *Site) recover(w *watchedWriter, r *http.Request) {
	cause := recover()
	if cause == nil {
		return
	}
	if cause == http.ErrAbortHandler { //nolint:errorlint // the value itself, as net/http compares it
		panic(cause)
	}
	s.log.ErrorContext(r.Context(), "panic", "cause", fmt.Sprint(cause), "stack", string(debug.Stack()),
		"trace", Trace(r.Context()))
	if w.started {
		panic(http.ErrAbortHandler) // half an answer is out: cut it off rather than let it look whole
	}
	for _, name := range []string{"Set-Cookie", "Location", "Content-Length", "Content-Encoding", "Content-Type"} {
		w.Header().Del(name)
	}
	s.setHeaders(w.Header(), r, false)
	s.refuse(w, r, http.StatusInternalServerError, "internal")
}

// watchedWriter knows whether the answer has begun.
type watchedWriter struct {
	http.ResponseWriter
	started bool
}

func (w *watchedWriter) WriteHeader(status int) {
	w.started = true
	w.ResponseWriter.WriteHeader(status)
}

func (w *watchedWriter) Write(b []byte) (int, error) {
	w.started = true
	return w.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach flushing and deadlines.
func (w *watchedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
