package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"mime"
	"net/http"
	"path"
	"strings"
	"time"
)

//go:embed static/*.css static/*.svg static/*.js templates messages
var embedded embed.FS

// asset is the address of a static file, with a digest of its content so that it may be cached for ever.
func asset(name string) (string, error) {
	b, err := embedded.ReadFile("static/" + name)
	if err != nil {
		return "", err
	}
	return "/static/" + digest(b) + "/" + name, nil
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:8])
}

// Static serves GET /static/{hash}/{file}. A hash of another release gets the present file, uncached, so that pages
// of two releases live side by side during an update.
func (s *Site) Static() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hash, name, ok := strings.Cut(strings.TrimPrefix(r.URL.Path, "/static/"), "/")
		if !ok || (r.Method != http.MethodGet && r.Method != http.MethodHead) {
			s.Fail(w, r, http.StatusNotFound, "not_found")
			return
		}
		b, err := embedded.ReadFile("static/" + name)
		if err != nil {
			s.Fail(w, r, http.StatusNotFound, "not_found")
			return
		}
		s.setHeaders(w.Header(), r, false)
		if hash == digest(b) {
			w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
		}
		w.Header().Set("Content-Type", mime.TypeByExtension(path.Ext(name)))
		http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(b))
	})
}
