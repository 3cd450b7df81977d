package cardtest

import (
	"crypto/rsa"
	"encoding/binary"
)

// Files of the JPKI application. Every number is below 32 and so is also the
// file's short identifier.
const (
	fileSignCertificate = 0x0001
	fileSignCA          = 0x0002
	fileTokenInfo       = 0x0006
	fileAvailability    = 0x0008
	fileAuthCertificate = 0x000A
	fileAuthCA          = 0x000B
	fileAuthKey         = 0x0017
	fileAuthPIN         = 0x0018
	fileSignKey         = 0x001A
	fileSignPIN         = 0x001B
)

// Labels by which clients tell the kinds of token apart.
const (
	labelCard    = "JPKIAPICCTOKEN2"
	labelAndroid = "JPKIAPGPSETOKEN"
)

// kind is what a file is for: each command works on one kind.
type kind int

const (
	data kind = iota
	pinFile
	keyFile
)

// file is one elementary file.
type file struct {
	kind  kind
	body  []byte
	key   *rsa.PrivateKey
	guard uint16 // the PIN file that must be verified first; 0: free
}

// makeFiles lays out the JPKI application.
func makeFiles(c Config) map[uint16]file {
	// Availability of the two certificates; the third byte's meaning is not known.
	available := []byte{0x00, 0x00, 0x00}
	files := map[uint16]file{
		fileTokenInfo: {body: tokenInfo(c.label())},
		fileAuthPIN:   {kind: pinFile},
		fileSignPIN:   {kind: pinFile},
		fileAuthCA:    {body: c.AuthCA},
		fileSignCA:    {body: c.SignCA},
	}
	if c.Auth != nil {
		available[1] = 0x8F
		certificate := file{body: c.filled(c.Auth.Certificate.Raw)}
		if c.Phone {
			certificate.guard = fileAuthPIN
		}
		files[fileAuthCertificate] = certificate
		files[fileAuthKey] = file{kind: keyFile, key: c.Auth.Key, guard: fileAuthPIN}
	}
	if c.Sign != nil {
		available[0] = 0x8F
		files[fileSignCertificate] = file{body: c.filled(c.Sign.Certificate.Raw), guard: fileSignPIN}
		files[fileSignKey] = file{kind: keyFile, key: c.Sign.Key, guard: fileSignPIN}
	}
	files[fileAvailability] = file{body: available}
	return files
}

// filled appends what a file may hold after its certificate.
func (c Config) filled(der []byte) []byte {
	out := append([]byte(nil), der...)
	for range c.Filler {
		out = append(out, 0xFF)
	}
	return out
}

func (c Config) label() string {
	switch {
	case c.Label != "":
		return c.Label
	case c.Phone:
		return labelAndroid
	}
	return labelCard
}

// tokenInfo is the 160-byte record of file 0006, a serialised PKCS #11
// CK_TOKEN_INFO with big-endian numbers.
func tokenInfo(label string) []byte {
	padded := func(s string, n int) []byte {
		out := make([]byte, n)
		for i := range out {
			out[i] = ' '
		}
		copy(out, s)
		return out
	}
	out := padded(label, 32)
	out = append(out, "00000000000000000000000000000001"...) // manufacturer
	out = append(out, padded("E16R01NJ", 16)...)             // model
	out = append(out, "0000000020500003"...)                 // serial number
	for _, n := range []uint32{
		0x0000040D,        // RNG, login required, PIN and token initialised
		1, 0, 1, 0, 16, 6, // sessions, read-write sessions, PIN length
		0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF, // memory: not told
	} {
		out = binary.BigEndian.AppendUint32(out, n)
	}
	return append(out, "03"+"01"+"9999999999999999"...) // hardware, firmware, time
}
