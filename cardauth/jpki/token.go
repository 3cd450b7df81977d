package jpki

import (
	"bytes"
	"context"
	"errors"
)

// Token is what kind of thing holds the keys.
type Token int

// The kinds of token.
const (
	UnknownToken Token = iota // it has the JPKI application, under a label we do not know
	PlasticCard               // a My Number Card
	Phone                     // a phone's secure element
)

// String returns the word that machine-readable output uses.
func (t Token) String() string {
	switch t {
	case UnknownToken:
		return "unknown"
	case PlasticCard:
		return "card"
	case Phone:
		return "phone"
	}
	return "unknown"
}

// labelLen is the length of a token's label in bytes, padded with spaces (PKCS #11 CK_TOKEN_INFO).
const labelLen = 32

// Token reads the token's label. It costs nothing and says nothing about the person.
func (c *Card) Token(ctx context.Context) (Token, error) {
	err := c.selectFile(ctx, fileTokenInfo)
	if absent, ok := errors.AsType[*Error](err); ok && absent.Reason == NoCertificate {
		return UnknownToken, nil
	}
	if err != nil {
		return UnknownToken, err
	}
	label, err := c.readBinary(ctx, 0, labelLen)
	if err != nil {
		return UnknownToken, err
	}
	switch string(bytes.TrimRight(label, " \x00")) {
	case "JPKIAPICCTOKEN", "JPKIAPICCTOKEN2":
		return PlasticCard, nil
	case "JPKIAPGPSETOKEN":
		return Phone, nil
	}
	return UnknownToken, nil
}

// HasSigningCertificate says whether there is a signature certificate. Only its holder can read it, behind the signing password.
func (c *Card) HasSigningCertificate(ctx context.Context) (bool, error) {
	err := c.selectFile(ctx, fileSignCertificate)
	if absent, ok := errors.AsType[*Error](err); ok && absent.Reason == NoCertificate {
		return false, nil
	}
	return err == nil, err
}
