package doctor

import (
	"embed"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/tsunagu-id/tsunagu/cardauth/agent"
)

//go:embed messages/*.json
var files embed.FS

// messages is language → key → text. The files are part of the program and are compared by a test.
var messages = sync.OnceValue(func() map[string]map[string]string {
	all := map[string]map[string]string{}
	for _, lang := range []string{"ja", "en"} {
		texts := map[string]string{}
		b, err := files.ReadFile("messages/" + lang + ".json")
		if err == nil {
			_ = json.Unmarshal(b, &texts) // a test reads them
		}
		all[lang] = texts
	}
	return all
})

func known(key string) bool { return messages()["ja"][key] != "" }

// Text is what a check says, in "ja" or "en".
func (c Check) Text(lang string) string { return fill(messages()[lang][c.key], lang, c.args) }

// Help is what to do; empty where nothing has to be done.
func (c Check) Help(lang string) string { return fill(messages()[lang][c.key+".help"], lang, c.args) }

// fill puts values in place; {where} is the one of the language.
func fill(text, lang string, args []string) string {
	for i := 0; i+1 < len(args); i += 2 {
		text = strings.ReplaceAll(text, "{"+strings.TrimSuffix(args[i], "_"+lang)+"}", args[i+1])
	}
	return text
}

// Text is the report as lines for a person, in "ja" or "en".
func (r Report) Text(lang string) string {
	t := messages()[lang]
	var b strings.Builder
	for _, c := range r.Checks {
		fmt.Fprintf(&b, "%s %s", t["state."+string(c.State)], c.Text(lang))
		if c.Code != "" {
			fmt.Fprintf(&b, " [%s]", c.Code)
		}
		b.WriteString("\n")
		if help := c.Help(lang); help != "" {
			fmt.Fprintf(&b, "       → %s\n", help)
		}
	}
	if len(r.Troubles) > 0 {
		b.WriteString(t["troubles"] + "\n")
		for _, one := range r.Troubles {
			fmt.Fprintf(&b, "       %s  %s %s\n", one.At.In(japan).Format("2006-01-02 15:04:05 JST"), one.Code, one.Word)
		}
	}
	verdict := "verdict.good"
	if !r.Works() {
		verdict = "verdict.failing"
	}
	b.WriteString(t[verdict] + "\n")
	return b.String()
}

// MarshalJSON writes the report for programs: every check in both languages.
func (r Report) MarshalJSON() ([]byte, error) {
	type said struct {
		JA string `json:"ja"`
		EN string `json:"en"`
	}
	type check struct {
		ID    string `json:"id"`
		State State  `json:"state"`
		Code  string `json:"code,omitempty"`
		Text  said   `json:"text"`
		Help  *said  `json:"help,omitempty"`
	}
	out := struct {
		At       time.Time       `json:"at"`
		Version  string          `json:"version"`
		Works    bool            `json:"login_works"`
		Checks   []check         `json:"checks"`
		Troubles []agent.Trouble `json:"troubles"`
	}{At: r.At, Version: r.Version, Works: r.Works(), Troubles: append([]agent.Trouble{}, r.Troubles...)}
	for _, c := range r.Checks {
		one := check{ID: c.ID, State: c.State, Code: c.Code, Text: said{c.Text("ja"), c.Text("en")}}
		if c.Help("ja") != "" {
			one.Help = &said{c.Help("ja"), c.Help("en")}
		}
		out.Checks = append(out.Checks, one)
	}
	return json.Marshal(out)
}
