package serve

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// Inside answers requests for some origins with the handlers of this very process, and sends every other one by next. A program that is a client
// of itself needs no way out to its own public address and back, and no trust in the certificate that a proxy shows there.
type Inside struct {
	Handlers map[string]http.Handler // by origin in small letters, as in https://id.example.go.jp
	Next     http.RoundTripper
}

// RoundTrip implements http.RoundTripper. The handler sees what it would see behind a proxy on this machine.
func (i Inside) RoundTrip(r *http.Request) (*http.Response, error) {
	h, ok := i.Handlers[origin(r.URL)]
	if !ok {
		return i.Next.RoundTrip(r)
	}
	in := r.Clone(r.Context())
	in.Host, in.RequestURI, in.RemoteAddr = r.URL.Host, r.URL.RequestURI(), "127.0.0.1:0"
	if in.Body == nil {
		in.Body = http.NoBody
	}
	out := &kept{header: http.Header{}}
	h.ServeHTTP(out, in)
	_ = in.Body.Close() // as a transport does
	if out.status == 0 {
		out.WriteHeader(http.StatusOK)
	}
	return &http.Response{
		Status: http.StatusText(out.status), StatusCode: out.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: out.sent, Body: io.NopCloser(&out.body), ContentLength: int64(out.body.Len()), Request: r,
	}, nil
}

func origin(u *url.URL) string { return strings.ToLower(u.Scheme) + "://" + strings.ToLower(u.Host) }

// kept is an answer that stays here.
type kept struct {
	header, sent http.Header
	status       int
	body         bytes.Buffer
}

func (k *kept) Header() http.Header { return k.header }

func (k *kept) WriteHeader(status int) {
	if k.status == 0 && status >= http.StatusOK {
		k.status, k.sent = status, k.header.Clone()
	}
}

func (k *kept) Write(b []byte) (int, error) {
	k.WriteHeader(http.StatusOK)
	return k.body.Write(b)
}
