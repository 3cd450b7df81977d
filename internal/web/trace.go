package web

import (
	"context"
	"crypto/rand"
	"fmt"
)

type traceKey struct{}

// Trace is the reference number of a request, such as "7F3A-21C9": at the foot of its page, in its log lines, and
// what a citizen reads out when asking for help. Empty outside Middleware.
func Trace(ctx context.Context) string {
	t, _ := ctx.Value(traceKey{}).(string)
	return t
}

// WithTrace draws a reference number for a request that does not go through Middleware.
func WithTrace(ctx context.Context) context.Context {
	var b [4]byte
	rand.Read(b[:])
	return context.WithValue(ctx, traceKey{}, fmt.Sprintf("%X-%X", b[:2], b[2:]))
}
