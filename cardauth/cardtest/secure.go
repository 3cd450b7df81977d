package cardtest

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
)

const (
	maxSecret    = 16  // bytes of a PIN or password
	maxSignInput = 245 // what PKCS #1 v1.5 padding leaves of 256 bytes
)

// reference judges P2 of commands on PINs and keys: 80 for the current file,
// 80 with a short identifier for another.
func (c *Card) reference(p2 byte, want kind) (uint16, file, uint16) {
	if p2&0xE0 != 0x80 {
		return 0, file{}, swWrongP1P2
	}
	id, f, sw := c.target(p2)
	if sw == swOK && f.kind != want {
		sw = swFileStructure
	}
	return id, f, sw
}

// verify is VERIFY; without data it asks for the counter and costs nothing,
// verified or not.
func (c *Card) verify(cmd command) []byte {
	if cmd.p1 != 0 {
		return status(swWrongP1P2)
	}
	id, _, sw := c.reference(cmd.p2, pinFile)
	if sw != swOK {
		return status(sw)
	}
	all, err := c.pins.load()
	if err != nil {
		return status(swExecution)
	}
	pin := all.of(id)
	if cmd.data == nil {
		return status(swVerifyCounter | uint16(pin.Left)) //nolint:gosec // 0 to 5
	}
	// Longer than any secret: not compared, so it costs nothing. Anything
	// shorter is compared byte for byte and does.
	if len(cmd.data) > maxSecret {
		return status(swWrongLength)
	}
	if pin.Left <= 0 {
		return status(c.blockedSW())
	}
	right := pin.compare(cmd.data)
	// The counter is stored before the answer leaves, or pulling the card out
	// would give tries for nothing.
	if err = c.pins.save(all); err != nil {
		return status(swExecution)
	}
	c.state.verified[id] = right
	if !right {
		return status(swVerifyCounter | uint16(pin.Left)) //nolint:gosec // 0 to 4
	}
	return status(swOK)
}

func (c *Card) blockedSW() uint16 {
	if c.quirks.BlockedSW != 0 {
		return c.quirks.BlockedSW
	}
	return swReferenceLost
}

// change is CHANGE REFERENCE DATA after VERIFY: the new secret only.
func (c *Card) change(cmd command) []byte {
	if cmd.p1 != 0x01 {
		return status(swWrongP1P2)
	}
	id, _, sw := c.reference(cmd.p2, pinFile)
	switch {
	case sw != swOK:
		return status(sw)
	case !c.state.verified[id]:
		return status(swSecurity)
	case !wellFormed(id, cmd.data):
		return status(swWrongData)
	}
	all, err := c.pins.load()
	if err != nil {
		return status(swExecution)
	}
	all.of(id).Value = string(cmd.data)
	if err = c.pins.save(all); err != nil {
		return status(swExecution)
	}
	return status(swOK)
}

// wellFormed says whether a card takes this as a new secret: four digits, or
// 6 to 16 capital letters and digits.
func wellFormed(id uint16, value []byte) bool {
	for _, b := range value {
		digit := b >= '0' && b <= '9'
		if !digit && (id == fileAuthPIN || b < 'A' || b > 'Z') {
			return false
		}
	}
	if id == fileAuthPIN {
		return len(value) == 4
	}
	return len(value) >= 6 && len(value) <= maxSecret
}

// sign is COMPUTE DIGITAL SIGNATURE. The card does not hash for P1=00: it pads
// what it is given. A missing Le is what a T=0 reader leaves of the command.
func (c *Card) sign(cmd command) []byte {
	if cmd.p1 > 0x05 || cmd.p1 != 0 && !c.quirks.Schemes {
		return status(swWrongP1P2)
	}
	_, f, sw := c.reference(cmd.p2, keyFile)
	switch {
	case sw != swOK:
		return status(sw)
	case !c.state.verified[f.guard]:
		return status(swSecurity)
	case len(cmd.data) == 0:
		return status(swWrongLength)
	}
	signature, sw := compute(f.key, cmd.p1, cmd.data)
	if sw != swOK {
		return status(sw)
	}
	return ok(signature)
}

// compute is the scheme behind each P1: 00 pads, 01 hashes and pads, 02 takes a
// hash and adds DigestInfo, 03 hashes and adds DigestInfo, 04 and 05 are PSS
// over a hash and over a message.
func compute(key *rsa.PrivateKey, p1 byte, input []byte) ([]byte, uint16) {
	isHash := p1 == 0x02 || p1 == 0x04
	switch {
	case isHash && len(input) != sha256.Size:
		return nil, swConditions
	case p1 == 0x00 && len(input) > maxSignInput:
		return nil, swConditions
	case len(input) > 255:
		return nil, swWrongLength
	}
	digest := input
	if p1 == 0x01 || p1 == 0x03 || p1 == 0x05 {
		sum := sha256.Sum256(input)
		digest = sum[:]
	}
	var out []byte
	var err error
	switch p1 {
	case 0x00, 0x01:
		out, err = rsa.SignPKCS1v15(rand.Reader, key, 0, digest)
	case 0x02, 0x03:
		out, err = rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, digest)
	case 0x04, 0x05:
		out, err = rsa.SignPSS(rand.Reader, key, crypto.SHA256, digest, nil)
	default:
		return nil, swWrongP1P2
	}
	if err != nil {
		return nil, swExecution
	}
	return out, swOK
}
