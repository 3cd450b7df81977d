package archtest

import (
	"path"
	"regexp"
	"strings"
	"testing"
)

// arrows lists, for each folder, the folders it may import; the longest entry
// that is a prefix of a package's path speaks for it. Programs may import all.
var arrows = map[string][]string{
	"keys":                    {"internal"},
	"clients":                 {"keys", "internal"},
	"clients/rp":              {"internal"},
	"clients/adminapi":        {}, // types on the wire
	"clients/console":         {"clients/console", "clients/adminapi", "clients/rp", "internal"},
	"clients/careless":        {"clients/rp", "internal"},
	"clients/rp/program":      {"clients/rp", "internal"},
	"clients/portal":          {"clients/portal", "clients/rp", "internal"},
	"clients/etax":            {"clients/etax", "clients/rp", "internal"},
	"clients/agency":          {"clients/agency", "clients/rp", "internal"},
	"clients/postbox":         {"clients/postbox", "clients/rp", "internal"},
	"cardauth":                {"cardauth/ades", "cardauth/jlis", "keys", "internal"},
	"cardauth/ades":           {},
	"cardauth/jlis":           {"internal"},
	"cardauth/jpki":           {"internal"},
	"cardauth/pcsc":           {"cardauth/jpki", "internal"},
	"cardauth/cardtest":       {"cardauth", "cardauth/jpki", "keys", "internal"},
	"cardauth/agent":          {"cardauth", "cardauth/ades", "cardauth/jpki", "keys", "internal"},
	"cardauth/agent/doctor":   {"cardauth/agent", "cardauth/jpki", "internal"},
	"cardauth/agent/pinentry": {"cardauth/agent", "cardauth/jpki", "internal"},
	// The demo's reader: the card app on one side, made-up cards on the other.
	"cardauth/agent/drawer": {"cardauth/agent", "cardauth/cardtest", "cardauth/jpki", "internal"},
	"federation":            {"clients", "keys", "internal"},
	"federation/exchange":   {"federation", "clients", "keys", "internal"},
	// What WebAuthn says of authenticators, and one in software for tests.
	"idp/passkey":             {},
	"idp/passkey/passkeytest": {},
	// What requests look like, for a day.
	"idp/shapes": {"clients", "internal"},
	"idp":        {"idp/passkey", "idp/shapes", "federation", "federation/exchange", "clients", "cardauth", "cardauth/ades", "cardauth/jlis", "keys", "internal"},
	// The administration API: below it are all subjects, above it only what puts a hub together.
	"idp/admin":           {"clients/adminapi", "idp", "idp/preflight", "federation", "federation/exchange", "clients", "cardauth", "keys", "internal"},
	"idp/admin/admintest": {"clients/adminapi", "idp/admin", "idp/idptest", "clients", "internal"},
	"idp/preflight":       {"clients/adminapi", "idp", "federation", "clients", "keys", "internal"},
	"idp/hub":             {"clients/adminapi", "idp/admin", "idp/preflight", "idp/shapes", "idp", "federation", "federation/exchange", "clients", "cardauth", "cardauth/jlis", "keys", "internal"},
	// A complete hub with a citizen and a card, for tests of relying parties.
	"idp/idptest":       {"idp", "idp/hub", "idp/passkey/passkeytest", "federation", "clients", "cardauth", "cardauth/agent", "cardauth/agent/drawer", "cardauth/cardtest", "cardauth/jlis", "cardauth/jpki", "keys", "internal"},
	"internal":          {"internal"},
	"internal/archtest": {},
	"internal/testenv":  {"internal"},
	"internal/testrun":  {},
	"docs/model":        {}, // a test of models that are no Go
}

// ruleFor returns the entry of arrows that speaks for a package.
func ruleFor(pkg string) (string, bool) {
	for p := pkg; p != "."; p = path.Dir(p) {
		if _, ok := arrows[p]; ok {
			return p, true
		}
	}
	return "", false
}

func TestArrows(t *testing.T) {
	walk(t, func(name string) {
		pkg := path.Dir(name)
		if !isGo(name) || isTest(name) || strings.HasPrefix(pkg, "cmd/") {
			return
		}
		rule, ok := ruleFor(pkg)
		if !ok {
			t.Errorf("%s: no arrow says what %s may import", name, pkg)
			return
		}
		for _, imported := range importsOf(t, name) {
			to, ours := strings.CutPrefix(imported, module+"/")
			if ours && !mayImport(rule, to) {
				t.Errorf("%s imports %s, against the arrows", name, to)
			}
		}
	})
}

// mayImport: a folder's own subfolders of internal kind need no entry, but a
// domain package below another is a subject of its own.
func mayImport(rule, to string) bool {
	for _, allowed := range arrows[rule] {
		if to == allowed || to == rule || (allowed == "internal" || strings.HasPrefix(allowed, "clients/")) && strings.HasPrefix(to, allowed+"/") {
			return true
		}
	}
	return false
}

// doors lists third-party packages and the files that alone may import them.
var doors = []struct{ library, files string }{
	{"github.com/ory/fosite", `^idp/(engine|store)[a-z_]*\.go$`},
	{"github.com/go-jose/go-jose/v4", `^(keys|clients/rp|clients/rp/rptest)/[^/]+\.go$`},
	{"github.com/coreos/go-oidc", `^clients/rp/[^/]+\.go$`},
	{"golang.org/x/oauth2", `^clients/rp/[^/]+\.go$`},
	{"github.com/redis/go-redis", `^internal/ephemeral/`},
	{"modernc.org/sqlite", `^internal/sqldb/`},
	{"github.com/jackc/pgx", `^internal/(sqldb|testenv)/`},
	{"github.com/ebfe/scard", `^cardauth/pcsc/`},
	{"github.com/go-webauthn", `^idp/passkey/[^/]+\.go$`},
	{"github.com/boombuler/barcode", `^idp/qr\.go$`},
	{"github.com/prometheus", `^internal/metrics/`},
	{"github.com/labstack/echo", `^(idp|federation|clients|cardauth/agent|cmd|internal/web)/`},
	{"github.com/go-jose/go-jose" + "/v3", `^$`}, // stays inside the engine
	{"github.com/ory/fosite" + "/compose", `^$`}, // the engine is wired by hand
	{"math/rand", `^$`},
}

func TestDoors(t *testing.T) {
	files := make([]*regexp.Regexp, len(doors))
	for i, d := range doors {
		files[i] = regexp.MustCompile(d.files)
	}
	opened := map[string]bool{}
	walk(t, func(name string) {
		if !isGo(name) {
			return
		}
		for _, imported := range importsOf(t, name) {
			for i, d := range doors {
				if imported != d.library && !strings.HasPrefix(imported, d.library+"/") {
					continue
				}
				opened[d.library] = true
				// Tests may play the stranger; nobody may use what has no door.
				if !files[i].MatchString(name) && (!isTest(name) || d.files == "^$") {
					t.Errorf("%s imports %s; its door is %s", name, imported, d.files)
				}
			}
		}
	})
	if !opened["github.com/ory/fosite"] || !opened["modernc.org/sqlite"] {
		t.Error("no file imports the engine or the database driver; the test looks at the wrong tree")
	}
}
