package jpki

import (
	"context"
	"crypto/sha256"
)

// signatureLen is the length of an RSA-2048 signature in bytes.
const signatureLen = 256

// SignAuth signs a SHA-256 digest with the user-authentication key, after
// Unlock. The card pads (RFC 8017 §9.2) and computes; the DigestInfo is ours.
// The answer is not checked against the certificate: whoever asked for the
// signature has to verify it anyway.
func (c *Card) SignAuth(ctx context.Context, digest [sha256.Size]byte) ([]byte, error) {
	return c.sign(ctx, fileAuthKey, digest)
}

func (c *Card) sign(ctx context.Context, key uint16, digest [sha256.Size]byte) ([]byte, error) {
	if err := c.selectFile(ctx, key); err != nil {
		return nil, err
	}
	// COMPUTE DIGITAL SIGNATURE of this card: class 80, the key is the current file.
	command := append([]byte{0x80, 0x2A, 0x00, 0x80, 19 + sha256.Size},
		0x30, 0x31, 0x30, 0x0D, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20)
	command = append(command, digest[:]...)
	a, err := c.ask(ctx, append(command, 0x00))
	switch {
	case err != nil:
		return nil, err
	case a.sw == swSecurity:
		return nil, &Error{Reason: PINRequired, SW: a.sw}
	case a.sw != swOK:
		return nil, &Error{Reason: CardFault, SW: a.sw, Detail: "compute signature"}
	case len(a.data) != signatureLen:
		return nil, &Error{Reason: CardFault, Detail: "signature has the wrong length"}
	}
	return a.data, nil
}

// SignDocument signs a SHA-256 digest with the signature key, after
// UnlockSigning. Several signatures may follow one password.
func (c *Card) SignDocument(ctx context.Context, digest [sha256.Size]byte) ([]byte, error) {
	return c.sign(ctx, fileSignKey, digest)
}
