package idp

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/federation"
	"github.com/tsunagu-id/tsunagu/federation/exchange"
	"github.com/tsunagu-id/tsunagu/internal/audit"
)

// noticeKind is what a citizen chooses by: to be told of it by mail or not. Her list has all of them.
type noticeKind string

// The closed set. Of settings she is always told.
const (
	noticeSignIn   noticeKind = "sign-in"
	noticeService  noticeKind = "service"
	noticeLink     noticeKind = "link"
	noticeMeans    noticeKind = "means" // cards and passkeys
	noticeProxy    noticeKind = "proxy"
	noticeExchange noticeKind = "exchange"
	noticeSettings noticeKind = "settings"
)

// noticeKinds are the kinds to choose from, in the order of the form.
func noticeKinds() []noticeKind {
	return []noticeKind{noticeSignIn, noticeService, noticeLink, noticeMeans, noticeProxy, noticeExchange}
}

// parseKinds reads the words of a form or a row. Words that are none, and repetitions, are left out.
func parseKinds(words []string) (out []noticeKind) {
	for _, k := range noticeKinds() {
		if slices.Contains(words, string(k)) {
			out = append(out, k)
		}
	}
	return out
}

func kindText(kinds []noticeKind) string {
	words := make([]string, len(kinds))
	for i, k := range kinds {
		words[i] = string(k)
	}
	return strings.Join(words, " ")
}

// noticeRule says which audit event a citizen is told of, and in which words (the messages "notice.is.WORD").
type noticeRule struct {
	event audit.Kind
	word  string
	kind  noticeKind
	// tell: of this event only then; nil: of all.
	tell func(audit.Event) bool
}

// The audit events of notices.
const (
	eventNewBrowser     audit.Kind = "login.new_browser" // facts: acr, device, known
	eventNoticeAddress  audit.Kind = "notice.address_confirmed"
	eventNoticeStopped  audit.Kind = "notice.stopped"
	eventNoticeChanged  audit.Kind = "notice.kinds_changed"
	eventNoticeDisowned audit.Kind = "notice.disowned" // facts: notice, means
	eventNoticeGivenUp  audit.Kind = "notice.given_up"
)

// noticeRules is the whole table. A sign-in is told of when the browser is new to the folder, and not with every hop to a service: what
// comes many times a day is not read. A service is told of when it is used for the first time, which is when it is agreed to.
func noticeRules() []noticeRule {
	return []noticeRule{
		{event: eventNewBrowser, word: "sign-in", kind: noticeSignIn},
		{event: eventDeviceApproved, word: "device", kind: noticeSignIn},
		{event: eventConsent, word: "service", kind: noticeService, tell: func(e audit.Event) bool { return e.Facts["first"] == "yes" }},
		{event: federation.EventLinked, word: "link", kind: noticeLink},
		{event: eventCardTied, word: "card", kind: noticeMeans},
		{event: eventCardUndone, word: "card-undone", kind: noticeMeans},
		{event: eventPasskeyAdded, word: "passkey", kind: noticeMeans},
		{event: eventPasskeyCloned, word: "passkey-cloned", kind: noticeMeans},
		{event: federation.EventMandateAccepted, word: "proxy", kind: noticeProxy},
		{event: federation.EventMandateEnded, word: "proxy-ended", kind: noticeProxy},
		{event: exchange.EventRequested, word: "exchange", kind: noticeExchange},
		{event: exchange.EventRefused, word: "exchange-refused", kind: noticeExchange},
		{event: eventNoticeAddress, word: "address", kind: noticeSettings},
		{event: eventNoticeStopped, word: "stopped", kind: noticeSettings},
		{event: eventNoticeChanged, word: "changed", kind: noticeSettings},
		{event: eventNoticeDisowned, word: "disowned", kind: noticeSettings},
		{event: eventLooked, word: "looked-at", kind: noticeSettings},
		{event: eventSupportEnded, word: "support-ended", kind: noticeSettings},
	}
}

func ruleOfNotice(e audit.Event) (noticeRule, bool) {
	for _, r := range noticeRules() {
		if r.event == e.Kind && (r.tell == nil || r.tell(e)) {
			return r, true
		}
	}
	return noticeRule{}, false
}

// observeNotices makes notices of what is audited, in the same transaction. It is for New.
func (p *Provider) observeNotices() {
	var kinds []audit.Kind
	for _, r := range noticeRules() {
		if !slices.Contains(kinds, r.event) {
			kinds = append(kinds, r.event)
		}
	}
	p.audit.Observe(p.news.tell, kinds...)
}

// noticeFacts is what a notice says beside what, when and which service. All words are ours.
type noticeFacts struct {
	Device string `json:"d,omitempty"`
	ACR    string `json:"c,omitempty"`
	Other  string `json:"o,omitempty"` // a second service: whom an office asked
	Role   string `json:"r,omitempty"` // of the operator who looked
	Known  int64  `json:"k,omitempty"` // since when the folder knows the browser, of sign-ins; Unix milliseconds
}

// notice is one thing that a citizen is told.
type notice struct {
	ID       string
	Account  federation.AccountID
	Word     string
	Client   clients.ID
	Session  string
	Created  time.Time
	Seen     bool
	Facts    noticeFacts
	Linked   bool      // there is a session to disown
	Disowned time.Time // zero: not
	Evidence *noticeEvidence
}

func (n notice) place(what string) []byte {
	return []byte(what + "\x00" + n.ID + "\x00" + string(n.Account) + "\x00" + n.Session)
}

// disownable: the words of what somebody does in a session of hers.
func disownable(word string) bool {
	switch word {
	case "sign-in", "device", "service", "card-undone", "passkey":
		return true
	}
	return false
}

// tell writes a notice of an event and puts it into the letters that are to carry it. It runs in the event's transaction.
func (n notices) tell(ctx context.Context, e audit.Event) error {
	rule, ok := ruleOfNotice(e)
	if !ok || e.Account == "" {
		return nil
	}
	now := n.now()
	one := notice{
		ID: newID(), Account: federation.AccountID(e.Account), Word: rule.word, Client: clients.ID(e.Client), Session: e.Session, Created: now,
		Facts: noticeFacts{Device: e.Facts["device"], ACR: e.Facts["acr"], Role: e.Facts["role"]},
	}
	if rule.kind == noticeExchange { // a letter cannot be taken back, and who is asked may know a ground why she must not read of it
		one.Client = ""
		if e.Kind == exchange.EventRefused && e.Facts["nondisclosure"] == "" { // nobody was asked: who wanted to know, and of whom
			one.Client, one.Facts.Other = clients.ID(e.Actor), e.Client
		}
	}
	one.Facts.Known, _ = strconv.ParseInt(e.Facts["known"], 10, 64) // other events have none
	one.Linked = one.Session != "" && disownable(one.Word)
	if err := n.insert(ctx, one); err != nil {
		return fmt.Errorf("store notice: %w", err)
	}
	if err := n.forget(ctx, one.Account, now); err != nil {
		return fmt.Errorf("forget old notices: %w", err)
	}
	if err := n.post(ctx, one, rule.kind, now); err != nil {
		return fmt.Errorf("post notice: %w", err)
	}
	return nil
}

// nameOf is the name that a notice has in its link: 256 bits that nobody can make of the row without the hub's key.
func (n notices) nameOf(id string) string {
	d := n.digest("notice link", []byte(id))
	return base64.RawURLEncoding.EncodeToString(d[:])
}

// proofOf is what the link in a letter to an unconfirmed address carries.
func (n notices) proofOf(channel string) string {
	d := n.digest("notice address", []byte(channel))
	return base64.RawURLEncoding.EncodeToString(d[:])
}

func (n notices) sealFacts(one notice) ([]byte, error) {
	b, err := json.Marshal(one.Facts)
	if err != nil {
		return nil, err
	}
	return n.seal.Seal(b, one.place("notice-facts/1")), nil
}
