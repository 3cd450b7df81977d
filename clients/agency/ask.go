package agency

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/tsunagu-id/tsunagu/clients/rp"
)

const (
	// askTimeout is less than the hold: whoever holds an inquiry is done before somebody else takes it over.
	askTimeout = outboxHold - 10*time.Second
	// tokenSlack is how much life a token must have left to be shown to anybody.
	tokenSlack = 5 * time.Second
)

// The reasons of an inquiry that are our own words, beside those of the hub (docs/integrating.md).
const (
	hubSilent        = "hub_silent"        // waiting: the hub does not answer
	officeSilent     = "office_silent"     // waiting: the other office does not answer
	officeRefused    = "office_refused"    // the other office does not take the question
	answerUnreadable = "answer_unreadable" // or answers something that we do not understand
	itemUnknown      = "item_unknown"      // the item is not in our configuration any more
)

// ask works on an inquiry that the caller holds. Its error is of the database only: what others do is written into the row.
func (o *Office) ask(ctx context.Context, i *inquiry) error {
	keep := context.WithoutCancel(ctx) // what was answered is written down
	ctx, cancel := context.WithTimeout(keep, askTimeout)
	defer cancel()
	q, ok := o.inquiryOf(i.item)
	if !ok {
		return o.refuse(keep, i, itemUnknown)
	}
	a, err := o.application(ctx, "id", i.caseID)
	if err != nil || a == nil {
		return errors.Join(err, ctx.Err())
	}
	if i.token == "" || !i.tokenUntil.After(o.now().Add(tokenSlack)) {
		t, err := o.party.Exchange(ctx, a.sub, q.Resource, rp.ExchangeDetails{Basis: q.Basis, Purpose: q.Purpose, Items: []string{q.Item}})
		if err != nil {
			return o.notAllowed(keep, i, err)
		}
		i.exchange, i.token, i.tokenUntil = t.ID, o.party.Seal(i.seal(), t.Access), t.Expires
		if held, err := keepToken(keep, o.db, i); err != nil || !held {
			return err
		}
	}
	token, err := o.party.Open(i.seal(), i.token)
	if err != nil {
		return err
	}
	var answer itemAnswer
	err = o.party.Present(ctx, token, http.MethodPost, strings.TrimSuffix(q.Resource, "/")+"/"+i.item, nil, &answer)
	if err != nil {
		return o.notAnswered(keep, i, err)
	}
	if err := answer.check(i); err != nil {
		o.log.WarnContext(ctx, "answer of another office not understood", "exchange", i.exchange, "err", err)
		return o.refuse(keep, i, answerUnreadable)
	}
	if i.answer, err = o.sealAnswer(i, answer); err != nil {
		return err
	}
	i.state, i.reason, i.result = answered, "", answer.Result
	return settle(keep, o.db, i, o.now())
}

// notAllowed deals with what the hub said in place of a token.
func (o *Office) notAllowed(ctx context.Context, i *inquiry, err error) error {
	e, ok := errors.AsType[*rp.Error](err)
	if !ok || e.Reason == rp.HubUnreachable {
		o.log.InfoContext(ctx, "hub did not answer to an inquiry", "err", err, "tries", i.tries)
		return postpone(ctx, o.db, i, o.now().Add(pause(i.tries)), hubSilent)
	}
	o.log.WarnContext(ctx, "inquiry refused by the hub", "err", err)
	reason := e.Word
	if reason == "" {
		reason = "hub_refused"
	}
	return o.refuse(ctx, i, reason)
}

// notAnswered deals with what the other office said in place of an answer. A token that it does not take is not shown again: a new one
// may be taken.
func (o *Office) notAnswered(ctx context.Context, i *inquiry, err error) error {
	e, ok := errors.AsType[*rp.Error](err)
	if ok && e.Reason == rp.SignedOut {
		i.token = ""
	}
	if !ok || e.Reason == rp.HubUnreachable || e.Reason == rp.SignedOut && i.tries < maxTokens {
		o.log.InfoContext(ctx, "another office did not answer to an inquiry", "exchange", i.exchange, "err", err, "tries", i.tries)
		return postpone(ctx, o.db, i, o.now().Add(pause(i.tries)), officeSilent)
	}
	o.log.WarnContext(ctx, "inquiry refused by another office", "exchange", i.exchange, "err", err)
	return o.refuse(ctx, i, officeRefused)
}

// maxTokens bounds the exchanges that are tried on an office that takes none of the tokens.
const maxTokens = 3

func (o *Office) refuse(ctx context.Context, i *inquiry, reason string) error {
	i.state, i.reason = refused, reason
	return settle(ctx, o.db, i, o.now())
}

// askNow lets a clerk's inquiry be dealt with at once, if nobody is at it already.
func (o *Office) askNow(ctx context.Context, caseID, item, clerk string) error {
	ctx = context.WithoutCancel(ctx)
	if err := openInquiry(ctx, o.db, caseID, item, clerk, o.now()); err != nil {
		return err
	}
	i, err := claimThis(ctx, o.db, caseID, item, o.now())
	if err != nil || i == nil {
		return err
	}
	return o.ask(ctx, i)
}

// askDue works through what waits.
func (o *Office) askDue(ctx context.Context) error {
	for ctx.Err() == nil {
		i, err := claimInquiry(ctx, o.db, o.now())
		if err != nil || i == nil {
			return err
		}
		if err := o.ask(ctx, i); err != nil {
			return err
		}
	}
	return nil
}

func (o *Office) inquiryOf(item string) (Inquiry, bool) {
	for _, q := range o.config.Inquiries {
		if q.Item == item {
			return q, true
		}
	}
	return Inquiry{}, false
}
