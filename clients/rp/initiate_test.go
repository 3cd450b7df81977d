package rp_test

import (
	"net/url"
	"testing"

	"github.com/tsunagu-id/tsunagu/clients/rp"
)

func TestInitiate(t *testing.T) {
	w := newWorld(t, nil)
	for name, tt := range map[string]struct {
		iss, target []string
		ends, wrong string
	}{
		"no target":          {nil, nil, "/", ""},
		"page of ours":       {nil, []string{w.site.URL + "/inner?x=1"}, "/inner?x=1", ""},
		"origin alone":       {nil, []string{w.site.URL}, "/", ""},
		"no issuer":          {[]string{}, nil, "", "issuer_foreign"},
		"foreign issuer":     {[]string{"https://evil.example"}, nil, "", "issuer_foreign"},
		"issuer twice":       {[]string{w.hub.URL, "https://evil.example"}, nil, "", "issuer_foreign"},
		"other site":         {nil, []string{"https://evil.example/"}, "", "target_foreign"},
		"longer host":        {nil, []string{w.site.URL + ".evil.example/"}, "", "target_foreign"},
		"user part":          {nil, []string{"http://" + w.site.URL[len("http://"):] + "@evil.example/"}, "", "target_foreign"},
		"other scheme":       {nil, []string{"https" + w.site.URL[len("http"):] + "/"}, "", "target_foreign"},
		"script":             {nil, []string{"javascript:alert(1)"}, "", "target_foreign"},
		"two slashes":        {nil, []string{w.site.URL + "//evil.example/"}, "", "target_foreign"},
		"backslash":          {nil, []string{w.site.URL + `/\evil.example/`}, "", "target_foreign"},
		"path only":          {nil, []string{"/inner"}, "", "target_foreign"},
		"relative":           {nil, []string{"//evil.example/"}, "", "target_foreign"},
		"fragment":           {nil, []string{w.site.URL + "/inner#x"}, "", "target_foreign"},
		"two targets":        {nil, []string{w.site.URL + "/", w.site.URL + "/"}, "", "target_foreign"},
		"round in circles":   {nil, []string{w.site.URL + rp.PathLogin}, "", "target_foreign"},
		"circles of another": {nil, []string{w.site.URL + rp.PathInitiate + "?iss=x"}, "", "target_foreign"},
	} {
		t.Run(name, func(t *testing.T) {
			form := url.Values{"iss": {w.hub.URL}}
			if tt.iss != nil {
				form["iss"] = tt.iss
			}
			if tt.target != nil {
				form["target_link_uri"] = tt.target
			}
			b := w.browser()
			byGet := w.get(b, rp.PathInitiate+"?"+form.Encode())
			byPost, err := b.Post(w.site.URL+rp.PathInitiate, form) // OpenID Connect Core §4 allows both
			if err != nil {
				t.Fatal(err)
			}
			for _, page := range []struct {
				uri, wrong string
			}{{byGet.URL.RequestURI(), byGet.Error()}, {byPost.URL.RequestURI(), byPost.Error()}} {
				if page.wrong != tt.wrong || (tt.ends != "" && page.uri != tt.ends) {
					t.Errorf("ended at %s with %q, want %s and %q", page.uri, page.wrong, tt.ends, tt.wrong)
				}
			}
		})
	}
}

// FuzzParseLocal: what is accepted stays on the origin, however a browser resolves it.
func FuzzParseLocal(f *testing.F) {
	for _, s := range []string{"/", "/inner?x=1", "//evil.example", `/\evil.example`, "/\tevil", "/a//b", "/%2f%2fevil.example", "/login", "", "/..//evil.example", "/?//x"} {
		f.Add(s)
	}
	base, err := url.Parse("https://service.example")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, s string) {
		to, ok := rp.ParseLocal(s)
		if !ok {
			if to.String() != "/" {
				t.Errorf("refused %q yields %q", s, to)
			}
			return
		}
		if to.String() != s {
			t.Errorf("%q became %q", s, to)
		}
		u, err := base.Parse(s)
		if err != nil || u.Scheme != "https" || u.Host != "service.example" || u.User != nil {
			t.Errorf("%q leads to %v, %v", s, u, err)
		}
	})
}
