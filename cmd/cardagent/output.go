package main

import (
	"encoding/json"
	"errors"
	"flag"
	"io"
	"os"
	"strings"

	"github.com/tsunagu-id/tsunagu/cardauth/agent"
	"github.com/tsunagu-id/tsunagu/cardauth/agent/pinentry"
	"github.com/tsunagu-id/tsunagu/cardauth/jpki"
)

// output is how a command answers: in words, or for programs.
type output struct {
	json     bool
	language string
}

func (o *output) add(set *flag.FlagSet) {
	set.BoolVar(&o.json, "json", false, "")
	set.StringVar(&o.language, "lang", "", "")
}

// lang is ja or en: what was asked for, or what the user's other programs speak (POSIX.1-2017 §8.2).
func (o output) lang() string {
	if o.language == "ja" || o.language == "en" {
		return o.language
	}
	for _, name := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		if v := os.Getenv(name); v != "" {
			if strings.HasPrefix(v, "ja") {
				return "ja"
			}
			return "en"
		}
	}
	return "ja"
}

// in picks a text.
func in(lang, ja, en string) string {
	if lang == "ja" {
		return ja
	}
	return en
}

// print writes an answer for programs.
func (output) print(w io.Writer, v any) {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	_ = e.Encode(v) // a closed pipe is nobody's loss
}

// outcome is how a command ended, for programs; empty if all went well.
type outcome struct {
	Error     string `json:"error,omitempty"`      // the word a page would carry
	Code      string `json:"code,omitempty"`       // trouble code
	TriesLeft *int   `json:"tries_left,omitempty"` // if the card has compared, or one try is left
}

func outcomeOf(err error) outcome {
	if err == nil {
		return outcome{}
	}
	if _, ok := errors.AsType[usageError](err); ok {
		if _, ok := errors.AsType[*jpki.Error](err); !ok {
			return outcome{Error: "usage"}
		}
	}
	if _, ok := errors.AsType[runningError](err); ok {
		return outcome{Error: "already_running"}
	}
	out := outcome{Error: agent.Word(err), Code: agent.TroubleCode(err)}
	if card, ok := errors.AsType[*jpki.Error](err); ok {
		switch left := int(card.Left); card.Reason { //nolint:exhaustive // the others count nothing
		case jpki.WrongPIN, jpki.LastTry, jpki.PINBlocked, jpki.WrongPassword, jpki.LastPasswordTry, jpki.PasswordBlocked:
			out.TriesLeft = &left
		}
	}
	return out
}

// isTerminal says whether somebody reads w.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && pinentry.IsTerminal(f)
}

// typed says whether somebody can type.
func (s streams) typed() bool {
	f, ok := s.in.(*os.File)
	return ok && pinentry.IsTerminal(f)
}
