package idp

import "github.com/tsunagu-id/tsunagu/internal/metrics"

// figures are what operators see of logins. Label values are the closed sets of reasons and levels.
type figures struct {
	cards  *metrics.Counter // by outcome: good, or the word of a cardauth.Reason
	logins *metrics.Counter // by acr
}

// cardGood is the outcome of a card response that was not refused.
const cardGood = "good"

func newFigures(r *metrics.Registry) figures {
	f := figures{
		cards:  r.Counter("tsunagu_card_responses_total", "Answers of cards to a challenge, by outcome: good, or the reason of the refusal.", "outcome"),
		logins: r.Counter("tsunagu_logins_total", "Sessions that a login made, by level.", "acr"),
	}
	f.cards.Add(0, cardGood) // shown from the start
	return f
}
