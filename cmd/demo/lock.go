package main

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// lock keeps a second demo off the same directory. The kernel releases it whatever way the process ends.
func lock(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600) //nolint:gosec // whoever starts the demo names its directory
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close() // the lock is not ours; nothing was written
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("another demo uses %s; stop it, or choose another directory with -var", path)
		}
		return nil, err
	}
	return func() { _ = f.Close() }, nil // closing releases the lock
}
