package idp

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"unicode"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

const (
	noticesPath = "/account/notices"
	notMePath   = "/not-me"
)

// notMeLink is where a notice's session can be ended.
func (p *Provider) notMeLink(one notice) string {
	if !one.Linked {
		return ""
	}
	return p.issuer + notMePath + "/" + p.news.nameOf(one.ID)
}

func (p *Provider) confirmLink(channel string) string {
	return p.issuer + noticesPath + "/confirm?" + url.Values{"proof": {p.news.proofOf(channel)}}.Encode()
}

// oneLine keeps a name that a service gave itself from looking like more than a name in plain text.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp) {
			return -1
		}
		return r
	}, s)
}

// letterText is a letter as mail: in the language that was chosen, and below it in the other.
func (p *Provider) letterText(ctx context.Context, l *letter) (subject, text string, err error) {
	list, all, err := p.letterNotices(ctx, l)
	if err != nil {
		return "", "", err
	}
	var b strings.Builder
	langs := web.Languages()
	if l.Lang != langs[0].Code {
		langs[0], langs[1] = langs[1], langs[0]
	}
	for i, lang := range langs {
		if i > 0 {
			b.WriteString("\n--------\n\n")
		}
		if err := p.writeLetter(ctx, &b, lang.Code, l, list, all); err != nil {
			return "", "", err
		}
	}
	subject = p.site.TextIn(langs[0].Code, "mail."+string(l.Sort)+".subject")
	if l.Sort == letterNotices {
		if all == 1 && len(list) == 1 {
			subject = p.site.TextIn(langs[0].Code, "mail.one.subject", "what", p.site.TextIn(langs[0].Code, "notice.is."+list[0].Word))
		} else {
			subject = p.site.TextIn(langs[0].Code, "mail.notices.subject", "count", strconv.Itoa(all))
		}
	}
	return subject, b.String(), nil
}

func (p *Provider) letterNotices(ctx context.Context, l *letter) (list []notice, all int, err error) {
	if l.Sort != letterNotices {
		return nil, 0, nil
	}
	return p.news.contents(ctx, l)
}

func (p *Provider) writeLetter(ctx context.Context, b *strings.Builder, lang string, l *letter, list []notice, all int) error {
	say := func(key string, args ...string) { b.WriteString(p.site.TextIn(lang, key, args...) + "\n") }
	switch l.Sort {
	case letterConfirm:
		say("mail.confirm.text")
		b.WriteString("\n" + p.confirmLink(l.Channel) + "\n\n")
		say("mail.confirm.not_you")
	case letterChanged:
		say("mail.changed.text")
		b.WriteString("\n")
		say("mail.changed.not_you", "address", p.issuer+noticesPath)
	case letterNotices:
		say("mail.notices.text")
		for _, one := range list {
			b.WriteString("\n")
			facts, err := p.noticeFactLines(ctx, lang, one)
			if err != nil {
				return err
			}
			say("mail.notices.item", "what", p.site.TextIn(lang, "notice.is."+one.Word), "when", web.DateTime(lang, one.Created))
			for _, f := range facts {
				b.WriteString("  " + oneLine(f) + "\n")
			}
			if to := p.notMeLink(one); to != "" {
				say("mail.notices.not_you")
				b.WriteString("  " + to + "\n")
			}
		}
		if all > len(list) {
			b.WriteString("\n")
			say("mail.notices.more", "count", strconv.Itoa(all-len(list)))
		}
		b.WriteString("\n")
		say("mail.notices.end", "address", p.issuer+noticesPath)
	}
	return nil
}

// noticeFactLines are what a notice says beside what and when.
func (p *Provider) noticeFactLines(ctx context.Context, lang string, one notice) (out []string, err error) {
	if one.Client != "" {
		name, _, err := p.displayName(ctx, one.Client, lang)
		if err != nil {
			return nil, err
		}
		out = append(out, p.site.TextIn(lang, "notice.service", "name", name))
	}
	if one.Facts.Other != "" {
		name, _, err := p.displayName(ctx, clients.ID(one.Facts.Other), lang)
		if err != nil {
			return nil, err
		}
		out = append(out, p.site.TextIn(lang, "notice.other", "name", name))
	}
	if one.Word == "exchange" {
		out = append(out, p.site.TextIn(lang, "notice.exchange.where"))
	}
	if one.Facts.Role != "" {
		out = append(out, p.site.TextIn(lang, "notice.role", "role", p.site.TextIn(lang, roleKey(one.Facts.Role))), p.site.TextIn(lang, "notice.looked.where"))
	}
	if one.Facts.Device != "" {
		out = append(out, p.site.TextIn(lang, "notice.device", "device", one.Facts.Device))
	}
	if key := acrKey(one.Facts.ACR); key != "" {
		out = append(out, p.site.TextIn(lang, "notice.means", "means", p.site.TextIn(lang, key)))
	}
	return out, nil
}

// acrKey is the message that names a way of signing in; empty for one that is none of ours.
func acrKey(acr string) string {
	switch acr {
	case ACRCard, ACRRemote, ACRPasskey:
		return "acr." + acr
	}
	return ""
}

// hookNotice is a notice as webhooks get it.
type hookNotice struct {
	ID      string `json:"id"`
	Kind    string `json:"kind"`
	Time    int64  `json:"time"`
	Service string `json:"service,omitempty"`
	Device  string `json:"device,omitempty"`
	NotMe   string `json:"not_me_uri,omitempty"`
}

// letterEvent is a letter as the events of a Security Event Token.
func (p *Provider) letterEvent(ctx context.Context, l *letter) (map[string]any, error) {
	switch l.Sort {
	case letterConfirm:
		return map[string]any{confirmEvent: map[string]any{"confirm_uri": p.confirmLink(l.Channel)}}, nil
	case letterChanged:
		return map[string]any{changedEvent: map[string]any{}}, nil
	case letterNotices:
		list, all, err := p.letterNotices(ctx, l)
		if err != nil {
			return nil, err
		}
		out := make([]hookNotice, 0, len(list))
		for _, one := range list {
			h := hookNotice{ID: one.ID, Kind: one.Word, Time: one.Created.Unix(), Device: one.Facts.Device, NotMe: p.notMeLink(one)}
			if one.Client != "" {
				if h.Service, _, err = p.displayName(ctx, one.Client, l.Lang); err != nil {
					return nil, err
				}
			}
			out = append(out, h)
		}
		return map[string]any{noticeEvent: map[string]any{"notices": out, "count": all}}, nil
	}
	return nil, fmt.Errorf("letter of sort %q", l.Sort)
}
