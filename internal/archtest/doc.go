// Package archtest holds tests about the source tree itself: which package may
// import which, what stands behind which door, what is pinned, and what must
// not appear. The linter says the same while one writes; these tests hold it
// without the linter, and for files it does not read.
package archtest
