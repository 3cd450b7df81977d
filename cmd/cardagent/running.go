package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// programName is how a card app answers at /version.
const programName = "tsunagu-cardagent"

// probeTime bounds the question whether a card app is running.
const probeTime = 2 * time.Second

// runningError says that the address is taken, by ourselves.
type runningError struct{ origin, version string }

func (e runningError) Error() string {
	return fmt.Sprintf("the card app is already running at %s/ (version %s): open that page, or stop it first", e.origin, e.version)
}

// running asks whether a card app answers at our own address, and which.
func (c config) running(ctx context.Context) (version string, ok bool) {
	client, err := c.client()
	if err != nil {
		return "", false
	}
	if client == nil {
		client = &http.Client{}
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.Origin+"/version", nil)
	if err != nil {
		return "", false
	}
	res, err := client.Do(r)
	if err != nil {
		return "", false
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(io.LimitReader(res.Body, 200))
	if err != nil || res.StatusCode != http.StatusOK {
		return "", false
	}
	name, version, _ := strings.Cut(strings.TrimSpace(string(b)), " ") // one built into another program tells no version
	return version, name == programName
}

// introduce says to somebody at a terminal what has begun.
func (c config) introduce(w io.Writer, configFile, lang string) {
	if configFile == "" {
		configFile = ownConfigFile() + in(lang, "（まだありません。書けば使われます）", " (not there yet; write it to change anything)")
	}
	_, _ = fmt.Fprintln(w, in(lang, "カードアプリを始めます。マイナンバーカードでログインするときの暗証番号の画面を出します。",
		"The card app is starting. It shows the page on which you enter the PIN of your My Number Card."))
	_, _ = fmt.Fprintln(w, in(lang, "  準備の確認と次にすること: ", "  Set-up check and next step: ")+c.Origin+"/")
	for _, t := range c.Trusted {
		_, _ = fmt.Fprintln(w, in(lang, "  ログインを受け付ける相手: ", "  Answers sign-ins from: ")+strings.TrimSpace(t.Name+" "+t.URL))
	}
	_, _ = fmt.Fprintln(w, in(lang, "  設定: ", "  Settings: ")+configFile)
	_, _ = fmt.Fprintln(w, in(lang, "  終わるには Ctrl-C。パソコンへのログイン時に自動で始めるには: cardagent install",
		"  Ctrl-C ends it. To start it at login: cardagent install"))
}
