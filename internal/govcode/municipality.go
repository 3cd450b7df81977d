package govcode

import "errors"

// Municipality is a code of 全国地方公共団体コード: two digits of the prefecture (JIS X 0401), three of the municipality (JIS X 0402) and a
// check digit. The zero value is unusable.
type Municipality string

// MunicipalityKind says what a code stands for, by the range of its three middle digits (JIS X 0402).
type MunicipalityKind int

// The kinds.
const (
	_           MunicipalityKind = iota
	Prefecture                   // 000
	Designated                   // 100–199: designated cities and their wards, Tokyo's special wards
	City                         // 200–299
	TownVillage                  // 300–799, by district
	Association                  // 800–999: several municipalities that do something together
)

// Faults of a code.
var (
	ErrNotMunicipality = errors.New("govcode: a municipality is five digits and a check digit, of prefecture 01 to 47")
	ErrCheckDigit      = errors.New("govcode: the check digit is wrong")
)

// ParseMunicipality reads the six digits.
func ParseMunicipality(s string) (Municipality, error) {
	if len(s) != 6 {
		return "", ErrNotMunicipality
	}
	m, err := MunicipalityOfCard(s[:5])
	if err != nil || !digits(s) {
		return "", ErrNotMunicipality
	}
	if string(m) != s {
		return "", ErrCheckDigit
	}
	return m, nil
}

// MunicipalityOfCard reads the form without check digit, which cards and certificates carry.
func MunicipalityOfCard(five string) (Municipality, error) {
	if len(five) != 5 || !digits(five) || five[:2] < "01" || five[:2] > "47" {
		return "", ErrNotMunicipality
	}
	sum := 0
	for i := range five {
		sum += int(five[i]-'0') * (6 - i) // weights 6, 5, 4, 3, 2
	}
	return Municipality(five + string(rune('0'+(11-sum%11)%10))), nil
}

// String returns the six digits.
func (m Municipality) String() string { return string(m) }

// Card returns the five digits without the check digit.
func (m Municipality) Card() string { return string(m[:5]) }

// Prefecture returns the two digits of the prefecture.
func (m Municipality) Prefecture() string { return string(m[:2]) }

// Kind returns what the code stands for.
func (m Municipality) Kind() MunicipalityKind {
	switch local := string(m[2:5]); {
	case local == "000":
		return Prefecture
	case local < "200":
		return Designated
	case local < "300":
		return City
	case local < "800":
		return TownVillage
	}
	return Association
}

func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}
