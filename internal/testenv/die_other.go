//go:build unix && !linux

package main

import "syscall"

// dieWithParent does what can be done elsewhere: a server outlives a testenv that was killed by force.
func dieWithParent(attr *syscall.SysProcAttr) *syscall.SysProcAttr {
	return group(attr)
}
