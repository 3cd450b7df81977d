package preflight

import (
	"regexp"
	"strings"
	"unicode"
)

// look is what a page looks like, without what differs from one visit to the next.
type look struct {
	trail string
	words map[string]bool
}

var (
	notText = regexp.MustCompile(`(?is)<(script|style|svg)\b.*?</(script|style|svg)\s*>|<!--.*?-->`)
	tags    = regexp.MustCompile(`(?s)<[^>]*>`)
)

// maxWord: what is longer is a token of some kind, or text of a script without spaces between words.
const maxWord = 60

// lookOf reads a page.
func lookOf(p page) look {
	trail := strings.Join(p.trail, "\n")
	if p.hub != "" {
		trail += "\nhub"
	}
	if p.away != "" {
		trail += "\naway"
	}
	if p.err != nil {
		trail += "\nnothing"
	}
	out := look{trail: trail, words: map[string]bool{}}
	text := tags.ReplaceAllString(notText.ReplaceAllString(string(p.body), " "), " ")
	for _, w := range strings.Fields(text) {
		if len(w) <= maxWord && strings.IndexFunc(w, unicode.IsDigit) < 0 {
			out.words[w] = true
		}
	}
	return out
}

// likeness is from 0 to 2: one for the way to the page, one for its words.
func (l look) likeness(m look) float64 {
	var out float64
	if l.trail == m.trail {
		out++
	}
	both := 0
	for w := range l.words {
		if m.words[w] {
			both++
		}
	}
	all := len(l.words) + len(m.words) - both
	if all == 0 {
		return out + 1
	}
	return out + float64(both)/float64(all)
}

// reference is how the page on which a login ends looks to somebody who is signed in, and to a stranger.
type reference struct {
	address string
	in, out []look
}

// sure is by how much two looks of different things must differ more than two of the same thing.
const sure = 0.01

// tells says whether the two look different: more so than two people who are signed in, or two strangers.
func (r *reference) tells() bool {
	if r == nil || len(r.in) < 2 || len(r.out) < 2 {
		return false
	}
	across, within := 0.0, 2.0
	for i, a := range r.in {
		for _, b := range r.out {
			across = max(across, a.likeness(b))
		}
		for _, b := range r.in[i+1:] {
			within = min(within, a.likeness(b))
		}
	}
	for i, a := range r.out {
		for _, b := range r.out[i+1:] {
			within = min(within, a.likeness(b))
		}
	}
	return across < within-sure
}

// signedIn says which of the two a look is nearer to.
func (r *reference) signedIn(l look) bool {
	best := func(all []look) (out float64) {
		for _, m := range all {
			out = max(out, l.likeness(m))
		}
		return out
	}
	return best(r.in) > best(r.out)
}
