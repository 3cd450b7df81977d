package exchange

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestFileOfBases: what a good one says, with and without the mark that spreadsheets write.
func TestFileOfBases(t *testing.T) {
	for _, text := range []string{head + line, "\ufeff" + head + line, strings.ReplaceAll(head+line, "\n", "\r\n")} {
		f, err := ReadFile(strings.NewReader(text))
		if err != nil || len(f.Bases) != 1 {
			t.Fatalf("%q: %v", text, err)
		}
		b, sum := f.Bases[0], sha256.Sum256([]byte(text))
		if b.Name != "KODOMO-01" || b.Requester != ward || b.Provider != pension || b.Purpose != benefit || b.Item != item || b.PurposeName.In("en") != "Child allowance" ||
			b.ItemName.In("en") != "年金の加入状況" || b.Law != "番号法第19条第8号" || f.Digest != hex.EncodeToString(sum[:]) {
			t.Errorf("%+v", f)
		}
		if !b.From.Equal(time.Date(2026, 3, 31, 15, 0, 0, 0, time.UTC)) || !b.Until.Equal(time.Date(2027, 3, 31, 15, 0, 0, 0, time.UTC)) {
			t.Errorf("from %s until %s", b.From.UTC(), b.Until.UTC())
		}
	}
}

// TestFaultsOfAFileNameTheirLine, all of them up to twenty.
func TestFaultsOfAFileNameTheirLine(t *testing.T) {
	bend := func(old, with string) string { return strings.Replace(line, old, with, 1) }
	for _, tt := range []struct{ name, text, want string }{
		{"empty", "", "line 1: (header)"},
		{"other header", strings.Replace(head, "law", "act", 1) + line, "line 1: (header)"},
		{"no bases", head, "line 1: (file): has no basis"},
		{"a field too few", head + line + strings.Replace(line, ",,", ",", 1), "line 3: (line)"},
		{"a quote", head + bend("KODOMO-01", `KO"DOMO`), "line 2: (line)"},
		{"a quote that does not end", head + line + bend("KODOMO-01", `"KODOMO-02`), "line 3: (line)"},
		{"name", head + bend("KODOMO-01", "kodomo"), "line 2: basis"},
		{"no name", head + bend("KODOMO-01", ""), "line 2: basis"},
		{"check digit", head + bend(ward, "132994"), "line 2: requester: the check digit is wrong"},
		{"five digits", head + bend(ward, "13299"), "line 2: requester"},
		{"provider", head + bend(pension, "1"+pension[1:]), "line 2: provider"},
		{"asks itself", head + bend(pension, ward), "line 2: provider: is the requester itself"},
		{"purpose", head + bend(benefit, "JT1"), "line 2: purpose"},
		{"item", head + bend(item, benefit), "line 2: item"},
		{"no name of the item", head + bend("年金の加入状況", ""), "line 2: item_name: is empty"},
		{"a text that turns round", head + bend("児童", "児\u202e童"), "line 2: purpose_name"},
		{"two lines in a field", head + bend("児童手当の認定", "\"児童\n手当\""), "line 2: purpose_name"},
		{"long law", head + bend("番号法第19条第8号", strings.Repeat("法", 201)), "line 2: law"},
		{"no date", head + bend("2026-04-01", "2026/04/01"), "line 2: valid_from"},
		{"no day", head + bend("2026-04-01", "2026-02-30"), "line 2: valid_from"},
		{"over before", head + bend("2027-03-31", "2026-03-31"), "line 2: valid_until: is before valid_from"},
		{"twice", head + line + "\n" + line, "line 4: basis: stands in line 2 already"},
		{"too large", head + strings.Repeat(" ", MaxFile), "line 1: (file): is larger than 4 MiB"},
	} {
		_, err := ReadFile(strings.NewReader(tt.text))
		if _, ok := errors.AsType[*FileError](err); !ok || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %s", tt.name, err, tt.want)
		}
	}
	_, err := ReadFile(strings.NewReader(head + strings.Repeat(bend(ward, "1"), 30)))
	if e, ok := errors.AsType[*FileError](err); !ok || len(e.Faults) != 20 {
		t.Errorf("thirty bad lines: %v", err)
	}
	var many strings.Builder
	many.WriteString(head)
	for i := range maxBases + 1 {
		many.WriteString(bend("KODOMO-01", fmt.Sprintf("B-%d", i)))
	}
	if _, err := ReadFile(strings.NewReader(many.String()[:min(many.Len(), MaxFile)])); err == nil {
		t.Error("more than 20000 bases")
	}
}

func FuzzReadFile(f *testing.F) {
	f.Add(head + line)
	f.Add("\ufeff" + head + line + line)
	f.Add(head + strings.ReplaceAll(line, ",", `","`))
	f.Fuzz(func(t *testing.T, text string) {
		file, err := ReadFile(strings.NewReader(text))
		if err != nil {
			if e, ok := errors.AsType[*FileError](err); !ok || len(e.Faults) == 0 || len(e.Faults) > maxFaults {
				t.Fatalf("%v", err)
			}
			return
		}
		names := map[BasisName]bool{}
		for _, b := range file.Bases {
			if names[b.Name] || b.Requester == b.Provider || !b.Until.After(b.From) || b.Law == "" || b.ItemName.JA == "" {
				t.Fatalf("%+v", b)
			}
			names[b.Name] = true
		}
	})
}
