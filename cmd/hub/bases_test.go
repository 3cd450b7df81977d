package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/federation/exchange"
	"github.com/tsunagu-id/tsunagu/idp/hub"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
)

const basesFile = "basis,requester,purpose,purpose_name,purpose_name_en,provider,item,item_name,item_name_en,valid_from,valid_until,law\n" +
	"KODOMO-01,132993,JT01010000000214,児童手当の認定,,4000012990001,TM00000000000046,年金の加入状況,,2024-04-01,2090-03-31,番号法第19条第8号\n"

// TestBasesByCommand: what an operator types, and what she is told.
func TestBasesByCommand(t *testing.T) {
	c := testConfig(t)
	dir := filepath.Dir(c.SealFile)
	good, bad := filepath.Join(dir, "good.csv"), filepath.Join(dir, "bad.csv")
	for path, text := range map[string]string{good: basesFile, bad: strings.Replace(basesFile, "132993", "132994", 1)} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		name    string
		command basesCommand
		fails   string // part of the message; empty: it does not
	}{
		{"a bad file", basesCommand{file: bad, as: "sato"}, "nothing was stored\nline 2: requester: the check digit is wrong"},
		{"nobody", basesCommand{file: good}, "a name is 2 to 64"},
		{"no file", basesCommand{file: filepath.Join(dir, "none.csv"), as: "sato"}, "no such file"},
		{"two at once", basesCommand{file: good, list: true, as: "sato"}, "at a time"},
		{"a good file", basesCommand{file: good, as: "sato"}, ""},
		{"oneself", basesCommand{version: 1, as: "sato"}, "sato proposed the set"},
		{"no date", basesCommand{version: 1, as: "tanaka", from: "tomorrow"}, "-from: a date is YYYY-MM-DD"},
		{"over", basesCommand{version: 1, as: "tanaka", from: "2020-01-01", until: "2020-12-31"}, "period"},
		{"another person", basesCommand{version: 1, as: "tanaka", from: time.Now().UTC().Format(time.DateOnly), until: time.Now().UTC().AddDate(0, 1, 0).Format(time.DateOnly)}, ""},
		{"again", basesCommand{version: 1, as: "suzuki"}, "was approved by tanaka"},
		{"another set", basesCommand{version: 2, as: "suzuki"}, "no set has version 2"},
		{"a list", basesCommand{list: true}, ""},
	} {
		err := tt.command.run(t.Context(), c)
		if (err == nil) != (tt.fails == "") || err != nil && !strings.Contains(err.Error(), tt.fails) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	dsn, err := c.dsn()
	if err != nil {
		t.Fatal(err)
	}
	db, err := sqldb.Open(context.WithoutCancel(t.Context()), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	bases, err := hub.Bases(t.Context(), db, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	sets, err := bases.Sets(t.Context())
	if err != nil || len(sets) != 1 || sets[0].ProposedBy != "sato" || sets[0].ApprovedBy != "tanaka" {
		t.Fatalf("%+v, %v", sets, err)
	}
	for s, want := range map[string]bool{hub.SetSummary(sets[0]): true, hub.SetSummary(exchange.Set{Version: 3, Bases: 2}): false} {
		if strings.Contains(s, "approved by tanaka, in force from") != want || strings.Contains(s, "not approved") == want {
			t.Error(s)
		}
	}
}
