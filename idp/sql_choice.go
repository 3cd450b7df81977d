package idp

import (
	"context"
	"errors"
	"fmt"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/federation"
)

// choice is a rule that a person has made for her own sign-ins.
type choice string

const (
	choiceAlwaysCard choice = "always_card" // for one service: each sign-in reads the card
	choiceApart      choice = "apart"       // for all: government and private services share no session
)

// choices are those that matter to one service.
type choices struct {
	AlwaysCard, Apart bool
}

// choicesFor returns what a person chose for a service; with client "", for all of them.
func (a accounts) choicesFor(ctx context.Context, id federation.AccountID, client clients.ID) (out choices, err error) {
	rows, err := a.db.Query(ctx, `SELECT rule FROM session_choice WHERE account = $1 AND client IN ('', $2)`, string(id), string(client))
	if err != nil {
		return out, fmt.Errorf("read choices: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var c choice
		if err := rows.Scan(&c); err != nil {
			return out, fmt.Errorf("read choices: %w", err)
		}
		switch c {
		case choiceAlwaysCard:
			out.AlwaysCard = true
		case choiceApart:
			out.Apart = true
		}
	}
	return out, rows.Err()
}

// choose writes a choice, or takes it back, and says whether that changed anything; then runs in the same transaction if it did.
func (a accounts) choose(ctx context.Context, id federation.AccountID, client clients.ID, c choice, yes bool, then func(context.Context) error) error {
	return a.db.Tx(ctx, func(ctx context.Context) error {
		var n int64
		var err error
		if yes {
			n, err = a.db.Exec(ctx, `INSERT INTO session_choice (account, client, rule, since) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`,
				string(id), string(client), string(c), a.now().Unix())
		} else {
			n, err = a.db.Exec(ctx, `DELETE FROM session_choice WHERE account = $1 AND client = $2 AND rule = $3`, string(id), string(client), string(c))
		}
		if err != nil {
			return fmt.Errorf("write choice: %w", err)
		}
		if n == 0 {
			return nil
		}
		return then(ctx)
	})
}

// maxChoices bounds what is read of one person: she agrees to fewer services.
const maxChoices = 1000

// alwaysCard returns the services for which a person wants her card asked for at each sign-in.
func (a accounts) alwaysCard(ctx context.Context, id federation.AccountID) (out map[clients.ID]bool, err error) {
	rows, err := a.db.Query(ctx, `SELECT client FROM session_choice WHERE account = $1 AND rule = $2 LIMIT $3`, string(id), string(choiceAlwaysCard), maxChoices)
	if err != nil {
		return nil, fmt.Errorf("read choices: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	out = map[clients.ID]bool{}
	for rows.Next() {
		var client clients.ID
		if err := rows.Scan(&client); err != nil {
			return nil, fmt.Errorf("read choices: %w", err)
		}
		out[client] = true
	}
	return out, rows.Err()
}
