package web

import (
	"net/http"
	"strings"
	"time"

	"golang.org/x/text/language"
)

// Language is one of the languages pages come in.
type Language struct {
	Code    string // in ?lang=, in the cookie, and in the name of the message file
	HTML    string // BCP 47 tag for lang and hreflang
	Variant string // data-variant on <html>, for a second catalogue in the same language
	Name    string // its own name for itself
}

// Languages lists them in the order of the switch; the first is the default. A further one is a line here and a
// message file per site.
func Languages() []Language {
	return []Language{
		{Code: "ja", HTML: "ja", Name: "日本語"},
		{Code: "en", HTML: "en", Name: "English"},
	}
}

// maxLanguageHeader bounds what is parsed of ui_locales and Accept-Language.
const maxLanguageHeader = 512

// Lang is the code of the language to answer r in: ?lang, then the cookie, then ui_locales (OpenID Connect Core
// §3.1.2.1), then Accept-Language, then Japanese.
func (s *Site) Lang(r *http.Request) string {
	query := r.URL.Query()
	if code, ok := languageCode(query.Get("lang")); ok {
		return code
	}
	if value, ok := s.Cookie(r, langCookie); ok {
		if code, ok := languageCode(value); ok {
			return code
		}
	}
	if code, ok := firstLocale(query.Get("ui_locales")); ok {
		return code
	}
	if code, ok := acceptLanguage(r.Header.Get("Accept-Language")); ok {
		return code
	}
	return Languages()[0].Code
}

const (
	langCookie = "lang"
	langLife   = 365 * 24 * time.Hour
)

func languageCode(code string) (string, bool) {
	for _, l := range Languages() {
		if l.Code == code {
			return code, true
		}
	}
	return "", false
}

func languageOf(code string) Language {
	for _, l := range Languages() {
		if l.Code == code {
			return l
		}
	}
	return Languages()[0]
}

// firstLocale picks from a space-separated list of tags, in order of preference.
func firstLocale(list string) (string, bool) {
	if len(list) > maxLanguageHeader {
		return "", false
	}
	for tag := range strings.FieldsSeq(list) {
		if parsed, err := language.Parse(tag); err == nil {
			if code, ok := languageFor(parsed); ok {
				return code, true
			}
		}
	}
	return "", false
}

func acceptLanguage(header string) (string, bool) {
	if header == "" || len(header) > maxLanguageHeader {
		return "", false
	}
	tags, weights, err := language.ParseAcceptLanguage(header)
	if err != nil {
		return "", false
	}
	for i, tag := range tags {
		if weights[i] == 0 {
			continue // RFC 9110 §12.4.2: not acceptable
		}
		if code, ok := languageFor(tag); ok {
			return code, true
		}
	}
	return "", false
}

// languageFor matches by primary language only: en-GB reads our English, zh reads neither.
func languageFor(tag language.Tag) (string, bool) {
	base, _ := tag.Base()
	for _, l := range Languages() {
		if l.Variant == "" && l.HTML == base.String() {
			return l.Code, true
		}
	}
	return "", false
}
