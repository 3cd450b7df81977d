package jpki

import (
	"context"
	"errors"
)

const (
	headerLen      = 4       // 30 82 hh ll: every certificate is longer than 255 and shorter than 65536 bytes
	maxCertificate = 8 << 10 // real ones are 1586 bytes
	maxChunk       = 256     // the most a short Le can ask for
	maxReads       = 64
)

// AuthCertificate reads the user-authentication certificate, DER. The file may
// be longer than the certificate; what follows it is left unread. A phone
// token answers PINRequired until Unlock succeeded.
func (c *Card) AuthCertificate(ctx context.Context) ([]byte, error) {
	return c.certificate(ctx, fileAuthCertificate)
}

// SigningCertificate reads the signature certificate, DER. It names the
// holder, and every card answers PINRequired until UnlockSigning succeeded.
func (c *Card) SigningCertificate(ctx context.Context) ([]byte, error) {
	der, err := c.certificate(ctx, fileSignCertificate)
	return der, ofSigning(err)
}

// ofSigning gives the absence of a file its name where the file belongs to signatures.
func ofSigning(err error) error {
	if absent, ok := errors.AsType[*Error](err); ok && absent.Reason == NoCertificate {
		return &Error{Reason: NoSigningCertificate, SW: absent.SW, Detail: absent.Detail, Err: absent.Err}
	}
	return err
}

func (c *Card) certificate(ctx context.Context, id uint16) ([]byte, error) {
	if err := c.selectFile(ctx, id); err != nil {
		return nil, err
	}
	head, err := c.readBinary(ctx, 0, headerLen)
	if err != nil {
		return nil, err
	}
	if len(head) < headerLen || head[0] != 0x30 || head[1] != 0x82 {
		return nil, &Error{Reason: NoCertificate, Detail: "file holds no certificate"}
	}
	total := int(head[2])<<8 | int(head[3]) + headerLen
	if total > maxCertificate {
		return nil, &Error{Reason: CardFault, Detail: "certificate too long"}
	}
	der := make([]byte, 0, total)
	for range maxReads {
		part, err := c.readBinary(ctx, len(der), min(total-len(der), maxChunk))
		if err != nil {
			return nil, err
		}
		if der = append(der, part...); len(der) == total {
			return der, nil
		}
	}
	return nil, &Error{Reason: CardFault, Detail: "certificate does not end"}
}

// readBinary reads up to n bytes of the current file, at least one.
func (c *Card) readBinary(ctx context.Context, offset, n int) ([]byte, error) {
	// A length of 256 is sent as 00; the offset has 15 bits.
	a, err := c.ask(ctx, []byte{0x00, 0xB0, byte(offset >> 8 & 0x7F), byte(offset & 0xFF), byte(n & 0xFF)})
	switch {
	case err != nil:
		return nil, err
	case a.sw == swSecurity:
		return nil, &Error{Reason: PINRequired, SW: a.sw}
	case a.sw == swOutsideFile && offset == 0:
		return nil, &Error{Reason: NoCertificate, SW: a.sw, Detail: "file is empty"}
	case a.sw != swOK && a.sw != swEndOfFile:
		return nil, &Error{Reason: CardFault, SW: a.sw, Detail: "read binary"}
	case len(a.data) == 0 || len(a.data) > n:
		return nil, &Error{Reason: CardFault, SW: a.sw, Detail: "read binary: wrong length"}
	}
	return a.data, nil
}
