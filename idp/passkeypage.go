package idp

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/federation"
	"github.com/tsunagu-id/tsunagu/idp/passkey"
	"github.com/tsunagu-id/tsunagu/internal/audit"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

const (
	passkeysPath   = "/account/passkeys"
	passkeyNewPath = passkeysPath + "/new"
)

// freshCard is how old a card login may be for what gives somebody a lasting way in.
const freshCard = 10 * time.Minute

// getPasskeys lists a person's passkeys.
func (p *Provider) getPasskeys(c echo.Context) error {
	if err := p.passkeysOff(); err != nil {
		return err
	}
	s, err := p.ownPage(c, passkeysPath)
	if err != nil || s == nil {
		return err
	}
	all, err := p.passkeys.of(c.Request().Context(), s.Account)
	if err != nil {
		return err
	}
	v := passkeysView{Most: maxPasskeys}
	v.Live, v.Old = viewsOfPasskeys(all, s)
	v.Full, v.Shared = len(v.Live) >= maxPasskeys, s.Shared
	switch done := c.QueryParam("done"); done { // only these words become part of the page
	case "added", "renamed", "removed":
		v.Done = done
	}
	p.site.Render(c.Response(), c.Request(), http.StatusOK, web.Page{Name: "passkeys", Title: "passkeys.title", SignedIn: true, Data: v})
	return nil
}

func viewsOfPasskeys(all []storedPasskey, s *session) (live, old []passkeyView) {
	for _, k := range all {
		v := passkeyView{ID: k.ID, Name: k.Name, Made: k.Made, Used: k.Used, Suspect: k.Suspect, Ended: k.Ended, Here: s.Passkey == k.ID}
		if !k.Ended.IsZero() {
			old = append(old, v)
			continue
		}
		v.Synced, v.BackedUp = k.Cred.Synced()
		live = append(live, v)
	}
	slices.SortStableFunc(live, func(a, b passkeyView) int { return b.Made.Compare(a.Made) })
	return live, old
}

// ownPasskey returns the session and the passkey of the address, or has answered.
func (p *Provider) ownPasskey(c echo.Context) (*session, storedPasskey, error) {
	if err := p.passkeysOff(); err != nil {
		return nil, storedPasskey{}, err
	}
	s, err := p.ownPage(c, passkeysPath)
	if err != nil || s == nil {
		return nil, storedPasskey{}, err
	}
	all, err := p.passkeys.of(c.Request().Context(), s.Account)
	if err != nil {
		return nil, storedPasskey{}, err
	}
	for _, k := range all {
		if k.ID == c.Param("id") && k.Ended.IsZero() {
			return s, k, nil
		}
	}
	return nil, storedPasskey{}, &Error{Reason: NotFound, Detail: "no such passkey of this person"}
}

// getPasskey is the page of one passkey: its name.
func (p *Provider) getPasskey(c echo.Context) error {
	s, key, err := p.ownPasskey(c)
	if err != nil || s == nil {
		return err
	}
	p.showPasskey(c, http.StatusOK, passkeyNameView{ID: key.ID, Name: key.Name, Most: maxPasskeyName})
	return nil
}

func (p *Provider) showPasskey(c echo.Context, status int, v passkeyNameView) {
	page := web.Page{Name: "passkey-name", Title: "passkey.name.title", SignedIn: true, Fill: true, Data: v}
	if v.Problem != "" {
		page.Error = "passkey_name"
	}
	p.site.Render(c.Response(), c.Request(), status, page)
}

// postPasskey gives a passkey another name.
func (p *Provider) postPasskey(c echo.Context) error {
	form, err := readForm(c.Request())
	if err != nil {
		return &Error{Reason: BadRequest, Detail: "passkey name", Err: err}
	}
	s, key, err := p.ownPasskey(c)
	if err != nil || s == nil {
		return err
	}
	name, wrong := parsePasskeyName(form.Get("name"))
	if wrong != "" {
		p.showPasskey(c, http.StatusUnprocessableEntity, passkeyNameView{ID: key.ID, Name: form.Get("name"), Most: maxPasskeyName, Problem: string(wrong)})
		return nil
	}
	there, err := p.passkeys.rename(c.Request().Context(), s.Account, key.ID, name, func(ctx context.Context) error {
		return p.record(ctx, audit.Event{Kind: eventPasskeyRenamed, Account: string(s.Account), Session: s.ID, Facts: map[string]string{"passkey": key.ID}})
	})
	if err != nil {
		return err
	}
	if !there {
		return &Error{Reason: NotFound, Detail: "passkey removed meanwhile"}
	}
	return c.Redirect(http.StatusSeeOther, passkeysPath+"?done=renamed")
}

// problemEmpty is a name that is none.
const problemEmpty problem = "empty"

// parsePasskeyName returns what a citizen calls a passkey: one line of at most maxPasskeyName characters that can be seen.
func parsePasskeyName(written string) (string, problem) {
	rule := attributeRule{parse: text(maxPasskeyName)}
	name, wrong := parseAttribute(rule, written, time.Time{})
	if wrong == "" && name == "" {
		wrong = problemEmpty
	}
	return name, wrong
}

func (p *Provider) getPasskeyRemove(c echo.Context) error {
	s, key, err := p.ownPasskey(c)
	if err != nil || s == nil {
		return err
	}
	p.site.Render(c.Response(), c.Request(), http.StatusOK, web.Page{
		Name: "passkey-remove", Title: "passkey.remove.title", SignedIn: true, OpenForm: true,
		Data: passkeyView{ID: key.ID, Name: key.Name, Here: s.Passkey == key.ID},
	})
	return nil
}

// postPasskeyRemove removes a passkey with every session it made. Any session of the person may do so: less is never worse.
func (p *Provider) postPasskeyRemove(c echo.Context) error {
	s, key, err := p.ownPasskey(c)
	if err != nil || s == nil {
		return err
	}
	ctx := c.Request().Context()
	here := s.Passkey == key.ID
	what := whatEnds{Passkey: key.ID, In: s.ID}
	end := ending{session: s.ID}
	if here {
		if end.front, err = p.front(ctx, s); err != nil {
			return err
		}
		what.Front = end.front
	}
	if end.batch, err = p.endSessions(ctx, s.Account, what, federation.LogoutPasskeyRemoved); err != nil {
		return err
	}
	if !here {
		return c.Redirect(http.StatusSeeOther, passkeysPath+"?done=removed")
	}
	p.site.ClearCookie(c.Response(), string(s.slot), "/")
	p.site.ClearCookie(c.Response(), cookieWay, "/")
	p.setBrowserState(c, newSecret(), 0)
	to, err := p.signedOutPage(c, end, logoutRequest{})
	if err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, to)
}

// cardPage is ownPage for what only a card login of the last minutes may do; with less the citizen is sent to use the card.
func (p *Provider) cardPage(c echo.Context, path string) (*session, error) {
	s, err := p.ownPage(c, path)
	if err != nil || s == nil || p.byFreshCard(s, freshCard) {
		return s, err
	}
	return nil, p.advance(c, &transaction{State: Received, Return: path, Card: true, StartedAt: p.now().Unix()})
}

func (p *Provider) byFreshCard(s *session, within time.Duration) bool {
	return s.ACR == ACRCard && p.now().Sub(time.Unix(s.AuthTime, 0)) <= within
}

// getPasskeyNew is the page whose script has the authenticator make a passkey.
func (p *Provider) getPasskeyNew(c echo.Context) error {
	if err := p.passkeysOff(); err != nil {
		return err
	}
	s, err := p.cardPage(c, passkeyNewPath)
	if err != nil || s == nil {
		return err
	}
	if s.Shared {
		return c.Redirect(http.StatusSeeOther, passkeysPath)
	}
	ctx := c.Request().Context()
	ok, _, err := p.limiter.Allow(ctx, p.loginRate, "passkey:"+string(s.Account))
	if err != nil {
		return err
	}
	if !ok {
		return &Error{Reason: TooMany, Detail: "new passkeys of one person"}
	}
	all, err := p.passkeys.of(ctx, s.Account)
	if err != nil {
		return err
	}
	all = slices.DeleteFunc(all, func(k storedPasskey) bool { return !k.Ended.IsZero() })
	if len(all) >= maxPasskeys {
		return p.refuseNewPasskey(c, s, &passkey.Error{Reason: passkey.TooMany, Detail: "as many as an account may have"})
	}
	name := p.passkeyName(c)
	owner := passkey.Owner{Name: name, Site: p.site.Text(c.Request(), "site.name")}
	for _, k := range all {
		owner.Known = append(owner.Known, k.Cred)
	}
	if owner.Handle, err = p.passkeys.handle(ctx, s.Account); err != nil {
		return err
	}
	options, challenge, err := p.party.Creation(owner)
	if err != nil {
		return err
	}
	if err := p.offerChallenge(ctx, challenge, passkeyChallenge{Session: s.ID, Account: s.Account}); err != nil {
		return err
	}
	p.site.Render(c.Response(), c.Request(), http.StatusOK, web.Page{
		Name: "passkey-new", Title: "passkey.new.title", SignedIn: true, Fill: true,
		Data: passkeyNewView{Name: name, Most: maxPasskeyName, Challenge: challenge, Options: string(options)},
	})
	return nil
}

// passkeyName is what a new passkey is called until its owner says otherwise: the device that it is made on.
func (p *Provider) passkeyName(c echo.Context) string {
	device := strings.TrimSpace(deviceOf(c.Request().UserAgent()))
	if device == "" {
		return p.site.Text(c.Request(), "passkey.name.default")
	}
	return device
}

// postPasskeyNew stores the passkey that the authenticator made. The challenge is spent before anything else is looked at.
func (p *Provider) postPasskeyNew(c echo.Context) error {
	if err := p.passkeysOff(); err != nil {
		return err
	}
	form, err := readForm(c.Request())
	if err != nil {
		return &Error{Reason: BadRequest, Detail: "new passkey", Err: err}
	}
	ctx := c.Request().Context()
	challenge := form.Get("challenge")
	what, spent := p.spendChallenge(ctx, challenge)
	s, err := p.ownPage(c, passkeysPath)
	if err != nil || s == nil {
		return err
	}
	// The citizen may have signed in again meanwhile, by less than the card: then it is as if she had not been asked.
	if spent == nil && (what.Session != s.ID || what.Account != s.Account || !p.byFreshCard(s, freshCard+passkey.Patience)) {
		spent = &passkey.Error{Reason: passkey.ChallengeSpent, Detail: "challenge of another session"}
	}
	if spent != nil {
		return p.refuseNewPasskey(c, s, spent)
	}
	name, wrong := parsePasskeyName(form.Get("name"))
	if wrong != "" { // the device has made it: no reason to lose it
		name = p.passkeyName(c)
	}
	if err := p.keepPasskey(ctx, s, challenge, []byte(form.Get("credential")), name); err != nil {
		return p.refuseNewPasskey(c, s, err)
	}
	return c.Redirect(http.StatusSeeOther, passkeysPath+"?done=added")
}

func (p *Provider) keepPasskey(ctx context.Context, s *session, challenge string, body []byte, name string) error {
	a, err := passkey.ParseAttestation(body)
	if err != nil {
		return err
	}
	handle, err := p.passkeys.handle(ctx, s.Account)
	if err != nil {
		return err
	}
	made, err := p.party.Register(challenge, handle, a)
	if err != nil {
		return err
	}
	return p.passkeys.add(ctx, s, made, name, func(ctx context.Context, id string) error {
		kind := "device"
		if eligible, _ := made.Synced(); eligible {
			kind = "synced"
		}
		return p.record(ctx, audit.Event{Kind: eventPasskeyAdded, Account: string(s.Account), Session: s.ID, Facts: map[string]string{"passkey": id, "kind": kind}})
	})
}

// refuseNewPasskey says why no passkey was made.
func (p *Provider) refuseNewPasskey(c echo.Context, s *session, err error) error {
	reason, err := p.notePasskeyRefused(c, err, audit.Event{Account: string(s.Account), Session: s.ID})
	if err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, passkeyNewPath+"/refused?"+url.Values{"reason": {reason.String()}}.Encode())
}

func (p *Provider) getPasskeyNewRefused(c echo.Context) error {
	if err := p.passkeysOff(); err != nil {
		return err
	}
	reason, ok := passkey.ParseReason(c.QueryParam("reason"))
	if !ok || !passkeyAtRegistration(reason) {
		return &Error{Reason: NotFound}
	}
	s, err := p.ownPage(c, passkeysPath)
	if err != nil || s == nil {
		return err
	}
	p.site.Render(c.Response(), c.Request(), passkeyStatus(reason), web.Page{
		Name: "passkey-new-refused", Title: "passkey.new.refused.title", Error: reason.String(), SignedIn: true,
		Data: passkeyRefusedView{Reason: reason.String(), Again: reason != passkey.TooMany && reason != passkey.AlreadyThere},
	})
	return nil
}
