package cardtest

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"

	"golang.org/x/crypto/cryptobyte"
)

// application is one of the two a card like this answers for.
type application int

const (
	issuerDomain application = iota // selected at power-on
	jpkiApplication
)

// minAID is the shortest part of an identifier that selects its application.
const minAID = 5

func aidOf(a application) []byte {
	text := "A0000001510000"
	if a == jpkiApplication {
		text = "D392F000260100000001"
	}
	aid, _ := hex.DecodeString(text) // constants
	return aid
}

// selectCommand is SELECT: an application by name, or a file by identifier.
func (c *Card) selectCommand(cmd command) []byte {
	switch {
	case cmd.p1 == 0x04 && (cmd.p2 == 0x0C || cmd.p2 == 0x00):
		return c.selectApplication(cmd)
	case cmd.p1 == 0x02 && cmd.p2 == 0x0C:
		return c.selectElementary(cmd)
	case cmd.p1 == 0x00 && cmd.data != nil:
		return status(swFileNotFound) // no master file to speak of
	}
	return status(swWrongP1P2)
}

func (c *Card) selectApplication(cmd command) []byte {
	for _, a := range []application{jpkiApplication, issuerDomain} {
		aid := aidOf(a)
		if len(cmd.data) < minAID || !bytes.HasPrefix(aid, cmd.data) {
			continue
		}
		// The PIN is dropped with its application; selecting the same one
		// again keeps it on the cards that people tried.
		if a != c.state.application || c.quirks.ForgetOnReselect {
			c.state = poweredOn()
		}
		c.state.application, c.state.current = a, 0
		if cmd.p2 == 0x00 { // file control information: the name alone
			return ok(der(func(b *cryptobyte.Builder) {
				b.AddASN1(0x6F, func(b *cryptobyte.Builder) {
					b.AddASN1(0x84, func(b *cryptobyte.Builder) { b.AddBytes(aid) })
				})
			}))
		}
		return status(swOK)
	}
	return status(swFileNotFound)
}

func (c *Card) selectElementary(cmd command) []byte {
	if c.state.application != jpkiApplication {
		return status(swNoCurrentFile)
	}
	if len(cmd.data) != 2 {
		return status(swWrongLength)
	}
	id := uint16(cmd.data[0])<<8 | uint16(cmd.data[1])
	if _, there := c.files[id]; !there {
		return status(swFileNotFound)
	}
	c.state.current = id
	return status(swOK)
}

// target is the file a command works on: the one named by a short identifier
// in ref, which becomes current, or the current one.
func (c *Card) target(ref byte) (uint16, file, uint16) {
	if c.state.application != jpkiApplication {
		return 0, file{}, swNoCurrentFile
	}
	id := c.state.current
	if sfi := uint16(ref & 0x1F); sfi != 0 {
		if _, there := c.files[sfi]; !there {
			return 0, file{}, swFileNotFound
		}
		c.state.current, id = sfi, sfi
	}
	f, there := c.files[id]
	if !there {
		return 0, file{}, swNoCurrentFile
	}
	return id, f, swOK
}

// readBinary is READ BINARY by offset or by short identifier.
func (c *Card) readBinary(cmd command) []byte {
	if cmd.data != nil || cmd.le < 0 {
		return status(swWrongLength)
	}
	offset, ref := int(cmd.p1)<<8|int(cmd.p2), byte(0)
	if cmd.p1&0x80 != 0 {
		if cmd.p1&0x60 != 0 || cmd.p1&0x1F == 0 {
			return status(swWrongP1P2)
		}
		offset, ref = int(cmd.p2), cmd.p1
	}
	_, f, sw := c.target(ref)
	switch {
	case sw != swOK:
		return status(sw)
	case f.kind != data:
		return status(swFileStructure)
	case f.guard != 0 && !c.state.verified[f.guard]:
		return status(swSecurity)
	case offset >= len(f.body):
		return status(swOutsideFile) // never an empty 9000: clients loop on it
	}
	return ok(f.body[offset:min(offset+cmd.le, len(f.body))])
}

// getChallenge is GET CHALLENGE: up to 256 random bytes.
func getChallenge(cmd command) []byte {
	switch {
	case cmd.p1 != 0 || cmd.p2 != 0:
		return status(swWrongP1P2)
	case cmd.extended:
		return status(swConditions)
	case cmd.data != nil || cmd.le < 0:
		return status(swWrongLength)
	}
	out := make([]byte, cmd.le)
	_, _ = rand.Read(out) // cannot fail
	return ok(out)
}

// getData is GET DATA, outside applications only: the ATR.
func (c *Card) getData(cmd command) []byte {
	switch {
	case c.state.application != issuerDomain:
		return status(swInstruction)
	case cmd.p1 != 0x5F || cmd.p2 != 0x51:
		return status(swReferenceNotFound)
	case c.quirks.ATR != nil:
		return ok(c.quirks.ATR)
	}
	return ok([]byte{0x3B, 0xE0, 0x00, 0xFF, 0x81, 0x31, 0xFE, 0x45, 0x14})
}
