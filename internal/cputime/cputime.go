// Package cputime reports the processor time of benchmarked operations. Wall time says little on a machine that does other things;
// what an operation costs a server is the processor time of the whole process, its garbage collector included.
package cputime

import (
	"syscall"
	"testing"
	"time"
)

// used returns the processor time this process has had.
func used(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// PerOperation runs op b.N times and reports cpu-µs/op beside Go's own numbers.
func PerOperation(b *testing.B, op func(i int)) {
	b.Helper()
	b.ReportAllocs()
	b.ResetTimer()
	before := used(b)
	for i := range b.N {
		op(i)
	}
	spent := used(b) - before
	b.StopTimer()
	b.ReportMetric(float64(spent.Nanoseconds())/1000/float64(b.N), "cpu-µs/op")
}

// Spent runs f once and returns the processor time that went by meanwhile, for a benchmark whose operations are not one after another.
func Spent(b *testing.B, f func()) time.Duration {
	b.Helper()
	before := used(b)
	f()
	return used(b) - before
}
