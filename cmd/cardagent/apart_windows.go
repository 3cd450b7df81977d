package main

import "syscall"

// Without a console window, and not ended by Ctrl-C in the one that started it (Process Creation Flags, Win32).
const (
	createNewProcessGroup = 0x00000200
	createNoWindow        = 0x08000000
)

// apart keeps a started program from ending with the console that started it.
func apart() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{HideWindow: true, CreationFlags: createNewProcessGroup | createNoWindow}
}
