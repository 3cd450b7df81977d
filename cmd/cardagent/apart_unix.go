//go:build !windows

package main

import "syscall"

// apart keeps a started program from ending with the terminal that started it.
func apart() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }
