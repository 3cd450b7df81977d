package idp

import (
	"crypto/rand"
	"fmt"
	"math/big"
	"strings"
)

// inviteCode is what a citizen hands to whom she names as her representative: twelve letters of those of a device's code, 51 bits. It is tried
// by people who signed in with a card, and their tries are counted.
type inviteCode string

const inviteCodeLength = 12

func newInviteCode() inviteCode { return inviteCode(drawLetters(inviteCodeLength)) }

// String is the code as pages show it, in three groups.
func (c inviteCode) String() string {
	return strings.Join([]string{string(c[:4]), string(c[4:8]), string(c[8:])}, "-")
}

// parseInviteCode reads what somebody typed, as forgiving as parseUserCode.
func parseInviteCode(typed string) (inviteCode, bool) {
	out, ok := readLetters(typed, inviteCodeLength)
	return inviteCode(out), ok && len(out) == inviteCodeLength
}

// newMatchNumber is what a representative reads out: four digits. Three wrong ones end the mandate.
func newMatchNumber() (string, error) {
	n, err := rand.Int(rand.Reader, big.NewInt(10_000))
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%04d", n), nil
}

// parseMatchNumber reads four digits, full-width ones and what stands between them forgiven.
func parseMatchNumber(typed string) (string, bool) {
	if len(typed) > maxUserCodeText {
		return "", false
	}
	var out strings.Builder
	for _, r := range typed {
		if r >= '０' && r <= '９' {
			r -= '０' - '0'
		}
		switch {
		case ignorable(r):
		case r >= '0' && r <= '9':
			out.WriteRune(r)
		default:
			return "", false
		}
	}
	return out.String(), out.Len() == 4
}
