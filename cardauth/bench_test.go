package cardauth

import (
	"context"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/internal/cputime"
	"github.com/tsunagu-id/tsunagu/internal/ephemeral"
)

// reopened hands out one challenge for ever, so that what is measured is the
// verification: making and spending a challenge is the store's business.
type reopened struct{ record ephemeral.Record }

func (s *reopened) Get(context.Context, string) (ephemeral.Record, error) { return s.record, nil }

func (s *reopened) Create(_ context.Context, _ string, value []byte, _ time.Duration) error {
	s.record.Value = value
	return nil
}

func (s *reopened) Swap(context.Context, string, ephemeral.Version, []byte, time.Duration) error {
	return nil
}

// BenchmarkVerifyResponse is one card response from bytes to Identity: two RSA
// verifications, and one or two more where the responder is asked.
func BenchmarkVerifyResponse(b *testing.B) {
	for name, maxAge := range map[string]time.Duration{"held": time.Hour, "ocsp": 0} {
		b.Run(name, func(b *testing.B) {
			w := newWorld(b, func(d *RevocationDeps) { d.MaxAge = maxAge })
			w.challenges.deps.Store = &reopened{}
			id := w.challenge(b)
			body := w.honest(b, id, issue(b, nil)).compact(b)
			cputime.PerOperation(b, func(int) {
				if _, err := w.submit(b.Context(), id, body); err != nil {
					b.Fatal(err)
				}
			})
		})
	}
}

// The parts, to see where the time goes.
func BenchmarkVerifyParts(b *testing.B) {
	w := newWorld(b, nil)
	id := w.challenge(b)
	body := w.honest(b, id, issue(b, nil)).compact(b)
	r, err := ParseResponse(body)
	if err != nil {
		b.Fatal(err)
	}
	l, err := parseLeaf(r.certificate, "")
	if err != nil {
		b.Fatal(err)
	}
	for name, part := range map[string]func() error{
		"parse":     func() error { _, err := ParseResponse(body); return err },
		"profile":   func() error { _, err := parseLeaf(r.certificate, ""); return err },
		"chain":     func() error { _, err := w.deps.Anchors.issuerOf(l, noon); return err },
		"signature": func() error { return l.signed(r) },
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if err := part(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
