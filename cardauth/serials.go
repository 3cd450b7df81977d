package cardauth

import "slices"

// A revocation list of the whole country has five million entries. What a login
// needs of an entry is the serial number and the reason, and both fit one word:
// serial numbers have 31 bits, of which the top three choose one of eight
// arrays, and the other 28 stand there above the reason's four. The arrays are
// sorted, so that a look-up is a binary search: 20 MB for five million.
const (
	serialArrays = 1 << (maxSerialBits - serialLow)
	serialLow    = 28
	reasonBits   = 4
)

// serialSet is the revoked serial numbers of a list with their reasons. It is
// never changed after it was built, and may be read by any number of logins.
type serialSet struct {
	arrays [serialArrays][]uint32
	starts [serialArrays][]uint32 // of a long array: where words with these top bits begin
	count  int
}

// A binary search through a million words waits for memory at each of its first
// steps. A table of where each value of the top bits begins takes twelve of the
// steps at once.
const (
	startBits = 12
	longArray = 1 << 15
)

// place returns where a serial number is kept, with no reason.
func place(serial uint32) (array int, word uint32) {
	return int(serial >> serialLow), serial << reasonBits
}

// find reports whether the set holds a serial number, and why. Of a serial
// number that a list holds twice, the lowest reason is found.
func (s *serialSet) find(serial uint32) (RevocationReason, bool) {
	if serial>>maxSerialBits != 0 {
		return 0, false
	}
	array, word := place(serial)
	in := s.arrays[array]
	if starts := s.starts[array]; starts != nil {
		top := word >> (32 - startBits)
		in = in[starts[top]:starts[top+1]]
	}
	i, _ := slices.BinarySearch(in, word)
	if i == len(in) || in[i]>>reasonBits != word>>reasonBits {
		return 0, false
	}
	return RevocationReason(in[i] & (1<<reasonBits - 1)), true
}

// serialBuilder collects what becomes a serialSet. It grows by the piece: an
// array that is copied whenever it is full would leave behind, of a long list,
// five times as much memory as it needs.
type serialBuilder struct{ pieces [serialArrays][][]uint32 }

const (
	firstPiece = 64 // entries
	maxPiece   = 32 << 10
)

// add puts in a serial number of at most 31 bits.
func (b *serialBuilder) add(serial uint32, why RevocationReason) {
	array, word := place(serial)
	in := b.pieces[array]
	last := len(in) - 1
	switch {
	case last < 0:
		in, last = [][]uint32{make([]uint32, 0, firstPiece)}, 0
	case len(in[last]) == cap(in[last]):
		in, last = append(in, make([]uint32, 0, min(maxPiece, 2*cap(in[last])))), last+1
	}
	in[last] = append(in[last], word|uint32(why))
	b.pieces[array] = in
}

// finish returns what was added, in no more memory than it needs, and leaves the
// builder empty.
func (b *serialBuilder) finish() serialSet {
	var s serialSet
	for i, in := range b.pieces {
		s.arrays[i] = slices.Concat(in...)
		b.pieces[i] = nil
		slices.Sort(s.arrays[i])
		s.count += len(s.arrays[i])
		if len(s.arrays[i]) >= longArray {
			s.starts[i] = startsOf(s.arrays[i])
		}
	}
	return s
}

// startsOf returns, for each value of the top bits, where its words begin in a
// sorted array; and behind the last where they end.
func startsOf(in []uint32) []uint32 {
	starts := make([]uint32, 1<<startBits+1)
	for _, word := range in {
		starts[word>>(32-startBits)+1]++
	}
	for i := range 1 << startBits {
		starts[i+1] += starts[i]
	}
	return starts
}
