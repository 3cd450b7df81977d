package web

import "net/http"

// ErrorView is the data of the common page "error". A page without a Title takes TitleKey; an empty TextKey or NextKey
// is left out.
type ErrorView struct {
	TitleKey, TextKey, NextKey string
	Args                       []string // name, value, …: for all keys
	NextURL, NextLabelKey      string   // one step onward
	Developer                  []Term   // shown to developers, folded
}

// Term is one line of what developers are told.
type Term struct{ Name, Value string }

// Fail answers with the common error page for a reason that has messages error.<reason>.title, .text and .next.
func (s *Site) Fail(w http.ResponseWriter, r *http.Request, status int, reason string) {
	s.Render(w, r, status, failure(reason, ErrorView{}))
}

// FailWith is Fail with more on the page: keys left empty in v are those of the reason.
func (s *Site) FailWith(w http.ResponseWriter, r *http.Request, status int, reason string, v ErrorView) {
	s.Render(w, r, status, failure(reason, v))
}

func failure(reason string, v ErrorView) Page {
	if v.TitleKey == "" {
		v.TitleKey = "error." + reason + ".title"
	}
	if v.TextKey == "" {
		v.TextKey = "error." + reason + ".text"
	}
	if v.NextKey == "" {
		v.NextKey = "error." + reason + ".next"
	}
	if reason == "not_found" && v.NextURL == "" {
		v.NextURL, v.NextLabelKey = "/", "error.home"
	}
	return Page{Name: "error", Title: v.TitleKey, TitleArgs: v.Args, Error: reason, Data: v}
}
