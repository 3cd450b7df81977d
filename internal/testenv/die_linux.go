package main

import "syscall"

// dieWithParent has the kernel end the server when we are killed.
func dieWithParent(attr *syscall.SysProcAttr) *syscall.SysProcAttr {
	attr = group(attr)
	attr.Pdeathsig = syscall.SIGKILL
	return attr
}
