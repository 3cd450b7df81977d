package main

import (
	"context"
	"errors"
	"slices"
	"strconv"

	"github.com/tsunagu-id/tsunagu/cardauth/agent"
	"github.com/tsunagu-id/tsunagu/cardauth/jpki"
	"github.com/tsunagu-id/tsunagu/cardauth/pcsc"
)

var _ agent.Reader = readers{}

// readers offers the card app what is in this computer's readers. A card is called by its reader's name and the number of its
// insertion, so that what a citizen chose or confirmed for one card does not count for another put in its place.
type readers struct {
	pcsc *pcsc.Readers
	only string // the one reader to look at; empty: all of them
}

func openReaders(only string) (readers, error) {
	r, err := pcsc.Open()
	return readers{pcsc: r, only: only}, err
}

// Cards lists the readers that hold a card.
func (r readers) Cards(ctx context.Context) ([]agent.CardChoice, error) {
	slots, err := r.pcsc.Slots(ctx)
	if err != nil {
		return nil, cardError(err)
	}
	var out []agent.CardChoice
	there := r.only == ""
	for _, s := range slots {
		if r.only != "" && s.Reader != r.only {
			continue
		}
		there = true
		if s.Card {
			out = append(out, agent.CardChoice{Name: nameOf(s), LabelJA: s.Reader + " のカード", LabelEN: "Card in " + s.Reader})
		}
	}
	if !there {
		return nil, &agent.Error{Reason: agent.ReaderMissing, Detail: "the configured reader is not connected"}
	}
	return out, nil
}

func nameOf(s pcsc.Slot) string { return s.Reader + "#" + strconv.Itoa(int(s.Insertion)) }

// Connect takes a card until release: one that Cards named, or with a reader's name alone whatever is in it. The reader is looked at
// once more when the card is ours: one that was put in since is not the one that was meant.
func (r readers) Connect(ctx context.Context, name string) (jpki.Transmitter, func(), error) {
	before, err := r.pcsc.Slots(ctx)
	if err != nil {
		return nil, nil, cardError(err)
	}
	meant := func(s pcsc.Slot) bool { return s.Reader == name || nameOf(s) == name }
	at := slices.IndexFunc(before, meant)
	if at < 0 {
		return nil, nil, &agent.Error{Reason: agent.CardMissing, Detail: "no such card, or another one is in its reader"}
	}
	s, err := r.pcsc.Connect(ctx, before[at].Reader)
	if err != nil {
		return nil, nil, cardError(err)
	}
	after, err := r.pcsc.Slots(ctx)
	if err == nil && slices.ContainsFunc(after, meant) {
		return s, s.Close, nil
	}
	s.Close()
	if err != nil {
		return nil, nil, cardError(err)
	}
	return nil, nil, &agent.Error{Reason: agent.CardMissing, Detail: "another card is in the reader"}
}

// cardError says in the card app's words why a reader could not be used.
func cardError(err error) error {
	e, ok := errors.AsType[*pcsc.Error](err)
	if !ok {
		return err
	}
	out := &agent.Error{Reason: agent.Internal, Detail: e.Detail, Err: e.Err}
	switch e.Reason {
	case pcsc.ServiceMissing:
		out.Reason = agent.ServiceMissing
	case pcsc.ReaderMissing:
		out.Reason = agent.ReaderMissing
	case pcsc.CardMissing:
		out.Reason = agent.CardMissing
	case pcsc.ReaderBusy:
		out.Reason = agent.ReaderBusy
	case pcsc.CardMute:
		return &jpki.Error{Reason: jpki.CardFault, Detail: e.Detail, Err: e.Err}
	case pcsc.NotBuilt, pcsc.Fault:
	}
	return out
}
