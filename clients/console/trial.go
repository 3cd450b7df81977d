package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/clients/adminapi"
	"github.com/tsunagu-id/tsunagu/clients/rp"
	"github.com/tsunagu-id/tsunagu/internal/ephemeral"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

const (
	pathTrialReturn = "/trial/callback"
	// trialLife is how long a trial can be run and looked at: as long as its twin lives.
	trialLife = time.Hour
	// trialTimeout is how long the steps after the return may take together.
	trialTimeout = 30 * time.Second
)

func (o *Console) mountTrial(e *echo.Echo) {
	e.GET("/clients/:id/trial", o.page((*visit).getTrials))
	e.POST("/clients/:id/trial", o.act((*visit).postTrial))
	e.GET("/clients/:id/trial/:run", o.page((*visit).getTrial))
	e.GET(pathTrialReturn, o.page((*visit).getTrialReturn))
}

// trial is a test sign-in: what was asked, and the steps so far. It is stored sealed, because the last steps show what the hub says about the
// operator who ran it.
type trial struct {
	Service string // client_id
	Twin    adminapi.TestSignIn
	Asked   rp.Asked
	Steps   []trialStep
	Done    bool // nothing will come any more
	Until   time.Time
}

// twin are the members of the twin's metadata that decide how it signs in.
type twin struct {
	Scope    string `json:"scope"`
	Auth     string `json:"token_endpoint_auth_method"`
	Alg      string `json:"id_token_signed_response_alg"`
	Profile  string `json:"profile"`
	Bound    bool   `json:"dpop_bound_access_tokens"`
	Signed   bool   `json:"require_signed_request_object"`
	Grants   []string
	Revision int64 `json:"-"`
}

func (o *Console) rehearse(t *trial) (*rp.Rehearsal, error) {
	var m twin
	if err := json.Unmarshal(t.Twin.Metadata, &m); err != nil {
		return nil, fmt.Errorf("%w: metadata of the twin", errUnreadable)
	}
	if m.Auth == "" {
		m.Auth = "private_key_jwt"
	}
	return o.party.Rehearse(rp.RehearsalConfig{
		ClientID: t.Twin.ClientID, RedirectURI: t.Twin.RedirectURI, Scopes: strings.Fields(m.Scope), AuthMethod: m.Auth, SigningAlg: m.Alg,
		Bound: m.Bound || m.Profile == "fapi2", Signed: m.Signed, Key: o.key,
	})
}

// trialKey names a trial of the person whose session it is: nobody else can come back to it.
func (v *visit) trialKey(kind, id string) string {
	return "trial:1:" + kind + ":" + v.session.Mark("trial "+kind+" "+id)
}

func (v *visit) saveTrial(ctx context.Context, run string, t *trial, old ephemeral.Version, fresh bool) error {
	plain, err := json.Marshal(t)
	if err != nil {
		return fmt.Errorf("encode trial: %w", err)
	}
	key := v.trialKey("run", run)
	sealed := []byte(v.console.party.Seal(key, rp.NewSecret(string(plain))))
	if fresh {
		return v.console.store.Create(ctx, key, sealed, trialLife)
	}
	return v.console.store.Swap(ctx, key, old, sealed, ephemeral.KeepLife)
}

func (v *visit) loadTrial(ctx context.Context, run string) (*trial, ephemeral.Version, error) {
	key := v.trialKey("run", run)
	rec, err := v.console.store.Get(ctx, key)
	if errors.Is(err, ephemeral.ErrNotFound) {
		return nil, rec.Version, &Refusal{adminapi.Problem{Status: http.StatusNotFound, Reason: adminapi.NotFound}}
	}
	if err != nil {
		return nil, rec.Version, fmt.Errorf("load trial: %w", err)
	}
	plain, err := v.console.party.Open(key, string(rec.Value))
	if err != nil {
		return nil, rec.Version, err
	}
	t := &trial{}
	if err := json.Unmarshal([]byte(plain.Reveal()), t); err != nil {
		return nil, rec.Version, fmt.Errorf("decode trial: %w", err)
	}
	return t, rec.Version, nil
}

// trialsView is what trials.html shows.
type trialsView struct{ *service }

// Can reports whether a sign-in can be tried: people sign in, and the operator may.
func (t trialsView) Can() bool {
	return t.may(adminapi.Editor) && t.State != adminapi.StateRetired && (t.Draft != nil || t.Live != nil) && t.Kind != adminapi.KindMachine
}

// Machine reports whether nobody ever signs in to the service.
func (t trialsView) Machine() bool { return t.Kind == adminapi.KindMachine }

// Revisions are what can be tried: the draft, what is live.
func (t trialsView) Revisions() []web.Option {
	var all []web.Option
	if t.Draft != nil {
		n := strconv.FormatInt(t.Draft.Revision, 10)
		all = append(all, web.Option{Value: n, Label: t.text("preflight.of_draft", "revision", n), Selected: true})
	}
	if t.Live != nil {
		all = append(all, web.Option{Value: "0", Label: t.text("preflight.of_live", "version", strconv.FormatInt(t.Live.Version, 10))})
	}
	return all
}

func (v *visit) getTrials() error {
	s, err := v.service(tabTrial)
	if err != nil {
		return err
	}
	return s.show(http.StatusOK, web.Page{Name: "trials", Title: "trials.title", Data: trialsView{s}})
}

// postTrial gets a twin and makes its request. What the browser is sent to the hub with is shown first, and explained.
func (v *visit) postTrial() error {
	ctx := v.echo.Request().Context()
	revision, err := strconv.ParseInt(v.echo.FormValue("revision"), 10, 64)
	if err != nil || revision < 0 {
		return &Refusal{adminapi.Problem{Status: http.StatusBadRequest, Reason: adminapi.Malformed}}
	}
	id := v.echo.Param("id")
	t := &trial{Service: id, Until: v.console.now().Add(trialLife)}
	err = v.call(ctx, http.MethodPost, apiPath("clients", id, "test-sign-in"), adminapi.NewTestSignIn{
		Revision: revision, RedirectURI: v.console.base + pathTrialReturn, JWKS: v.console.key.JWKS(),
	}, &t.Twin)
	if err != nil {
		return err
	}
	rehearsal, err := v.console.rehearse(t)
	if err == nil {
		t.Asked, err = rehearsal.Ask(ctx, v.lang())
	}
	t.Steps = append(t.Steps, v.stepRequest(t.Asked, err))
	t.Done = err != nil
	run := t.Asked.State
	if run == "" {
		return fmt.Errorf("test sign-in: %w", err)
	}
	run = v.trialKey("name", run)[len("trial:1:name:"):]
	if err := v.saveTrial(ctx, run, t, 0, true); err != nil {
		return err
	}
	if !t.Done {
		if err := v.console.store.Create(ctx, v.trialKey("state", t.Asked.State), []byte(run), trialLife); err != nil {
			return fmt.Errorf("store trial: %w", err)
		}
	}
	return v.to(apiPath("clients", id, "trial", run))
}

// getTrialReturn is the twin's redirect URI. It runs the rest of the sign-in, and ends at the page that shows what came of it.
func (v *visit) getTrialReturn() error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(v.echo.Request().Context()), trialTimeout)
	defer cancel()
	raw := v.echo.Request().URL.RawQuery
	run, err := v.console.store.Take(ctx, v.trialKey("state", rp.StateOf(raw)))
	if errors.Is(err, ephemeral.ErrNotFound) {
		return &Refusal{adminapi.Problem{Status: http.StatusNotFound, Reason: adminapi.NotFound}}
	}
	if err != nil {
		return fmt.Errorf("take trial: %w", err)
	}
	t, version, err := v.loadTrial(ctx, string(run))
	if err != nil {
		return err
	}
	t.Steps = append(t.Steps, v.rest(ctx, t, raw)...)
	t.Done = true
	if err := v.saveTrial(ctx, string(run), t, version, false); err != nil {
		return fmt.Errorf("store trial: %w", err)
	}
	return v.to(apiPath("clients", t.Service, "trial", string(run)))
}

// rest runs the steps after the return, up to the first that fails.
func (v *visit) rest(ctx context.Context, t *trial, rawQuery string) []trialStep {
	rehearsal, err := v.console.rehearse(t)
	if err != nil {
		return []trialStep{v.step("return", err)}
	}
	code, err := rehearsal.Returned(ctx, t.Asked, rawQuery)
	steps := []trialStep{v.stepReturn(rawQuery, err)}
	if err != nil {
		return steps
	}
	given, err := rehearsal.Redeem(ctx, t.Asked, code)
	steps = append(steps, v.stepToken(given, err))
	if err != nil {
		return steps
	}
	token, err := rehearsal.Check(ctx, t.Asked, given)
	steps = append(steps, v.stepIDToken(token, err))
	if err == nil {
		var said json.RawMessage
		said, err = rehearsal.UserInfo(ctx, given, token)
		steps = append(steps, v.stepUserInfo(said, err))
	}
	return append(steps, v.step("end", rehearsal.End(ctx, given))) // whatever came before: nothing of a trial is left behind
}

// trialView is what trial.html shows.
type trialView struct {
	*service
	Trial *trial
}

// Go is where the sign-in goes on; empty: it is over.
func (t trialView) Go() string {
	if t.Trial.Done || !t.console.now().Before(t.Trial.Until) {
		return ""
	}
	return t.Trial.Asked.Address
}

// Well reports whether every step was.
func (t trialView) Well() bool {
	return t.Trial.Done && !slices.ContainsFunc(t.Trial.Steps, func(s trialStep) bool { return !s.OK })
}

// Numbered are the steps, for the summary at the top: those to come as well.
func (t trialView) Numbered() []web.Step {
	var all []web.Step
	for i, name := range []string{"request", "return", "token", "id_token", "userinfo", "end"} {
		step := web.Step{Label: t.text("trial." + name), State: "todo"}
		if i < len(t.Trial.Steps) {
			step.State = "done"
		}
		for _, s := range t.Trial.Steps {
			if s.Name == name && !s.OK {
				step.State, step.Text = "error", s.Problem
			}
		}
		if i == len(t.Trial.Steps) && !t.Trial.Done {
			step.State = "current"
		}
		all = append(all, step)
	}
	return all
}

func (v *visit) getTrial() error {
	s, err := v.service(tabTrial)
	if err != nil {
		return err
	}
	t, _, err := v.loadTrial(v.echo.Request().Context(), v.echo.Param("run"))
	if err != nil {
		return err
	}
	if t.Service != s.ClientID {
		return &Refusal{adminapi.Problem{Status: http.StatusNotFound, Reason: adminapi.NotFound}}
	}
	return s.show(http.StatusOK, web.Page{Name: "trial", Title: "trial.title", Data: trialView{service: s, Trial: t}})
}

// sortedNames are the names of values in a steady order, those in first before the rest.
func sortedNames(values url.Values, first ...string) []string {
	var rest []string
	for name := range values {
		if !slices.Contains(first, name) {
			rest = append(rest, name)
		}
	}
	slices.Sort(rest)
	return append(slices.DeleteFunc(slices.Clone(first), func(name string) bool { return !values.Has(name) }), rest...)
}
