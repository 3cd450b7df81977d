package web

import (
	"strings"
	"testing"
	"testing/fstest"
)

// Each of these would otherwise be found by a citizen.
func TestNewSiteRefuses(t *testing.T) {
	page := func(main string) func(*SiteConfig) {
		return func(c *SiteConfig) {
			c.Pages = fstest.MapFS{"home.html": {Data: []byte(`{{define "main"}}` + main + `{{end}}`)}}
		}
	}
	words := func(ja, en string) func(*SiteConfig) {
		return func(c *SiteConfig) {
			c.Messages = messages(`{"site.name":"つなぐ","home.title":"はじめに","greet":"{name}さん"`+ja+`}`,
				`{"site.name":"Tsunagu","home.title":"Start","greet":"Hello {name}"`+en+`}`)
		}
	}
	for _, c := range []struct {
		name   string
		change func(*SiteConfig)
		want   string
	}{
		{"key missing in en", words(`,"a":"b"`, ``), `ja has "a", en has not`},
		{"key missing in ja", words(``, `,"a":"b"`), `en has "a", ja has not`},
		{"placeholders differ", words(`,"a":"{x}"`, `,"a":"{y}"`), `"a": placeholders`},
		{"empty text", words(`,"a":" "`, `,"a":"b"`), `a is empty`},
		{"broken JSON", words(`,`, ``), `ja.json`},
		{"no site name", func(c *SiteConfig) {
			c.Messages = messages(`{"home.title":"a","greet":"{name}"}`, `{"home.title":"a","greet":"{name}"}`)
		}, `no message "site.name"`},
		{"unknown message", page(`{{t "nowhere"}}`), `no message "nowhere"`},
		{"unknown message deep inside", page(`{{range .Data}}{{if .}}{{template "button" (button "label" (t "nowhere"))}}{{end}}{{end}}`), `no message "nowhere"`},
		{"placeholder not filled", page(`{{t "greet"}}`), `placeholders [name], given []`},
		{"argument without placeholder", page(`{{t "home.title" "name" .Data}}`), `placeholders [], given [name]`},
		{"odd arguments", page(`{{t "greet" "name"}}`), `want pairs`},
		{"component without that field", page(`{{template "button" (button "lable" "x")}}`), `button has no "lable"`},
		{"unknown component", page(`{{template "buton" .}}`), `buton`},
		{"no main", func(c *SiteConfig) { c.Pages = fstest.MapFS{"home.html": {Data: []byte(`<p>`)}} }, `defines no "main"`},
		{"no pages", func(c *SiteConfig) { c.Pages = fstest.MapFS{} }, `no *.html`},
		{"slug", func(c *SiteConfig) { c.Slug = "a;b" }, `slug`},
		{"footer", func(c *SiteConfig) { c.Footer = []Link{{"nowhere", "/"}} }, `footer`},
	} {
		t.Run(c.name, func(t *testing.T) {
			config := config()
			c.change(&config)
			_, err := NewSite(config)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}

func TestText(t *testing.T) {
	c := catalogue{"ja": {"a": "{x}と{y}と{x}"}}
	if got, err := c.text("ja", "a", "x", "{y}", "y", "2", "z", "3"); err != nil || got != "{y}と2と{y}" {
		t.Errorf("%q, %v: a value must not be searched for placeholders", got, err)
	}
	for _, args := range [][]string{{"x", "1"}, {"x"}} {
		if _, err := c.text("ja", "a", args...); err == nil {
			t.Errorf("%v accepted", args)
		}
	}
}
