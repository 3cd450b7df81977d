package main

import (
	"bytes"
	"strings"
	"testing"
)

const stream = `a line of the servers
{"Action":"run","Package":"p","Test":"TestGood"}
{"Action":"output","Package":"p","Test":"TestGood","Output":"noise\n"}
{"Action":"pass","Package":"p","Test":"TestGood","Elapsed":0.1}
{"Action":"output","Package":"p","Test":"TestLazy","Output":"=== RUN   TestLazy\n"}
{"Action":"output","Package":"p","Test":"TestLazy","Output":"    x_test.go:3: no PostgreSQL\n"}
{"Action":"output","Package":"p","Test":"TestLazy","Output":"--- SKIP: TestLazy (0.00s)\n"}
{"Action":"skip","Package":"p","Test":"TestLazy","Elapsed":0}
{"Action":"output","Package":"p","Test":"TestBad","Output":"want 1, got 2\n"}
{"Action":"fail","Package":"p","Test":"TestBad","Elapsed":0}
{"Action":"fail","Package":"p","Elapsed":0.2}
{"ImportPath":"q","Action":"build-output","Output":"q.go:1: syntax error\n"}
{"ImportPath":"q","Action":"build-fail"}
{"Action":"fail","Package":"q","Elapsed":0,"FailedBuild":"q"}
{"Action":"skip","Package":"r","Elapsed":0}
`

func TestTally(t *testing.T) {
	var out bytes.Buffer
	sum := newTally(&out)
	if n := sum.read(strings.NewReader(stream)); n != 4 {
		t.Errorf("%d tests ended, want 4", n)
	}
	sum.summary()
	if !strings.HasSuffix(out.String(), "\n1 passed, 2 failed, 1 skipped\n") {
		t.Errorf("wrong last line:\n%s", out.String())
	}
	for _, want := range []string{
		"a line of the servers\n", "want 1, got 2\n", "q.go:1: syntax error\n",
		"SKIPPED p TestLazy: x_test.go:3: no PostgreSQL\n", "FAILED p TestBad\n", "FAILED q  the package failed\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("output lacks %q:\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "noise") {
		t.Error("output of a passed test was printed")
	}
}

func TestStepWithoutItsProgramIsSkipped(t *testing.T) {
	sum := newTally(&bytes.Buffer{})
	step{name: "x", needs: []string{"no-such-program"}, run: []string{"true"}}.do(t.Context(), sum)
	if sum.skipped() != 1 || sum.passed != 0 || sum.failed() != 0 {
		t.Errorf("got %d skipped, %d passed, %d failed", sum.skipped(), sum.passed, sum.failed())
	}
}

func TestStepCounts(t *testing.T) {
	for name, c := range map[string]struct {
		s              step
		passed, failed int
	}{
		"a command that succeeds is one test":      {step{run: []string{"true"}}, 1, 0},
		"a command that fails is one failure":      {step{run: []string{"false"}}, 0, 1},
		"a stream that ends badly is a failure":    {step{events: true, run: []string{"false"}}, 0, 1},
		"a stream without a test is a failure":     {step{events: true, run: []string{"true"}}, 0, 1},
		"a command that is missing is a failure":   {step{events: true, run: []string{"/no/such/thing"}}, 0, 1},
		"a preparation that works changes nothing": {step{prepare: []string{"true"}, run: []string{"true"}}, 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			sum := newTally(&bytes.Buffer{})
			c.s.do(t.Context(), sum)
			if sum.passed != c.passed || sum.failed() != c.failed {
				t.Errorf("passed %d failed %d, want %d and %d", sum.passed, sum.failed(), c.passed, c.failed)
			}
		})
	}
}
