package idp

import (
	"encoding/json"
	"net/http"
)

// writeJSON answers a program. Everything it carries is for this caller and this moment.
func writeJSON(w http.ResponseWriter, r *http.Request, status int, v any) {
	b, err := json.Marshal(v)
	if err != nil { // a bug: every value handed in is made of strings and numbers
		status, b = http.StatusInternalServerError, []byte(`{"error":"server_error"}`)
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("Pragma", "no-cache")
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(b) // the caller hung up: nobody is left to tell
	}
}
