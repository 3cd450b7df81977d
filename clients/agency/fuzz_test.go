package agency

import (
	"encoding/json"
	"testing"

	"github.com/tsunagu-id/tsunagu/clients/rp"
)

// FuzzTyped: what is read of a field has one form only.
func FuzzTyped(f *testing.F) {
	for _, s := range []string{"1234-567890", "１２３４－５６７８９０", "1980年2月17日", "19800217", "1980/2/17", "2人", "-1", "9999-99-99", "\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if n, ok := parseNumber(s); ok && len(n) != 10 {
			t.Errorf("%q is number %q", s, n)
		}
		if d, ok := parseDate(s); ok {
			if again, ok := parseDate(string(d)); !ok || again != d || d.time().IsZero() {
				t.Errorf("%q is %q, then %q", s, d, again)
			}
		}
		if n, ok := parseCount(s, 20); ok && (n < 1 || n > 20) {
			t.Errorf("%q is %d persons", s, n)
		}
	})
}

// FuzzItemAnswer: what another office answers is taken for this question and complete, or for nothing.
func FuzzItemAnswer(f *testing.F) {
	f.Add(`{"exchange_id":"x","item":"TM00000000000041","result":"provided","as_of":"2026-11-01","content":{"category":2,"since":"2003-04-01"}}`)
	f.Add(`{"exchange_id":"x","item":"TM00000000000041","result":"none"}`)
	f.Add(`{"result":"provided"}`)
	i := &inquiry{item: testItem, exchange: "x"}
	f.Fuzz(func(t *testing.T, s string) {
		var a itemAnswer
		if json.Unmarshal([]byte(s), &a) != nil || a.check(i) != nil {
			return
		}
		if a.Item != testItem || a.Exchange != "x" || a.Result == provided && (a.Content == nil || !a.Content.good()) {
			t.Errorf("taken: %s", s)
		}
	})
}

// FuzzDetails: a token opens the one item that its details name, and no other.
func FuzzDetails(f *testing.F) {
	f.Add(`[{"type":"urn:tsunagu:exchange","basis":"B","purpose":"JT01010000000214","items":["TM00000000000041"],"requester":"132993"}]`)
	f.Add(`[{"type":"urn:tsunagu:exchange","items":["TM00000000000041","TM00000000000042"]}]`)
	f.Add(`[]`)
	f.Fuzz(func(t *testing.T, s string) {
		g := rp.Grant{Client: "city", Actor: "city", Exchange: "x", Details: json.RawMessage(s)}
		_, err := judge(g, testItem)
		if err != nil {
			return
		}
		if _, err := judge(g, "TM00000000000042"); err == nil {
			t.Errorf("opens two items: %s", s)
		}
		g.Actor = "somebody"
		if _, err := judge(g, testItem); err == nil {
			t.Errorf("acts for somebody else: %s", s)
		}
	})
}
