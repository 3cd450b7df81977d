package web

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
)

// Page is one answer of a site.
type Page struct {
	Name      string   // NAME.html
	Title     string   // message key
	TitleArgs []string // name, value, …
	Error     string   // reason; on main[data-error], and the title begins エラー：
	SignedIn  bool     // on main[data-signed-in]; the header says ログイン中
	OpenForm  bool     // a form of this page can end at another site: no form-action in the policy
	Once      bool     // reading its address again would not lead here: no switch of language
	Fill      bool     // a form to be filled in: it leads nowhere by itself, see WithSession
	Refresh   int      // seconds after which a browser without script reads the page again; 0: never
	Crumbs    []Crumb
	Who       string     // who is signed in, where that is no secret on the screen: an operator
	Menu      []MenuItem // beside the page; a Console's
	Frames    []string   // origins that this page may frame, as in frame-src
	Live      bool       // the page goes on after it was sent; see Site.Live, which sets it
	Data      any        // .Data in the template
}

// MenuItem leads to a part of a site.
type MenuItem struct {
	Key, Href string // message key
	Current   bool   // the page is in this part
}

// Crumb is a step of the breadcrumb; the last has no Href.
type Crumb struct {
	Key  string   // message key
	Args []string // name, value, …
	Href string
}

// view is what templates see.
type view struct {
	Page      Page
	Data      any
	Site      SiteConfig
	Lang      string // code
	Language  Language
	Path      string // path of this request
	Trace     string
	Title     string // as in <title>, without the site
	Languages []languageLink
	Session   *Session // nil: nobody is signed in, or the site does not say
}

type languageLink struct {
	Language
	Href    string
	Current bool
}

// Render answers with a page. The page is built before anything is sent: if that fails, the citizen gets the 500
// page and the log gets the cause.
func (s *Site) Render(w http.ResponseWriter, r *http.Request, status int, p Page) {
	body, err := s.build(r, p)
	if err != nil {
		s.log.ErrorContext(r.Context(), "page not rendered", "page", p.Name, "err", err, "trace", Trace(r.Context()))
		status, p = http.StatusInternalServerError, failure("internal", ErrorView{})
		if body, err = s.build(r, p); err != nil { // only if the common error page itself is broken
			http.Error(w, http.StatusText(status), status)
			return
		}
	}
	if p.Error != "" && s.trouble != nil {
		s.trouble(r, p)
	}
	s.answer(w, r, status, p, body)
}

// answer sends a page that was built.
func (s *Site) answer(w http.ResponseWriter, r *http.Request, status int, p Page, body []byte) {
	s.setHeaders(w.Header(), r, p.OpenForm)
	sessionOf(r, p).lead(w.Header(), p)
	if len(p.Frames) > 0 {
		w.Header().Set("Content-Security-Policy", w.Header().Get("Content-Security-Policy")+"; frame-src "+strings.Join(p.Frames, " "))
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if code, ok := languageCode(r.URL.Query().Get("lang")); ok {
		s.SetCookie(w, Cookie{Name: langCookie, Value: code, MaxAge: langLife})
	}
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) //nolint:gosec // escaped by html/template; an error means that nobody is left to tell
	}
}

// Text is a message in the language of r; an unknown key yields the key, so that nothing breaks over a word.
func (s *Site) Text(r *http.Request, key string, args ...string) string {
	text, err := s.texts.text(s.Lang(r), key, args...)
	if err != nil {
		s.log.ErrorContext(r.Context(), "message", "err", err, "trace", Trace(r.Context()))
		return key
	}
	return text
}

// TextIn is a message in a language, outside a request; an unknown key yields the key.
func (s *Site) TextIn(lang, key string, args ...string) string {
	text, err := s.texts.text(languageOf(lang).Code, key, args...)
	if err != nil {
		s.log.Error("message", "err", err)
		return key
	}
	return text
}

// Has reports whether the site has a message.
func (s *Site) Has(key string) bool { _, ok := s.texts[Languages()[0].Code][key]; return ok }

func (s *Site) build(r *http.Request, p Page) ([]byte, error) {
	lang := s.Lang(r)
	page, ok := s.pages[lang][p.Name]
	if !ok {
		return nil, fmt.Errorf("no page %q", p.Name)
	}
	if v, ok := p.Data.(ErrorView); ok && p.Title == "" {
		p.Title, p.TitleArgs = v.TitleKey, v.Args
	}
	title, err := s.texts.text(lang, p.Title, p.TitleArgs...)
	if err != nil {
		return nil, fmt.Errorf("title: %w", err)
	}
	var languages []languageLink
	if !p.Once {
		languages = languageLinks(r, lang)
	}
	var out bytes.Buffer
	err = page.ExecuteTemplate(&out, "layout", view{
		Page: p, Data: p.Data, Site: s.config, Lang: lang, Language: languageOf(lang),
		Path: r.URL.Path, Trace: Trace(r.Context()), Title: title, Languages: languages,
		Session: sessionOf(r, p),
	})
	return out.Bytes(), err
}

// languageLinks keeps the path and every other query value: a login in progress must survive the switch. The
// answer to a post has no address to come back to, so it has no switch.
func languageLinks(r *http.Request, current string) []languageLink {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return nil
	}
	var links []languageLink
	for _, l := range Languages() {
		q := r.URL.Query()
		q.Set("lang", l.Code)
		// Only a query: a path such as "//example.com" would turn into a link to another host.
		links = append(links, languageLink{Language: l, Href: "?" + q.Encode(), Current: l.Code == current})
	}
	return links
}
