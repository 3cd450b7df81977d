package snippets

import (
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite testdata")

// cases are the services of testdata. test/browser/quickstart.test.mjs runs what is written there against a demo.
var cases = []struct {
	name     string
	metadata string
	want     []Language
}{
	{"quickstart", `{"redirect_uris": ["http://localhost:8420/callback"], "scope": "openid", "id_token_signed_response_alg": "RS256"}`, Languages()},
	{"key", `{"client_id": "sample-key", "redirect_uris": ["http://localhost:8420/callback", "https://elsewhere.example/"], "scope": "openid offline_access link",
		"grant_types": ["authorization_code", "refresh_token"], "token_endpoint_auth_method": "private_key_jwt"}`, []Language{Go, Node, Python, Java, PHP}},
	{"post", `{"client_id": "sample-post", "redirect_uris": ["http://localhost:8420/"], "scope": "openid",
		"token_endpoint_auth_method": "client_secret_post"}`, Languages()},
	{"public", `{"client_id": "sample-public", "redirect_uris": ["http://localhost:8420/login"], "scope": "openid", "token_endpoint_auth_method": "none"}`, Languages()},
	{"government", `{"client_id": "sample-government", "redirect_uris": ["http://localhost:8420/callback"], "scope": "openid", "profile": "fapi2",
		"token_endpoint_auth_method": "private_key_jwt"}`, []Language{Node}},
	{"machine", `{"client_id": "sample-machine", "grant_types": ["client_credentials"], "scope": "service"}`, Languages()},
	{"machine-key", `{"client_id": "sample-machine-key", "grant_types": ["client_credentials"], "scope": "service",
		"token_endpoint_auth_method": "private_key_jwt"}`, []Language{Go, Node, Python, Java, PHP}},
}

func TestSnippetsAreThoseOfTestdata(t *testing.T) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			v, err := FromMetadata("http://localhost:8400", json.RawMessage(c.metadata))
			if err != nil {
				t.Fatal(err)
			}
			all, err := For(v)
			if err != nil {
				t.Fatal(err)
			}
			var got []Language
			for _, s := range all {
				got = append(got, s.Language)
				file := filepath.Join("testdata", c.name, s.File+".txt")
				if *update {
					if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o750), os.WriteFile(file, []byte(s.Text), 0o600)); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(file)
				if err != nil || string(want) != s.Text {
					t.Errorf("%s differs from the snippet (%v); look at it, and run the test with -update", file, err)
				}
				if s.Name == "" || s.Run == "" || (s.Install == "") != (s.Language == Curl) {
					t.Errorf("%s: %+v", s.Language, s)
				}
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("snippets for %v, want %v", got, c.want)
			}
		})
	}
}

func TestNoSnippetThatWouldNotWork(t *testing.T) {
	for name, c := range map[string]struct{ metadata, member string }{
		"no redirect URI":         {`{"scope": "openid"}`, "redirect_uris"},
		"an app's own scheme":     {`{"redirect_uris": ["jp.example.app:/back"]}`, "redirect_uris"},
		"certificates":            {`{"redirect_uris": ["https://a.example/"], "token_endpoint_auth_method": "tls_client_auth"}`, "token_endpoint_auth_method"},
		"bound to a certificate":  {`{"redirect_uris": ["https://a.example/"], "tls_client_certificate_bound_access_tokens": true}`, "tls_client_certificate_bound_access_tokens"},
		"signed requests":         {`{"redirect_uris": ["https://a.example/"], "require_signed_request_object": true}`, "require_signed_request_object"},
		"encrypted ID tokens":     {`{"redirect_uris": ["https://a.example/"], "id_token_encrypted_response_alg": "ECDH-ES"}`, "id_token_encrypted_response_alg"},
		"a device":                {`{"grant_types": ["urn:ietf:params:oauth:grant-type:device_code"], "scope": "openid"}`, "grant_types"},
		"a machine without scope": {`{"grant_types": ["client_credentials"]}`, "scope"},
		"a public machine":        {`{"grant_types": ["client_credentials"], "scope": "service", "token_endpoint_auth_method": "none"}`, "token_endpoint_auth_method"},
		"a line end in a value":   {`{"client_id": "a\nb", "redirect_uris": ["https://a.example/"]}`, "metadata"},
		"an unknown algorithm":    {`{"redirect_uris": ["https://a.example/"], "id_token_signed_response_alg": "HS256"}`, "id_token_signed_response_alg"},
		"not JSON":                {`{`, "metadata"},
	} {
		_, err := FromMetadata("https://hub.example", json.RawMessage(c.metadata))
		if e, ok := errors.AsType[*Error](err); !ok || e.Member != c.member {
			t.Errorf("%s: %v, want an error of %s", name, err, c.member)
		}
	}
}

// A name that is imported and not used does not compile in Go, and elsewhere tells that the program was never read.
func TestSnippetsUseWhatTheyImport(t *testing.T) {
	imports := map[Language]*regexp.Regexp{
		Go:     regexp.MustCompile(`(?m)^\t"(?:\S*/)?(\w+)"$`),
		Python: regexp.MustCompile(`(?m)^(?:from \S+ )?import (\w+)(?:, (\w+))?$`),
		Java:   regexp.MustCompile(`(?m)^import \S+\.(\w+);$`),
		PHP:    regexp.MustCompile(`(?m)^use \S+\\\\(\w+);$`),
	}
	seen := 0
	for _, id := range []string{"", "sample"} {
		for _, machine := range []bool{false, true} {
			for _, method := range []Method{SecretBasic, SecretPost, PrivateKeyJWT, None} {
				v := Values{Issuer: "https://hub.example", ClientID: id, RedirectURI: "https://a.example/back", Scopes: []string{"x"}, Method: method, Machine: machine}
				all, err := For(v)
				if err != nil && (method != None || !machine) {
					t.Fatal(err)
				}
				for _, s := range all {
					pattern := imports[s.Language]
					if pattern == nil {
						continue
					}
					for _, found := range pattern.FindAllStringSubmatch(s.Text, -1) {
						for _, name := range found[1:] {
							if seen++; name != "" && len(regexp.MustCompile(`\b`+name+`\b`).FindAllString(s.Text, -1)) < strings.Count(found[0], name)+1 {
								t.Errorf("%s imports %s for nothing:\n%s", s.Language, name, s.Text)
							}
						}
					}
				}
			}
		}
	}
	if seen == 0 {
		t.Error("no import was seen")
	}
}

// What a service is called cannot leave the string it stands in.
func TestValuesStayInsideTheirQuotes(t *testing.T) {
	const nasty = "https://a.example/\"'$(id)`\\${x}"
	v := Values{Issuer: "https://hub.example", ClientID: nasty, RedirectURI: "https://a.example/callback", Scopes: []string{"openid"}, Method: SecretBasic}
	all, err := For(v)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		var inside string
		switch s.Language {
		case Node:
			inside = `'https://a.example/"\'$(id)` + "`" + `\\${x}'`
		case Go, Python, Java:
			inside = `"https://a.example/\"'$(id)` + "`" + `\\${x}"`
		case PHP:
			inside = `'https://a.example/"\'$(id)` + "`" + `\\${x}'`
		case Curl:
			inside = `'https://a.example/"'\''$(id)` + "`" + `\${x}'`
		}
		if strings.Count(s.Text, "$(id)") != strings.Count(s.Text, inside) || !strings.Contains(s.Text, inside) {
			t.Errorf("%s:\n%s", s.Language, s.Text)
		}
	}
}

func TestAProgramElsewhereListensBehindAProxy(t *testing.T) {
	v := Values{Issuer: "https://hub.example", ClientID: "a", RedirectURI: "https://a.example/callback", Scopes: []string{"openid"}, Method: SecretBasic}
	all, err := For(v)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		if s.Language != Curl && !strings.Contains(s.Text+s.Run, "8080") {
			t.Errorf("%s does not listen on 8080", s.Language)
		}
		if strings.Contains(s.Text, "allowInsecureRequests") || strings.Contains(s.Text, "Secure: false") {
			t.Errorf("%s is for a hub without TLS", s.Language)
		}
	}
}

// The document is what integrators read first: what it shows is what the console shows, and what test/browser/quickstart.test.mjs runs.
func TestDocumentHasTheSnippets(t *testing.T) {
	doc := read(t, "docs/integrating.md")
	v, err := FromMetadata("http://localhost:8400", json.RawMessage(cases[0].metadata))
	if err != nil {
		t.Fatal(err)
	}
	for l, lang := range map[Language]string{Go: "go", Node: "js", Python: "python", Curl: "sh"} {
		s, ok, err := Render(l, v)
		if err != nil || !ok {
			t.Fatal(l, ok, err)
		}
		if !strings.Contains(doc, "`"+s.File+"`:\n\n```"+lang+"\n"+s.Text+"```\n") {
			t.Errorf("the document does not have the program for %s as it is made:\n%s", l, s.Text)
		}
		if want := "```sh\n" + strings.TrimPrefix(s.Install+"\n"+s.Run, "\n") + "\n```\n"; !strings.Contains(doc, want) {
			t.Errorf("the document does not have the commands for %s:\n%s", l, want)
		}
	}
}

func TestVersionsAreThoseThatTheTestsRun(t *testing.T) {
	for file, wants := range map[string][]string{
		"go.mod": {
			"github.com/coreos/go-oidc/v3 " + goOIDC + "\n", "golang.org/x/oauth2 " + goOAuth2 + "\n", "github.com/go-jose/go-jose/v4 " + goJOSE + "\n",
		},
		"test/browser/package.json":    {`"openid-client": "` + openidClient + `"`},
		"test/python/requirements.txt": {"\nAuthlib==" + authlib + "\n", "\nFlask==" + flask + "\n", "\nrequests==" + requests + "\n"},
	} {
		text := read(t, file)
		for _, want := range wants {
			if !strings.Contains(text, want) {
				t.Errorf("%s has another version than %q", file, want)
			}
		}
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("../../..", file))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
