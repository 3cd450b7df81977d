package main

import (
	"slices"
	"testing"
)

// -allow takes one address or several with commas, again and again, and nothing that is no address.
func TestAllowTakesLists(t *testing.T) {
	var o options
	for _, list := range []string{"localhost:8443", "a.example:1,b.example:2"} {
		if err := o.parseAllow(list); err != nil {
			t.Fatal(err)
		}
	}
	if want := []string{"localhost:8443", "a.example:1", "b.example:2"}; !slices.Equal(o.allow, want) {
		t.Errorf("got %q, want %q", o.allow, want)
	}
	for _, bad := range []string{"", "localhost", "localhost:", ":1", "a:1,", "https://a:1"} {
		if err := new(options).parseAllow(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}
