package mailtest

import (
	"encoding/base64"
	"encoding/json"
	"html/template"
	"io"
	"mime"
	"mime/quotedprintable"
	"net/http"
	netmail "net/mail"
	"strings"
	"time"
)

// decoded is the text of a message, whatever its transfer encoding (RFC 2045 §6).
func decoded(m *netmail.Message) string {
	r := m.Body
	switch strings.ToLower(m.Header.Get("Content-Transfer-Encoding")) {
	case "base64":
		r = base64.NewDecoder(base64.StdEncoding, r)
	case "quoted-printable":
		r = quotedprintable.NewReader(r)
	}
	b, err := io.ReadAll(io.LimitReader(r, maxMessage))
	if err != nil {
		return ""
	}
	return strings.ReplaceAll(string(b), "\r\n", "\n")
}

// Subject is the decoded subject (RFC 2047).
func (m Message) Subject() string {
	s, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
	if err != nil {
		return ""
	}
	return s
}

var mailbox = template.Must(template.New("mailbox").Parse(`<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Mail simulator</title>
<main id="main"><h1>Mail simulator</h1>
<p>TEST. Mail that the demo sent. Nothing left this computer.</p>
{{range .}}<article><h2 lang="ja">{{.Subject}}</h2><p>{{.At}} — {{.To}}</p><pre lang="ja">{{.Text}}</pre></article>
{{else}}<p>No mail yet.</p>{{end}}</main></html>
`))

// read is a message as the mailbox shows it.
type read struct {
	At        string `json:"at"`
	From      string `json:"from"`
	To        string `json:"to"`
	Subject   string `json:"subject"`
	MessageID string `json:"message_id"`
	Text      string `json:"text"`
}

// ServeHTTP shows the mailbox, newest first: a page, or JSON for whoever accepts that first.
func (s *Simulator) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	all := s.Messages()
	out := make([]read, 0, len(all))
	for i := len(all) - 1; i >= 0; i-- {
		m := all[i]
		out = append(out, read{m.At.UTC().Format(time.RFC3339), m.From, m.To, m.Subject(), m.Header.Get("Message-Id"), m.Text})
	}
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if strings.HasPrefix(r.Header.Get("Accept"), "application/json") {
		h.Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(out) // the caller hung up: nobody is left to tell
		return
	}
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	_ = mailbox.Execute(w, out) // as above
}
