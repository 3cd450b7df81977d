//go:build !pcsc || (!cgo && !windows)

package main

import "testing"

func TestProgramWithoutReadersNeedsVirtualCards(t *testing.T) {
	t.Parallel()
	cardagent(t, "", "-check").want(t, exitUsage, "", "-cards")
	cardagent(t, "1234", "login", "-challenge", "x", "-pin-file", "-").want(t, exitUsage, "", "make agent")
}
