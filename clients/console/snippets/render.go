package snippets

import (
	"embed"
	"encoding/json"
	"go/format"
	"net"
	"net/url"
	"slices"
	"strings"
	"text/template"
)

// Language is a language with the library that its snippet is written for.
type Language string

// The languages.
const (
	Go     Language = "go"     // coreos/go-oidc
	Node   Language = "node"   // openid-client
	Python Language = "python" // Authlib and Flask
	Java   Language = "java"   // Nimbus OAuth 2.0 SDK
	PHP    Language = "php"    // league/oauth2-client and firebase/php-jwt
	Curl   Language = "curl"
)

// Languages lists all of them.
func Languages() []Language { return []Language{Go, Node, Python, Java, PHP, Curl} }

// Snippet is a program for one service.
type Snippet struct {
	Language Language
	Name     string // of the language and the library, for people
	File     string // what to call the program
	Install  string // shell commands that fetch the library, in a new folder; empty for curl
	Run      string // shell command that starts it
	Text     string
}

// The versions that the programs were tried with. Those of Go, Node and Python are the ones that the project's own tests run.
const (
	goOIDC, goOAuth2, goJOSE = "v3.21.0", "v0.37.0", "v4.1.8"
	openidClient             = "6.9.0"
	authlib, flask, requests = "1.9.9", "3.1.3", "2.34.2"
	nimbus                   = "11.39"
)

//go:embed templates
var files embed.FS

var templates = template.Must(template.New("").Funcs(template.FuncMap{
	"quote": quote, "js": js, "shell": shell, "php": php, "join": strings.Join,
}).ParseFS(files, "templates/*.tmpl"))

// For returns the snippets that work for a service, in the order of Languages. There is at least one for values of FromMetadata; what is
// wrong with others is an *Error.
func For(v Values) ([]Snippet, error) {
	if err := v.check(); err != nil {
		return nil, err
	}
	var out []Snippet
	for _, l := range Languages() {
		if !fits(l, v) {
			continue
		}
		s := describe(l, v)
		var text strings.Builder
		if err := templates.ExecuteTemplate(&text, string(l)+"."+part(v)+".tmpl", data{v}); err != nil {
			return nil, err
		}
		s.Text = strings.TrimRight(text.String(), "\n") + "\n"
		if l == Go {
			formatted, err := format.Source([]byte(s.Text))
			if err != nil {
				return nil, err
			}
			s.Text = string(formatted)
		}
		out = append(out, s)
	}
	return out, nil
}

// Render returns one snippet; false if the language's library cannot do what the service needs.
func Render(l Language, v Values) (Snippet, bool, error) {
	all, err := For(v)
	i := slices.IndexFunc(all, func(s Snippet) bool { return s.Language == l })
	if err != nil || i < 0 {
		return Snippet{}, false, err
	}
	return all[i], true, nil
}

func part(v Values) string {
	if v.Machine {
		return "machine"
	}
	return "signin"
}

// fits knows what the libraries cannot do: push requests, bind tokens to keys, take some algorithms, and, for curl, sign.
func fits(l Language, v Values) bool {
	simple := !v.Bound && (!v.Pushed || v.Machine)
	key := ""
	if v.Method == PrivateKeyJWT {
		key = orES256(v.KeyAlg)
	}
	switch l {
	case Node:
		return true
	case Go, Python:
		return simple
	case Java:
		return simple && key != "EdDSA" && v.IDTokenAlg != "EdDSA"
	case PHP:
		return simple && key != "PS256" && key != "EdDSA" && v.IDTokenAlg != "PS256" && v.IDTokenAlg != "EdDSA"
	case Curl:
		return simple && key == ""
	}
	return false
}

func describe(l Language, v Values) Snippet {
	key := v.Method == PrivateKeyJWT
	switch l {
	case Go:
		install := "go mod init quickstart\ngo get github.com/coreos/go-oidc/v3@" + goOIDC + " golang.org/x/oauth2@" + goOAuth2
		if key {
			install += " github.com/go-jose/go-jose/v4@" + goJOSE
		}
		return Snippet{Language: l, Name: "Go: coreos/go-oidc", File: "main.go", Install: install, Run: "go run ."}
	case Node:
		return Snippet{Language: l, Name: "Node.js: openid-client", File: "quickstart.mjs", Install: "npm install openid-client@" + openidClient, Run: "node quickstart.mjs"}
	case Python:
		return Snippet{
			Language: l, Name: "Python: Authlib", File: "quickstart.py",
			Install: "python3 -m venv venv\nvenv/bin/pip install Authlib==" + authlib + " Flask==" + flask + " requests==" + requests,
			Run:     "venv/bin/python quickstart.py",
		}
	case Java:
		return Snippet{
			Language: l, Name: "Java: Nimbus OAuth 2.0 SDK", File: "QuickStart.java",
			Install: `cat > pom.xml <<'XML'
<project><modelVersion>4.0.0</modelVersion><groupId>quickstart</groupId><artifactId>quickstart</artifactId><version>1</version>
  <dependencies><dependency><groupId>com.nimbusds</groupId><artifactId>oauth2-oidc-sdk</artifactId><version>` + nimbus + `</version></dependency></dependencies>
</project>
XML
mvn dependency:copy-dependencies -DoutputDirectory=lib`,
			Run: "java -cp 'lib/*' QuickStart.java",
		}
	case PHP:
		run := "php quickstart.php"
		if !v.Machine {
			run = "php -S " + data{v}.Listen() + " quickstart.php"
		}
		return Snippet{Language: l, Name: "PHP: league/oauth2-client", File: "quickstart.php", Install: "composer require league/oauth2-client:^2.9 firebase/php-jwt:^7.0", Run: run}
	case Curl:
		return Snippet{Language: l, Name: "curl", File: "quickstart.sh", Run: "sh quickstart.sh"}
	}
	return Snippet{}
}

// data is what templates see: the values, and what follows from them.
type data struct{ Values }

// Basic reports whether the secret goes into the header.
func (d data) Basic() bool { return d.Method == SecretBasic }

// Secret reports whether there is one.
func (d data) Secret() bool { return d.Method == SecretBasic || d.Method == SecretPost }

// Key reports whether the service has a private key.
func (d data) Key() bool { return d.Method == PrivateKeyJWT }

// Public reports whether the service proves nothing.
func (d data) Public() bool { return d.Method == None }

// KeyAlg is the algorithm of the service's key.
func (d data) KeyAlg() string { return orES256(d.Values.KeyAlg) }

// Insecure reports whether the hub is reached without TLS.
func (d data) Insecure() bool { return strings.HasPrefix(d.Issuer, "http:") }

// Secure reports whether cookies are for https alone.
func (d data) Secure() bool { return d.redirect().Scheme == "https" }

// Host and Port are where the program listens: where the redirect URI leads if that is this computer, and otherwise where a proxy finds it.
func (d data) Host() string {
	if d.local() {
		return d.redirect().Hostname()
	}
	return "localhost"
}

// Port is described at Host.
func (d data) Port() string {
	if p := d.redirect().Port(); p != "" && d.local() {
		return p
	}
	return "8080"
}

// Listen is Host and Port in one.
func (d data) Listen() string { return net.JoinHostPort(d.Host(), d.Port()) }

// Path is the redirect URI's.
func (d data) Path() string {
	if p := d.redirect().EscapedPath(); p != "" {
		return p
	}
	return "/"
}

// GoPath is Path as a pattern of net/http: one that ends in a slash means itself alone.
func (d data) GoPath() string { return goPath(d.Path()) }

// Home is where the program's own page is, out of the way of Path.
func (d data) Home() string {
	if d.Path() == "/" {
		return "/quickstart"
	}
	return "/"
}

// GoHome is Home as a pattern of net/http.
func (d data) GoHome() string { return goPath(d.Home()) }

// Login is where a sign-in begins, out of the way of Path.
func (d data) Login() string {
	if d.Path() == "/login" {
		return "/quickstart/login"
	}
	return "/login"
}

func goPath(path string) string {
	if strings.HasSuffix(path, "/") {
		return path + "{$}"
	}
	return path
}

// EscapedRedirectURI stands in a query.
func (d data) EscapedRedirectURI() string { return url.QueryEscape(d.RedirectURI) }

// EscapedScope stands in a query.
func (d data) EscapedScope() string { return url.QueryEscape(strings.Join(d.Scopes, " ")) }

// PythonKey is joserfc's type of the service's key.
func (d data) PythonKey() string {
	switch d.KeyAlg() {
	case "ES256":
		return "ECKey"
	case "EdDSA":
		return "OKPKey"
	}
	return "RSAKey"
}

// JavaKey is Java's name for the kind of the service's key.
func (d data) JavaKey() string {
	if d.KeyAlg() == "ES256" {
		return "EC"
	}
	return "RSA"
}

// JavaIDTokenAlg is the algorithm that the service expects.
func (d data) JavaIDTokenAlg() string { return orES256(d.IDTokenAlg) }

func orES256(alg string) string {
	if alg == "" {
		return "ES256"
	}
	return alg
}

// quote writes a string as Go, Python and Java read it: JSON's form, which all three take.
func quote(s string) (string, error) {
	var out strings.Builder
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	err := e.Encode(s)
	return strings.TrimSuffix(out.String(), "\n"), err
}

// js writes a string as JavaScript reads it, in the quotes that its programmers are used to.
func js(s string) (string, error) {
	quoted, err := quote(s)
	return "'" + strings.NewReplacer(`\\`, `\\`, `\"`, `"`, `'`, `\'`).Replace(strings.TrimSuffix(strings.TrimPrefix(quoted, `"`), `"`)) + "'", err
}

// shell writes a string as a POSIX shell reads it.
func shell(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// php writes a string as PHP reads it.
func php(s string) string { return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'" }
