package idp

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

var today = time.Date(2026, 11, 23, 5, 0, 0, 0, time.UTC)

func ruleOf(t testing.TB, name attribute) attributeRule {
	t.Helper()
	for _, r := range attributeRules() {
		if r.name == name {
			return r
		}
	}
	t.Fatalf("no rule for %s", name)
	return attributeRule{}
}

// TestAttributesTakeWhatPeopleWrite: full-width letters, domestic telephone numbers and Japanese dates become what OIDC Core §5.1 wants.
func TestAttributesTakeWhatPeopleWrite(t *testing.T) {
	for _, c := range []struct {
		name attribute
		in   string
		want string
	}{
		{attrName, "  山田　太郎 ", "山田 太郎"},
		{attrName, "葛\U000e0100城", "葛\U000e0100城"}, // which of two forms of the character
		{attrName, "O'Brien-Ōtsuka", "O'Brien-Ōtsuka"},
		{attrNickname, "", ""},
		{attrNickname, "   ", ""},
		{attrEmail, "taro@example.jp", "taro@example.jp"},
		{attrEmail, "ｔａｒｏ＠example.jp", "taro@example.jp"},
		{attrEmail, "a..b.@docomo.example", "a..b.@docomo.example"},
		{attrPhone, "090-1234-5678", "+819012345678"},
		{attrPhone, "０３（１２３４）５６７８", "+81312345678"},
		{attrPhone, "+44 20 7946 0958", "+442079460958"},
		{attrPhone, "０９０ー１２３４ー５６７８", "+819012345678"},
		{attrBirthdate, "1990-05-17", "1990-05-17"},
		{attrBirthdate, "1990/5/7", "1990-05-07"},
		{attrBirthdate, "１９９０年５月１７日", "1990-05-17"},
		{attrBirthdate, "1990", "1990"},
		{attrBirthdate, "2024-02-29", "2024-02-29"},
		{attrBirthdate, "2026-11-23", "2026-11-23"},
		{attrGender, "other", "other"},
		{attrZone, "Asia/Tokyo", "Asia/Tokyo"},
		{attrZone, "America/Argentina/Buenos_Aires", "America/Argentina/Buenos_Aires"},
		{attrLocale, "ja", "ja"},
		{attrLocale, "ja_JP", "ja-JP"},
		{attrLocale, "EN-us", "en-US"},
		{attrWebsite, "https://taro.example/a?b=c#d", "https://taro.example/a?b=c#d"},
		{attrPostalCode, "〒１００ー０００１", "100-0001"},
		{attrPostalCode, "1000001", "100-0001"},
		{attrPostalCode, "SW1A 1AA", "SW1A 1AA"},
		{attrStreet, "千代田1-1", "千代田1-1"},
	} {
		if got, wrong := parseAttribute(ruleOf(t, c.name), c.in, today); got != c.want || wrong != "" {
			t.Errorf("%s %q: %q, %s; want %q", c.name, c.in, got, wrong, c.want)
		}
	}
}

func TestAttributesRefuseWhatCannotBe(t *testing.T) {
	for _, c := range []struct {
		name attribute
		in   string
		want problem
	}{
		{attrName, strings.Repeat("山", maxNameText+1), problemLong},
		{attrName, strings.Repeat("a", 2000), problemLong},
		{attrName, "\xff", problemLong},
		{attrName, "a\x00b", problemPlain},
		{attrName, "a\nb", problemPlain},
		{attrName, "taro\u202egpj", problemPlain},
		{attrName, "a\u200bb", problemPlain},
		{attrName, "\u3164", problemPlain},
		{attrEmail, "taro", problemEmail},
		{attrEmail, "taro@localhost", problemEmail},
		{attrEmail, "Taro <taro@example.jp>", problemEmail},
		{attrEmail, `"a b"@example.jp`, problemEmail},
		{attrEmail, "a@-b.example", problemEmail},
		{attrEmail, "a@b.example\r\nBcc: c@d.example", problemEmail},
		{attrEmail, strings.Repeat("a", 65) + "@example.jp", problemEmail},
		{attrEmail, "a@" + strings.Repeat("b.", 130) + "jp", problemLong},
		{attrPhone, "12345", problemPhone},
		{attrPhone, "00447700900000", problemPhone},
		{attrPhone, "+0123456789", problemPhone},
		{attrPhone, "+1234567890123456", problemPhone},
		{attrPhone, "090-1234-567a", problemPhone},
		{attrBirthdate, "1990-02-30", problemDate},
		{attrBirthdate, "2026-11-24", problemDate},
		{attrBirthdate, "2027", problemDate},
		{attrBirthdate, "1869-12-31", problemDate},
		{attrBirthdate, "17.05.1990", problemDate},
		{attrBirthdate, "0000-05-17", problemDate},
		{attrGender, "f", problemGender},
		{attrZone, "Local", problemZone},
		{attrZone, "JST", problemZone},
		{attrZone, "../../etc/passwd", problemZone},
		{attrZone, "/etc/localtime", problemZone},
		{attrZone, "Asia/Nowhere", problemZone},
		{attrLocale, "日本語", problemLocale},
		{attrLocale, "und", problemLocale},
		{attrLocale, strings.Repeat("a-", 30), problemLocale},
		{attrWebsite, "http://taro.example/", problemURL},
		{attrWebsite, "javascript:alert(1)", problemURL},
		{attrWebsite, "https://user:pass@taro.example/", problemURL},
		{attrWebsite, "https://intranet/", problemURL},
		{attrWebsite, "https://taro.example/a b", problemURL},
		{attrWebsite, "https:taro.example", problemURL},
		{attrPicture, "https://" + strings.Repeat("a", 200) + ".example", problemLong},
		{attrStreet, strings.Repeat("1", maxPlaceText+1), problemLong},
	} {
		if got, wrong := parseAttribute(ruleOf(t, c.name), c.in, today); got != "" || wrong != c.want {
			t.Errorf("%s %q: %q, %q; want %s", c.name, c.in, got, wrong, c.want)
		}
	}
}

// FuzzAttribute: what is kept is short, can be read, and is kept as it is when it is written again.
func FuzzAttribute(f *testing.F) {
	rules := attributeRules()
	for i := range rules {
		for _, s := range []string{"山田 太郎", "taro@example.jp", "090-1234-5678", "1990年5月7日", "Asia/Tokyo", "ja_JP", "https://taro.example/", "〒100ー0001", "other"} {
			f.Add(uint8(i), s)
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, s string) {
		r := rules[int(which)%len(rules)]
		value, wrong := parseAttribute(r, s, today)
		if wrong != "" {
			if value != "" {
				t.Fatalf("%s %q: both a value and a problem", r.name, s)
			}
			return
		}
		if len(value) > 4*maxEmail || strings.ContainsAny(value, "\r\n\x00") || strings.TrimSpace(value) != value {
			t.Fatalf("%s %q is kept as %q", r.name, s, value)
		}
		if again, wrong := parseAttribute(r, value, today); again != value || wrong != "" {
			t.Fatalf("%s %q became %q, and that %q, %s", r.name, s, value, again, wrong)
		}
	})
}

// full is a citizen who filled in everything.
func full() statement {
	s := statement{changed: today.Unix(), values: map[attribute]string{
		attrName: "山田 太郎", attrFamilyName: "山田", attrGivenName: "太郎", attrMiddleName: "ジョン", attrNickname: "たろう", attrUsername: "taro",
		attrGender: "male", attrBirthdate: "1990-05-17", attrZone: "Asia/Tokyo", attrLocale: "ja-JP", attrProfile: "https://taro.example/me",
		attrPicture: "https://taro.example/me.png", attrWebsite: "https://taro.example/", attrEmail: "taro@example.jp", attrPhone: "+819012345678",
		attrPostalCode: "100-0001", attrRegion: "東京都", attrLocality: "千代田区", attrStreet: "千代田1-1", attrCountry: "日本",
	}}
	return s
}

// TestClaimsHaveTheTypesOfTheStandard: OIDC Core §5.1; what the official suite's conditions ValidateUserInfoStandardClaims and
// VerifyScopesReturnedInUserInfoClaims ask, for a citizen who filled in everything (oidcc-scope-all).
func TestClaimsHaveTheTypesOfTheStandard(t *testing.T) {
	if len(full().values) != len(attributeRules()) {
		t.Fatal("not everything is filled in")
	}
	b, err := json.Marshal(full().claims())
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	if names := slices.Sorted(maps.Keys(got)); !slices.Equal(names, personalClaims()) {
		t.Errorf("claims %v, want %v", names, personalClaims())
	}
	for name, value := range got {
		switch name {
		case "email_verified", "phone_number_verified":
			if value != false {
				t.Errorf("%s is %v: nobody checked it", name, value)
			}
		case "updated_at":
			if value != float64(today.Unix()) {
				t.Errorf("updated_at is %v", value)
			}
		case "address":
			address, _ := value.(map[string]any)
			if names := slices.Sorted(maps.Keys(address)); !slices.Equal(names, []string{"country", "formatted", "locality", "postal_code", "region", "street_address"}) {
				t.Errorf("address has %v", names)
			}
			if address["formatted"] != "〒100-0001\n東京都千代田区千代田1-1\n日本" {
				t.Errorf("formatted %q", address["formatted"])
			}
		default:
			if s, ok := value.(string); !ok || s == "" {
				t.Errorf("%s is %v", name, value)
			}
		}
	}
}

// TestClaimsWithoutValueAreLeftOut: OIDC Core §5.3.2; nothing is said of what was not written, not even that it was not checked.
func TestClaimsWithoutValueAreLeftOut(t *testing.T) {
	if got := (statement{changed: 5}).claims(); len(got) != 0 {
		t.Errorf("of nothing: %v", got)
	}
	got := statement{values: map[attribute]string{attrStreet: "Main Street 1", attrLocality: "Springfield", attrRegion: "IL", attrPostalCode: "62701", attrCountry: "USA"}, changed: 5}.claims()
	address, _ := got["address"].(map[string]string)
	if len(got) != 2 || got["updated_at"] != int64(5) || address["formatted"] != "Main Street 1\nSpringfield, IL 62701\nUSA" {
		t.Errorf("of an address: %v", got)
	}
	got = statement{values: map[attribute]string{attrLocality: "千代田区"}}.claims()
	if address, _ := got["address"].(map[string]string); len(address) != 2 || address["formatted"] != "千代田区" {
		t.Errorf("of a city: %v", got)
	}
}

// TestEveryClaimHasOneScope: what consent is asked for is what hands the claim out (OIDC Core §5.4).
func TestEveryClaimHasOneScope(t *testing.T) {
	for _, r := range attributeRules() {
		claim, _, _ := strings.Cut(string(r.name), ".")
		if scopeOfClaim(claim) != r.scope {
			t.Errorf("%s is handed out by %q, and written under %q", r.name, scopeOfClaim(claim), r.scope)
		}
	}
	for _, claim := range []string{"sub", "acr", "name#ja", "Name", "", "verified_claims"} {
		if scope := scopeOfClaim(claim); scope != "" {
			t.Errorf("%q is handed out by %s", claim, scope)
		}
	}
}

// TestAskedValues: OIDC Core §5.5.1: a claim that was asked for with certain values is given with one of them or not at all.
func TestAskedValues(t *testing.T) {
	raw := func(s string) json.RawMessage { return json.RawMessage(s) }
	for _, c := range []struct {
		name string
		ask  *claimAsk
		have any
		want bool
	}{
		{"null", nil, "x", true},
		{"no value", &claimAsk{Essential: true}, "x", true},
		{"value", &claimAsk{Value: raw(`"\u0078"`)}, "x", true},
		{"other value", &claimAsk{Value: raw(`"y"`)}, "x", false},
		{"other type", &claimAsk{Value: raw(`"false"`)}, false, false},
		{"boolean", &claimAsk{Value: raw(`true`)}, false, false},
		{"values", &claimAsk{Values: []json.RawMessage{raw(`1`), raw(`"x"`)}}, "x", true},
		{"values without it", &claimAsk{Values: []json.RawMessage{raw(`1`)}}, "x", false},
		{"object", &claimAsk{Value: raw(`{"b": "2", "a":"1"}`)}, map[string]string{"a": "1", "b": "2"}, true},
		{"broken", &claimAsk{Value: raw(`{`)}, "x", false},
	} {
		if got := c.ask.accepts(c.have); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}
