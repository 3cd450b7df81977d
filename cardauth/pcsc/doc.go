// Package pcsc reads cards in the readers of this computer through PC/SC: pcscd on Linux, the system's own service on
// macOS and Windows. It is the only package that imports a PC/SC library.
//
//	readers, err := pcsc.Open()
//	slots, err := readers.Slots(ctx)          // every reader, and whether a card is in it
//	s, err := readers.Connect(ctx, name)      // a transaction begins: nobody else talks to the card
//	card, err := jpki.Open(ctx, s)            // a Session is a jpki.Transmitter
//	…
//	s.Close()                                 // the transaction ends with a reset: the PIN no longer counts
//
// Readers and cards come and go, and so does the service: nothing is remembered between two calls, so that whatever
// is there at the next one is found. What PC/SC does wrong or leaves open is settled here:
//
//   - A call to PC/SC cannot be cancelled. Each session has a goroutine of its own for them, and whoever waits for it
//     waits no longer than the context or the package's own bounds. A call that never returns is given up with its
//     handle; until it does return, that reader is busy, so that at most one thread hangs for each reader.
//   - A transaction is held from before the first command until Close and ends with a reset in the same call, so that
//     no other program ever meets a card whose PIN was given.
//   - A card that another program has reset is reconnected and its selections are repeated, as long as no PIN was
//     sent. From then on nothing is repeated: whether the card counted a try is not known.
//   - A card that is pulled out in the middle of a command may be a success without bytes to PC/SC. The answer is
//     handed on as it came; package jpki takes fewer than two bytes for a removed card.
//
// Programs are built with it by the build tag pcsc (`make agent`). Without the tag, or without cgo where PC/SC is a C
// library, Open answers NotBuilt and the rest cannot be reached, so that servers build without any of it.
package pcsc
