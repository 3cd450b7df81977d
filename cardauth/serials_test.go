package cardauth

import (
	"runtime"
	"testing"
)

func TestSerialSetFindsWhatItHolds(t *testing.T) {
	var b serialBuilder
	in := map[uint32]RevocationReason{
		0: Unspecified, 1: KeyCompromise, 0x0FFFFFFF: Superseded, 0x10000000: CessationOfOperation, 0x7FFFFFFF: AACompromise, 0x02000000: CertificateHold,
	}
	for serial, why := range in {
		b.add(serial, why)
	}
	b.add(1, Superseded) // twice on the list
	s := b.finish()
	for serial, why := range in {
		if got, there := s.find(serial); !there || got != why {
			t.Errorf("%X: %v, %v, want %v", serial, got, there, why)
		}
	}
	for _, serial := range []uint32{2, 0x0FFFFFFE, 0x10000001, 0x7FFFFFFE, 0x80000000, 0x80000001, 0xFFFFFFFF, 0x20000000} {
		if why, there := s.find(serial); there {
			t.Errorf("%X is revoked for %v", serial, why)
		}
	}
}

// heap returns how much memory is in use.
func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // what finalizers held on to goes with the second
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
