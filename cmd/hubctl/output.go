package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
)

// answer prints v for programs, or runs words.
func (a *app) answer(v any, words func()) error {
	if !a.json {
		words()
		return nil
	}
	e := json.NewEncoder(a.out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// say prints one line. What others wrote must have gone through clean.
func (a *app) say(format string, args ...any) {
	for i, v := range args {
		if s, ok := v.(string); ok {
			args[i] = clean(s)
		}
	}
	_, _ = fmt.Fprintf(a.out, format+"\n", args...)
}

// table prints rows below a header, or a line if there are none.
func (a *app) table(none string, header []string, rows [][]string) {
	if len(rows) == 0 {
		a.say("%s", none)
		return
	}
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, strings.Join(header, "\t"))
	for _, r := range rows {
		for i := range r {
			r[i] = clean(r[i])
		}
		_, _ = fmt.Fprintln(w, strings.Join(r, "\t"))
	}
	_ = w.Flush() // a closed pipe is nobody's loss
}

// clean takes out what could steer a terminal or break a table: others chose these texts.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\t' {
			return ' '
		}
		if unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) {
			return '\uFFFD'
		}
		return r
	}, s)
}

func when(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Local().Format("2006-01-02 15:04")
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// words joins words of a closed set.
func words[T ~string](list []T) string {
	out := make([]string, len(list))
	for i, w := range list {
		out[i] = string(w)
	}
	return strings.Join(out, ", ")
}
