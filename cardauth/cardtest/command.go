package cardtest

import "encoding/binary"

// Instructions this card knows.
const (
	insVerify       = 0x20
	insChange       = 0x24
	insSign         = 0x2A
	insGetChallenge = 0x84
	insSelect       = 0xA4
	insReadBinary   = 0xB0
	insGetResponse  = 0xC0
	insGetData      = 0xCA
)

// Status words.
const (
	swOK                = 0x9000
	swVerifyCounter     = 0x63C0
	swExecution         = 0x6400
	swWrongLength       = 0x6700
	swChannel           = 0x6881
	swSecureMessaging   = 0x6882
	swFileStructure     = 0x6981
	swSecurity          = 0x6982
	swReferenceLost     = 0x6984
	swConditions        = 0x6985
	swNoCurrentFile     = 0x6986
	swSecureUnusable    = 0x69FC
	swWrongData         = 0x6A80
	swFileNotFound      = 0x6A82
	swWrongP1P2         = 0x6A86
	swReferenceNotFound = 0x6A88
	swOutsideFile       = 0x6B00
	swInstruction       = 0x6D00
	swClass             = 0x6E00
)

// command is a parsed command APDU (ISO/IEC 7816-4 §5.2).
type command struct {
	cla, ins, p1, p2 byte
	data             []byte
	le               int // -1: absent; up to 65536
	extended         bool
}

// parseCommand reads the four cases in short and in extended form. Anything
// whose lengths do not fit exactly is refused.
func parseCommand(raw []byte) (command, bool) {
	if len(raw) < 4 {
		return command{}, false
	}
	c := command{cla: raw[0], ins: raw[1], p1: raw[2], p2: raw[3], le: -1}
	body := raw[4:]
	switch {
	case len(body) == 0: // case 1
		return c, true
	case len(body) == 1: // case 2, short
		c.le = orMax(int(body[0]), 256)
		return c, true
	case body[0] != 0: // cases 3 and 4, short
		return c.withData(body[1:], int(body[0]), 1)
	case len(body) < 3: // 00 and one byte: neither form
		return command{}, false
	case len(body) == 3: // case 2, extended
		c.extended, c.le = true, orMax(int(body[1])<<8|int(body[2]), 65536)
		return c, true
	}
	c.extended = true
	return c.withData(body[3:], int(body[1])<<8|int(body[2]), 2)
}

// withData takes n bytes of data and, if there is more, an Le of the given
// width.
func (c command) withData(rest []byte, n, width int) (command, bool) {
	if n == 0 || len(rest) < n {
		return command{}, false
	}
	c.data = rest[:n:n]
	switch le := rest[n:]; {
	case len(le) == 0:
		return c, true
	case len(le) == 1 && width == 1:
		c.le = orMax(int(le[0]), 256)
		return c, true
	case len(le) == 2 && width == 2:
		c.le = orMax(int(le[0])<<8|int(le[1]), 65536)
		return c, true
	}
	return command{}, false
}

// orMax gives the length zero its meaning: as much as the form can say.
func orMax(n, most int) int {
	if n == 0 {
		return most
	}
	return n
}

// status is an answer without data.
func status(sw uint16) []byte { return binary.BigEndian.AppendUint16(nil, sw) }

// ok is data with status 9000.
func ok(data []byte) []byte { return append(append([]byte(nil), data...), 0x90, 0x00) }

// execute runs one command against the card's state.
func (c *Card) execute(raw []byte) []byte {
	cmd, fits := parseCommand(raw)
	if !fits {
		return status(swWrongLength)
	}
	if sw := classStatus(cmd); sw != swOK {
		return status(sw)
	}
	switch cmd.ins {
	case insSelect:
		return c.selectCommand(cmd)
	case insReadBinary:
		return c.readBinary(cmd)
	case insVerify:
		return c.verify(cmd)
	case insChange:
		return c.change(cmd)
	case insSign:
		return c.sign(cmd)
	case insGetChallenge:
		return getChallenge(cmd)
	case insGetData:
		return c.getData(cmd)
	case insGetResponse:
		return status(swConditions) // this card never holds anything back
	}
	return status(swInstruction)
}

// classStatus judges the class byte: one channel, no secure messaging, and the
// private class for signing only.
func classStatus(cmd command) uint16 {
	switch {
	case cmd.cla == 0x80 && cmd.ins == insSign:
		return swOK
	case cmd.cla == 0x00 && cmd.ins == insSign:
		return swInstruction
	case cmd.cla == 0x00:
		return swOK
	case cmd.cla == 0x08, cmd.cla == 0x0C:
		return swSecureUnusable
	case cmd.cla == 0x04:
		return swSecureMessaging
	case cmd.cla <= 0x03:
		return swChannel
	}
	return swClass
}
