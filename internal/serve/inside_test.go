package serve

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
)

type nowhere struct{}

func (nowhere) RoundTrip(*http.Request) (*http.Response, error) { return nil, errNowhere }

var errNowhere = errors.New("nowhere")

func TestOwnOriginsAreAnsweredInside(t *testing.T) {
	own := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Seen", r.Host+" "+r.RequestURI)
		w.WriteHeader(http.StatusAccepted)
		_, _ = w.Write(append([]byte("got "), b...))
		w.Header().Set("X-Late", "yes") // after the header was sent: not seen, as over the network
	})
	client := &http.Client{Transport: Inside{Handlers: map[string]http.Handler{"https://id.example.jp": own}, Next: nowhere{}}}
	for _, address := range []string{"https://id.example.jp/a?b=c", "https://ID.example.jp/a?b=c"} {
		resp, err := client.Post(address, "text/plain", strings.NewReader("this"))
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusAccepted || string(b) != "got this" || !strings.HasSuffix(resp.Header.Get("X-Seen"), "/a?b=c") || resp.Header.Get("X-Late") != "" {
			t.Errorf("%s: %d %q %v", address, resp.StatusCode, b, resp.Header)
		}
	}
	for _, other := range []string{"http://id.example.jp/", "https://id.example.jp:8443/", "https://example.jp/"} {
		resp, err := client.Get(other)
		if !errors.Is(err, errNowhere) {
			t.Errorf("%s was answered inside: %v", other, err)
		}
		if err == nil {
			_ = resp.Body.Close()
		}
	}
}
