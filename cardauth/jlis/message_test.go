package jlis

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

const (
	keyID = "00112233445566778899aabbccddeeff00112233"
	head  = `{"reference":"r","certificate":{"authority":"` + keyID + `","serial":"02000001"},"as_of":1000,`
)

var (
	asked = Certificate{keyID, 0x02000001}
	posed = question{"r", asked.wire()}
)

func predecessorsOf(body string) ([]Certificate, error) {
	a, err := parseAnswer([]byte(body), posed, time.Unix(1000, 0))
	if err != nil {
		return nil, err
	}
	return a.predecessors(asked)
}

func list(serials ...string) string {
	var out []string
	for _, s := range serials {
		out = append(out, `{"authority":"`+keyID+`","serial":"`+s+`"}`)
	}
	return head + `"result":"answered","predecessors":[` + strings.Join(out, ",") + `]}`
}

// TestAnswerMeansOneThingOnly: what two readers could understand differently, or no authority would write, is no answer.
func TestAnswerMeansOneThingOnly(t *testing.T) {
	if got, err := predecessorsOf(list("02000002", "02000003")); err != nil || len(got) != 2 || got[0].Serial != 0x02000002 {
		t.Fatalf("a good answer: %v, %v", got, err)
	}
	many := make([]string, MaxPredecessors+1)
	for i := range many {
		many[i] = fmt.Sprintf("%08x", 0x03000000+i)
	}
	for name, body := range map[string]string{
		"empty":                   "",
		"list of nobody":          list(),
		"too many":                list(many...),
		"the asked one":           list("02000001"),
		"one twice":               list("02000002", "02000002"),
		"serial in capitals":      list("0200000A"),
		"serial short":            list("2000002"),
		"serial zero":             list("00000000"),
		"authority in capitals":   strings.Replace(list("02000002"), `[{"authority":"`+keyID, `[{"authority":"`+strings.ToUpper(keyID), 1),
		"member twice":            strings.Replace(list("02000002"), `"result"`, `"result":"none","result"`, 1),
		"member in other letters": strings.Replace(list("02000002"), `"result"`, `"Result"`, 1),
		"member unknown":          strings.Replace(list("02000002"), `"result"`, `"more":1,"result"`, 1),
		"member twice inside":     strings.Replace(list("02000002"), `{"authority"`, `{"serial":"02000009","authority"`, 2),
		"null":                    head + `"result":"answered","predecessors":null}`,
		"something after":         list("02000002") + "{}",
		"not UTF-8":               list("02000002")[:20] + "\xff" + list("02000002")[20:],
		"result unknown":          head + `"result":"yes"}`,
		"no result":               head + `"predecessors":[]}`,
		"deep":                    head + `"result":"answered","predecessors":[[[[[]]]]]}`,
		"of the future":           strings.Replace(list("02000002"), "1000", "2000", 1),
	} {
		if got, err := predecessorsOf(body); !Is(err, Untrusted) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	if _, err := predecessorsOf(head + `"result":"none"}`); !Is(err, None) {
		t.Errorf("none: %v", err)
	}
	for name, body := range map[string]string{
		"none":       head + `"result":"answered"}`,
		"name empty": head + `"result":"answered","attributes":{"name":"","address":"x","birthdate":"319800217","sex":"1"}}`,
		"name long":  head + `"result":"answered","attributes":{"name":"` + strings.Repeat("x", maxName+1) + `","address":"x","birthdate":"319800217","sex":"1"}}`,
		"birth":      head + `"result":"answered","attributes":{"name":"x","address":"x","birthdate":"1980-02-17","sex":"1"}}`,
		"sex":        head + `"result":"answered","attributes":{"name":"x","address":"x","birthdate":"319800217","sex":"m"}}`,
	} {
		a, err := parseAnswer([]byte(body), posed, time.Unix(1000, 0))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if _, err := a.identity(); !Is(err, Untrusted) {
			t.Errorf("attributes, %s: %v", name, err)
		}
	}
	for name, body := range map[string]string{
		"none":          head + `"result":"answered"}`,
		"the asked one": head + `"result":"answered","linked":{"authority":"` + keyID + `","serial":"02000001"}}`,
	} {
		a, err := parseAnswer([]byte(body), posed, time.Unix(1000, 0))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got, err := a.linked(asked); !Is(err, Untrusted) {
			t.Errorf("linked, %s: %v, %v", name, got, err)
		}
	}
	for name, body := range map[string]string{
		"no standing":       head + `"result":"answered"}`,
		"reason of a good":  head + `"result":"answered","standing":"good","reason":1}`,
		"reason impossible": head + `"result":"answered","standing":"revoked","reason":11}`,
	} {
		a, err := parseAnswer([]byte(body), posed, time.Unix(1000, 0))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if _, err := a.status(); !Is(err, Untrusted) {
			t.Errorf("status, %s: %v", name, err)
		}
	}
}

// FuzzAnswer: whatever comes, an accepted list is of distinct, well-formed certificates, and an error is one of ours.
func FuzzAnswer(f *testing.F) {
	f.Add(list("02000002"))
	f.Add(head + `"result":"none"}`)
	f.Add(head + `"result":"answered","standing":"revoked","reason":4}`)
	f.Add(head + `"result":"answered","attributes":{"name":"x","address":"x","birthdate":"319800217","sex":"1"}}`)
	f.Add(head + `"result":"answered","linked":{"authority":"` + keyID + `","serial":"02000007"}}`)
	f.Fuzz(func(t *testing.T, body string) {
		a, err := parseAnswer([]byte(body), posed, time.Unix(1000, 0))
		if err != nil {
			if Is(err, Unavailable) || Is(err, Refused) || !Is(err, None) && !Is(err, Untrusted) {
				t.Fatalf("error %v", err)
			}
			return
		}
		if a.Reference != "r" || a.Certificate != asked.wire() {
			t.Fatal("answer to another question accepted")
		}
		got, err := a.predecessors(asked)
		if err == nil {
			seen := map[Certificate]bool{asked: true}
			for _, c := range got {
				if again, err := ParseCertificate(c.Authority, c.serial()); err != nil || again != c || seen[c] {
					t.Fatalf("list %v", got)
				}
				seen[c] = true
			}
		}
		_, _ = a.status()
		_, _ = a.linked(asked)
		if id, err := a.identity(); err == nil && (id.Name == "" || len(id.Name) > maxName) {
			t.Fatalf("identity %+v", id)
		}
	})
}
