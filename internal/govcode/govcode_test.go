package govcode_test

import (
	"errors"
	"testing"

	"github.com/tsunagu-id/tsunagu/internal/govcode"
)

// The published codes of known places.
func TestMunicipalityCheckDigit(t *testing.T) {
	for five, six := range map[string]string{
		"01100": "011002", "13101": "131016", "13104": "131041", "13113": "131130", "13221": "132217", "14104": "141046", "27100": "271004", "47201": "472018",
	} {
		m, err := govcode.MunicipalityOfCard(five)
		if err != nil || m.String() != six || m.Card() != five || m.Prefecture() != five[:2] {
			t.Errorf("%s: %s, %v", five, m, err)
		}
		if _, err := govcode.ParseMunicipality(six); err != nil {
			t.Errorf("%s: %v", six, err)
		}
		for d := byte('0'); d <= '9'; d++ {
			if wrong := six[:5] + string(d); wrong != six {
				if _, err := govcode.ParseMunicipality(wrong); !errors.Is(err, govcode.ErrCheckDigit) {
					t.Errorf("%s: %v", wrong, err)
				}
			}
		}
	}
}

// The number of the National Tax Agency and that of the Digital Agency.
func TestCorporationCheckDigit(t *testing.T) {
	for _, s := range []string{"7000012050002", "8000012010038"} {
		if _, err := govcode.ParseCorporation(s); err != nil {
			t.Errorf("%s: %v", s, err)
		}
		if _, err := govcode.ParseCorporation("1" + s[1:]); !errors.Is(err, govcode.ErrCheckDigit) {
			t.Errorf("1%s: %v", s[1:], err)
		}
	}
}

func TestMunicipalityKinds(t *testing.T) {
	for five, want := range map[string]govcode.MunicipalityKind{
		"13000": govcode.Prefecture, "01100": govcode.Designated, "13101": govcode.Designated, "47201": govcode.City, "01303": govcode.TownVillage, "13813": govcode.Association,
	} {
		m, err := govcode.MunicipalityOfCard(five)
		if err != nil || m.Kind() != want {
			t.Errorf("%s: %v, %v", five, m.Kind(), err)
		}
	}
}

func TestOneSpellingOfEachCode(t *testing.T) {
	for _, s := range []string{"", "13104", "1310411", "001002", "481009", "13l041", "１３１０４１", " 131041", "131041\n", "-13104", "7000012050002 "} {
		if b, err := govcode.ParseBody(s); err == nil {
			t.Errorf("body %q is %s", s, b)
		}
	}
	for _, s := range []string{"", "TM", "tm00000000000001", "TM0000000000001", "TM000000000000011", "TM0000000000000x", "JT00000000000001", "TM００００"} {
		if i, err := govcode.ParseItem(s); err == nil {
			t.Errorf("item %q is %s", s, i)
		}
	}
	for _, s := range []string{"", "TM00000000000001", "jt01010000000214", "JT0101000000021"} {
		if p, err := govcode.ParseProcedure(s); err == nil {
			t.Errorf("procedure %q is %s", s, p)
		}
	}
	if p, err := govcode.ParseProcedure("JT01010000000214"); err != nil || p != "JT01010000000214" {
		t.Error(p, err)
	}
}

// What is read is written back the same, byte for byte, and a wrong digit in any place is noticed.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"131041", "13104", "7000012050002", "TM00000000000001", "JT01010000000214", "", "１３"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if b, err := govcode.ParseBody(s); err == nil && (b.String() != s || len(s) != 6 && len(s) != 13) {
			t.Errorf("body %q from %q", b, s)
		}
		if m, err := govcode.ParseMunicipality(s); err == nil {
			if again, err := govcode.MunicipalityOfCard(m.Card()); err != nil || again != m || m.Kind() == 0 {
				t.Errorf("%q: %q, %v", s, again, err)
			}
		}
		if i, err := govcode.ParseItem(s); err == nil && i.String() != s {
			t.Errorf("item %q from %q", i, s)
		}
		if p, err := govcode.ParseProcedure(s); err == nil && p.String() != s {
			t.Errorf("procedure %q from %q", p, s)
		}
	})
}
