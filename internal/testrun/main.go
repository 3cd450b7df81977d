// Command testrun runs every kind of test the project has, one after the
// other, and ends with one line that counts them all:
//
//	N passed, N failed, N skipped
//
// Above it stands the name of every test that failed or was skipped, with the
// reason of the skip. It fails on a failure, and with CI=true in the
// environment also on a skip, because a test that does not run proves nothing.
//
// `make test` is its caller. A step that prints test events (those of go test
// -json; the browser tests have a reporter that speaks the same) counts as its
// tests; any other step counts as one test.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

var steps = []step{
	{name: "build", run: []string{"make", "--no-print-directory", "build"}},
	{name: "vet", run: []string{"make", "--no-print-directory", "vet"}},
	{name: "cross", run: []string{"make", "--no-print-directory", "cross"}},
	{name: "lint", run: []string{"make", "--no-print-directory", "lint"}},
	{
		name: "go", events: true, env: []string{"CGO_ENABLED=1"},
		run: []string{"go", "run", "./internal/testenv", "go", "test", "-json", "-race", "-shuffle=on", "-timeout=30m", "./..."},
	},
	{
		// About a minute of processor time; with the race detector, where each endpoint gets a few only, it would be ten.
		name: "malformed", events: true,
		run: []string{"go", "test", "-json", "-timeout=30m", "-run=^TestTenThousandMalformedRequestsPerEndpoint$", "./idp", "-malformed=10000"},
	},
	{
		// Card readers need cgo and a library's headers, so the tests through a real PC/SC service are behind a build tag.
		name: "readers", events: true, env: []string{"CGO_ENABLED=1"}, needs: []string{"gcc", "pkg-config"},
		prepare: []string{"pkg-config", "--exists", "--print-errors", "libpcsclite"},
		run:     []string{"go", "test", "-json", "-race", "-tags", "pcsc", "-timeout=10m", "./cardauth/pcsc/...", "./cmd/cardagent"},
	},
	{
		name: "browser", events: true, dir: "test/browser", needs: []string{"node", "npm", "chromium"},
		prepare: []string{"npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"},
		run: []string{"node", "--test", "--test-concurrency=1", "--test-reporter=./lib/reporter.mjs",
			"--test-reporter-destination=stdout"},
	},
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	t := newTally(os.Stdout)
	for _, s := range steps {
		start := time.Now()
		fmt.Printf("=== %s\n", s.name)
		s.do(ctx, t)
		fmt.Printf("=== %s: %.0f s\n", s.name, time.Since(start).Seconds())
		if ctx.Err() != nil {
			t.fail("testrun", "interrupted")
			break
		}
	}
	t.summary()
	if t.failed() > 0 || t.passed == 0 || (os.Getenv("CI") == "true" && t.skipped() > 0) {
		os.Exit(1)
	}
}
