package idp

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/federation"
	"github.com/tsunagu-id/tsunagu/internal/audit"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

// getConsent shows what a service is about to be given.
func (p *Provider) getConsent(c echo.Context) error {
	ctx := c.Request().Context()
	tx, err := p.ownTransaction(c, c.QueryParam("tx"))
	if err != nil {
		return err
	}
	s, con, step, err := p.where(c, tx)
	if err != nil {
		return err
	}
	if step != StepConsent || s == nil {
		return p.advance(c, tx)
	}
	client, err := p.client(ctx, tx.Request.Client)
	if err != nil {
		return err
	}
	service, err := p.serviceOf(c, tx)
	if err != nil {
		return err
	}
	lang := p.site.Lang(c.Request())
	v := consentView{Tx: tx.ID, Service: service, Device: tx.Device != ""}
	var confirmed []consentItem
	for _, scope := range p.grantable(client, tx.Asked) {
		if scope == "offline_access" {
			v.Offline = true
			continue
		}
		item := consentItem{
			Scope: scope, Label: "scope." + scope, Purpose: client.Purpose(scope, lang),
			Added: con.ID != 0 && !slices.Contains(con.Scopes, scope),
		}
		v.More = v.More || item.Added
		if claimOfVerifiedScope(scope) != "" {
			confirmed = append(confirmed, item)
			continue
		}
		if claimsOfScope[scope] != nil {
			if item.Details, err = p.detailsShown(c, s, scope); err != nil {
				return err
			}
			item.Personal, v.Personal = true, true
		}
		v.Items = append(v.Items, item)
	}
	if v.Verified, err = p.verifiedShown(c, s, confirmed); err != nil {
		return err
	}
	if v.Details, err = p.detailViews(c.Request(), tx.Request.Details, v.Service.Name); err != nil {
		return err
	}
	p.site.Render(c.Response(), c.Request(), http.StatusOK, web.Page{
		Name: "consent", Title: "consent.title", TitleArgs: []string{"service", v.Service.Name}, OpenForm: true, Data: v,
	})
	return nil
}

// where tells how far a stored login is.
func (p *Provider) where(c echo.Context, tx *transaction) (*session, consent, Step, error) {
	s, err := p.sessionFor(c, tx)
	if err != nil {
		return nil, consent{}, 0, err
	}
	sit, con, err := p.situation(c.Request().Context(), tx, s)
	if err != nil {
		return nil, con, 0, err
	}
	step, _ := next(sit, p.now())
	return s, con, step, nil
}

// postConsent takes the citizen's decision.
func (p *Provider) postConsent(c echo.Context) error {
	ctx := c.Request().Context()
	tx, err := p.ownTransaction(c, c.FormValue("tx"))
	if err != nil {
		return err
	}
	s, _, step, err := p.where(c, tx)
	if err != nil {
		return err
	}
	if step != StepConsent || s == nil {
		return p.advance(c, tx)
	}
	id := tx.Request.Client
	switch c.FormValue("decision") {
	case "allow":
		// The transaction first: of "share" and "do not share" pressed together one wins. A crash before the consent is stored asks
		// again, because the citizen has decided only once that is recorded.
		if tx.State != Consented {
			if err := tx.move(Consented); err != nil {
				return err
			}
		}
		if err := p.transactions.save(ctx, tx); err != nil {
			return err
		}
		if err := p.db.Tx(ctx, func(ctx context.Context) error {
			first, err := p.accounts.agree(ctx, s.Account, id, tx.Asked)
			if err != nil {
				return fmt.Errorf("store consent: %w", err)
			}
			facts := consentFacts(tx)
			if first {
				facts["first"] = "yes"
			}
			return p.record(ctx, audit.Event{Kind: eventConsent, Account: string(s.Account), Client: string(id), Session: s.ID, Facts: facts})
		}); err != nil {
			return err
		}
		tx.Decided = true
		if err := p.transactions.save(ctx, tx); err != nil {
			return err
		}
		return p.advance(c, tx)
	case "deny":
		if err := p.record(ctx, audit.Event{Kind: eventConsentDenied, Account: string(s.Account), Client: string(id), Session: s.ID}); err != nil {
			return err
		}
		return p.refuse(c, tx, &oauthError{code: "access_denied", description: "the citizen did not agree"})
	}
	return &Error{Reason: BadRequest, Detail: "decision is neither allow nor deny"}
}

// consentFacts is what the audit log keeps of what was agreed to.
func consentFacts(tx *transaction) map[string]string {
	facts := map[string]string{"scopes": scopeText(tx.Asked)}
	if r := tx.Request; len(r.Details) > 0 {
		facts["details"] = detailText(r.Details)
	}
	return facts
}

// endService withdraws what a service may do for a person: the consent, and with it every grant. If the person cut the tie, the
// service is told to end its sessions as well; a service that did so itself knows.
func (p *Provider) endService(ctx context.Context, account federation.AccountID, id clients.ID, by federation.Actor) error {
	ended, err := p.accounts.endConsent(ctx, account, id)
	if err != nil || !ended || by == federation.ByService {
		return err
	}
	// Her representatives entered by her consent. The service knows those sessions by their names alone.
	uses, err := p.mandates.EnteredAt(ctx, account, id, p.oldestSession())
	if err != nil {
		return fmt.Errorf("read uses of mandates: %w", err)
	}
	_, err = p.deliveries.Enqueue(ctx, federation.LogoutLinkEnded, append(noticesOf(uses), federation.Notice{Account: account, Client: id}))
	return err
}
