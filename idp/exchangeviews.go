package idp

import (
	"context"
	"time"

	"github.com/tsunagu-id/tsunagu/federation"
	"github.com/tsunagu-id/tsunagu/federation/exchange"
)

// latestExchanges is how many the account page shows.
const latestExchanges = 5

// exchangeView is an exchange between offices as the citizen reads it. Outcome is also the message that explains it.
type exchangeView struct {
	At                                 time.Time
	Open                               bool // there is content
	Requester, Provider, Item, Purpose string
	Outcome                            string
}

// exchangesOf returns the latest that offices asked about a person.
func (p *Provider) exchangesOf(ctx context.Context, account federation.AccountID, lang string) ([]exchangeView, error) {
	page, err := p.exchanges.List(ctx, account, exchange.Filter{Limit: latestExchanges})
	if err != nil {
		return nil, err
	}
	var out []exchangeView
	for _, v := range page.Views {
		view := exchangeView{At: v.Requested, Open: v.Open, Outcome: string(v.Outcome)}
		if v.Ground != exchange.Disclosed {
			view.Outcome = "withheld"
		}
		if v.Open {
			view.Requester, view.Provider = nameOfOffice(v.Requester, lang), nameOfOffice(v.Provider, lang)
			view.Item, view.Purpose = v.ItemName.In(lang), v.PurposeName.In(lang)
			if view.Item == "" { // refused: no basis names it
				view.Item = v.Item.String()
			}
			if view.Purpose == "" {
				view.Purpose = v.Purpose.String()
			}
		}
		out = append(out, view)
	}
	return out, nil
}

func nameOfOffice(o exchange.Party, lang string) string {
	return exchange.Text{JA: o.Name, EN: o.EN}.In(lang)
}
