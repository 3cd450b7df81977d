package serve

import (
	"context"
	"errors"
	"io"
	"net/http"
	"testing"
	"time"
)

func TestCheck(t *testing.T) {
	for _, tt := range []struct {
		name string
		a    Address
		ok   bool
	}{
		{"loopback", Address{Listen: "127.0.0.1:1"}, true},
		{"loopback v6", Address{Listen: "[::1]:1"}, true},
		{"localhost", Address{Listen: "localhost:1"}, true},
		{"everywhere, plain", Address{Listen: ":1"}, false},
		{"everywhere, TLS", Address{":1", "c", "k"}, true},
		{"half of TLS", Address{":1", "c", ""}, false},
		{"nothing", Address{}, false},
	} {
		if err := tt.a.Check(); (err == nil) != tt.ok {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

// A request under way when the program is told to stop is answered; what runs beside is told; what fails beside stops the rest.
func TestUntil(t *testing.T) {
	l, err := Bind(t.Context(), Address{Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	begun := make(chan struct{})
	h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(begun)
		time.Sleep(100 * time.Millisecond)
		_, _ = io.WriteString(w, "whole")
	})
	told := false
	ended := make(chan error, 1)
	go func() {
		ended <- Until(ctx, l, h, func(ctx context.Context) error { <-ctx.Done(); told = true; return nil })
	}()
	got := make(chan string, 1)
	go func() {
		resp, err := http.Get("http://" + l.Addr().String())
		if err != nil {
			got <- err.Error()
			return
		}
		b, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		got <- string(b)
	}()
	<-begun
	stop()
	if s := <-got; s != "whole" {
		t.Errorf("request under way got %q", s)
	}
	if err := <-ended; err != nil || !told {
		t.Errorf("ended with %v, told %v", err, told)
	}

	l, err = Bind(t.Context(), Address{Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	if err := Until(t.Context(), l, h, func(context.Context) error { return broken }); !errors.Is(err, broken) {
		t.Errorf("ended with %v", err)
	}
	if _, err := Bind(t.Context(), Address{Listen: "127.0.0.1:0", Certificate: "absent", Key: "absent"}); err == nil {
		t.Error("bound without its certificate")
	}
}
