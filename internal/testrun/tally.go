package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// event is one line of go test -json (see go doc test2json).
type event struct {
	Action      string
	Package     string
	ImportPath  string
	Test        string
	Output      string
	Elapsed     float64
	FailedBuild string
}

type outcome struct{ where, test, reason string }

// tally counts tests and remembers what has to be said about them at the end.
type tally struct {
	w        io.Writer
	passed   int
	failures []outcome
	skips    []outcome
	output   map[string][]string // of tests and packages that have not ended
	broken   map[string]bool     // packages in which a test has failed
}

func newTally(w io.Writer) *tally {
	return &tally{w: w, output: map[string][]string{}, broken: map[string]bool{}}
}

func (t *tally) failed() int  { return len(t.failures) }
func (t *tally) skipped() int { return len(t.skips) }

func (t *tally) fail(where, reason string) {
	t.failures = append(t.failures, outcome{where: where, reason: reason})
}

func (t *tally) skip(where, test, reason string) {
	t.skips = append(t.skips, outcome{where, test, reason})
}

// read counts the events of r and returns how many tests ended. Lines that are
// no events are passed on.
func (t *tally) read(r io.Reader) int {
	before := t.passed + t.failed() + t.skipped()
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadString('\n')
		var e event
		if strings.HasPrefix(line, "{") && json.Unmarshal([]byte(line), &e) == nil && e.Action != "" {
			t.add(e)
		} else if line != "" {
			t.print(line)
		}
		if err != nil {
			return t.passed + t.failed() + t.skipped() - before
		}
	}
}

func (t *tally) add(e event) {
	key := e.Package + " " + e.Test
	switch e.Action {
	case "output":
		t.output[key] = append(t.output[key], e.Output)
	case "build-output":
		t.print(e.Output)
	case "pass", "fail", "skip":
		t.end(e, t.output[key])
		delete(t.output, key)
	}
}

func (t *tally) end(e event, output []string) {
	if e.Test == "" {
		t.endPackage(e, output)
		return
	}
	switch e.Action {
	case "pass":
		t.passed++
	case "skip":
		t.skips = append(t.skips, outcome{e.Package, e.Test, reasonIn(output)})
	case "fail":
		t.broken[e.Package] = true
		t.failures = append(t.failures, outcome{where: e.Package, test: e.Test})
		t.print(strings.Join(output, ""))
	}
}

func (t *tally) endPackage(e event, output []string) {
	if e.Action == "fail" && !t.broken[e.Package] {
		// It did not build, or died outside a test.
		t.failures = append(t.failures, outcome{where: e.Package, reason: "the package failed"})
		t.print(strings.Join(output, ""))
	}
	if e.Action != "skip" {
		t.print(fmt.Sprintf("%-4s %s %.1fs\n", e.Action, e.Package, e.Elapsed))
	}
}

// reasonIn finds what a test said before it was skipped.
func reasonIn(output []string) string {
	for i := len(output) - 1; i >= 0; i-- {
		line := strings.TrimSpace(output[i])
		if line != "" && !strings.HasPrefix(line, "=== ") && !strings.HasPrefix(line, "--- ") {
			return line
		}
	}
	return "no reason given"
}

func (t *tally) summary() {
	t.print("\n")
	for _, s := range t.skips {
		t.print(fmt.Sprintf("SKIPPED %s %s: %s\n", s.where, s.test, s.reason))
	}
	for _, f := range t.failures {
		t.print(strings.TrimSpace(fmt.Sprintf("FAILED %s %s %s", f.where, f.test, f.reason)) + "\n")
	}
	t.print(fmt.Sprintf("%d passed, %d failed, %d skipped\n", t.passed, t.failed(), t.skipped()))
}

// print writes to the terminal; there is nobody to tell when that fails.
func (t *tally) print(s string) { _, _ = io.WriteString(t.w, s) }
