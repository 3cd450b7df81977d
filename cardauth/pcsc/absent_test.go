//go:build !pcsc || (!cgo && !windows)

package pcsc

import (
	"errors"
	"strings"
	"testing"
)

func TestProgramWithoutReadersSaysHowToBuildIt(t *testing.T) {
	_, err := Open()
	e, ok := errors.AsType[*Error](err)
	if !ok || e.Reason != NotBuilt || !strings.Contains(err.Error(), "make agent") {
		t.Errorf("got %v", err)
	}
}
