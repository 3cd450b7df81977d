package idp

import (
	"crypto/sha256"
	"strings"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/federation"
)

// marker is a Provider with what marks need.
func marker() *Provider {
	return &Provider{digest: func(purpose string, data []byte) [32]byte {
		return sha256.Sum256(append([]byte("key\x00"+purpose+"\x00"), data...))
	}}
}

// FuzzKnownMarks: of whatever a browser sends few marks are looked at, and those that count are exactly what we made, for that person.
func FuzzKnownMarks(f *testing.F) {
	p := marker()
	const taro, hanako = federation.AccountID("taro"), federation.AccountID("hanako")
	good := p.markOf(taro, time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC).UnixMilli())
	for _, s := range []string{"", good, good + "." + good, good + "=", "." + good + ".", strings.Repeat(good+".", 6), strings.Repeat("A", markText), good[:31] + "!"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, cookie string) {
		all := marks(cookie)
		if len(all) > maxKnown {
			t.Errorf("%d marks", len(all))
		}
		for _, m := range all {
			at, ok := p.knownSince(taro, m)
			if ok && (at <= 0 || p.markOf(taro, at) != m) {
				t.Errorf("%q counts as %d", m, at)
			}
			if _, other := p.knownSince(hanako, m); ok && other {
				t.Errorf("%q counts for two people", m)
			}
		}
	})
}

// FuzzNoticeName: a name leads to one row or to none, and what is no name costs no look at the database.
func FuzzNoticeName(f *testing.F) {
	n := notices{digest: marker().digest}
	for _, s := range []string{"", n.nameOf("a"), n.nameOf("a") + "=", strings.Repeat("A", 43), strings.Repeat("é", 43), "../" + n.nameOf("a"), strings.Repeat("_", 42) + "\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if !isBase64URL(name, 43) {
			if one, err := n.named(t.Context(), name); one != nil || err != nil { // n has no database
				t.Errorf("%q: %v %v", name, one, err)
			}
			return
		}
		if len(name) != 43 || strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			t.Errorf("%q passes as a name", name)
		}
	})
}
