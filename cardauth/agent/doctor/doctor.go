package doctor

import (
	"context"
	"strconv"
	"time"

	"github.com/tsunagu-id/tsunagu/cardauth/agent"
	"github.com/tsunagu-id/tsunagu/cardauth/jpki"
)

// Patient is what is looked at; *agent.Agent is one.
type Patient interface {
	Cards(ctx context.Context) ([]agent.CardChoice, error)
	Inspect(ctx context.Context, card string) (agent.Facts, error)
	Hubs(ctx context.Context) []agent.HubState
}

// Deps is what Examine needs.
type Deps struct {
	Patient Patient
	Version string
	// Running asks whether the card app answers where browsers are sent to, and in which version; "" if it tells none.
	Running func(ctx context.Context) (version string, ok bool)
	// Installed says whether links lead to the card app and whether it starts at login; known is false where it cannot be told.
	Installed func() (link, start, known bool)
	Troubles  []agent.Trouble // the last ones, oldest first
	Now       func() time.Time
}

// State is how a check came out.
type State string

// The states of a check.
const (
	Good    State = "good"
	Notice  State = "notice"  // a login works, but look at it
	Failing State = "failing" // a login does not work
	Skipped State = "skipped" // cannot be told
)

// Check is one thing that was looked at.
type Check struct {
	ID    string
	State State
	Code  string   // trouble code, if a page would show one
	key   string   // of the text
	args  []string // name, value, …
}

// Report is everything that was looked at, in the order in which to repair it.
type Report struct {
	At       time.Time
	Version  string
	Checks   []Check
	Troubles []agent.Trouble
}

// soon is how long before the end of a certificate people are told.
const soon = 90 * 24 * time.Hour

// Works says whether a login would work.
func (r Report) Works() bool {
	_, failing := r.First()
	return !failing
}

// First is the first check that has to be repaired.
func (r Report) First() (Check, bool) {
	for _, c := range r.Checks {
		if c.State == Failing {
			return c, true
		}
	}
	return Check{}, false
}

// Examine looks at everything.
func Examine(ctx context.Context, d Deps) Report {
	r := Report{At: d.Now().UTC().Truncate(time.Second), Version: d.Version, Troubles: d.Troubles}
	r.Checks = append(r.Checks, good("version", "version", d.Version))
	r.Checks = append(r.Checks, d.app(ctx))
	r.Checks = append(r.Checks, d.cards(ctx)...)
	r.Checks = append(r.Checks, d.hubs(ctx)...)
	r.Checks = append(r.Checks, d.installed()...)
	return r
}

// Cards looks at the readers and cards alone.
func Cards(ctx context.Context, d Deps) Report {
	return Report{At: d.Now().UTC().Truncate(time.Second), Version: d.Version, Checks: d.cards(ctx)}
}

func good(id string, args ...string) Check {
	return Check{ID: id, State: Good, key: id + ".good", args: args}
}

func failing(id, word string, args ...string) Check {
	return Check{ID: id, State: Failing, Code: agent.CodeOf(word), key: id + "." + word, args: args}
}

func (d Deps) app(ctx context.Context) Check {
	version, ok := d.Running(ctx)
	switch {
	case !ok:
		return failing("app", agent.AppStopped)
	case version != "" && version != d.Version: // one built into another program, such as the demo, tells none
		return Check{ID: "app", State: Notice, key: "app.other", args: []string{"version", version}}
	}
	return good("app")
}

// cards looks at the readers and at every card in them. With several cards one that works is enough.
func (d Deps) cards(ctx context.Context) []Check {
	choices, err := d.Patient.Cards(ctx)
	if err != nil {
		word := agent.Word(err)
		if !known("reader." + word) {
			word = agent.Internal.String()
		}
		return []Check{failing("reader", word)}
	}
	checks := []Check{good("reader")}
	if len(choices) == 0 {
		return append(checks, failing("card", agent.CardMissing.String()))
	}
	one := false
	var found [][]Check
	for _, choice := range choices {
		of := d.card(ctx, choice)
		one = one || Report{Checks: of}.Works()
		found = append(found, of)
	}
	for _, of := range found {
		for _, c := range of {
			if one && c.State == Failing {
				c.State = Notice
			}
			checks = append(checks, c)
		}
	}
	return checks
}

func (d Deps) card(ctx context.Context, choice agent.CardChoice) []Check {
	where := []string{"where_ja", choice.LabelJA, "where_en", choice.LabelEN}
	f, err := d.Patient.Inspect(ctx, choice.Name)
	if err != nil {
		word := agent.Word(err)
		if !known("card." + word) {
			word = jpki.CardFault.String()
		}
		return []Check{failing("card", word, where...)}
	}
	kind := Check{ID: "card", State: Good, key: "card." + f.Token.String(), args: where}
	return []Check{kind, d.certificate(f), pin(f), password(f)}
}

func (d Deps) certificate(f agent.Facts) Check {
	left := f.AuthNotAfter.Sub(d.Now())
	args := []string{"date", f.AuthNotAfter.In(japan).Format(time.DateOnly), "days", strconv.Itoa(int(left / (24 * time.Hour)))}
	switch {
	case !f.Auth:
		return failing("certificate", jpki.NoCertificate.String())
	case f.AuthNotAfter.IsZero():
		return Check{ID: "certificate", State: Skipped, key: "certificate.hidden"}
	case left <= 0:
		return failing("certificate", "cert_expired", args...)
	case left < soon:
		return Check{ID: "certificate", State: Notice, key: "certificate.soon", args: args}
	}
	return good("certificate", args...)
}

// japan is the clock by which certificates end for the people who have them.
var japan = time.FixedZone("JST", 9*60*60)

func pin(f agent.Facts) Check {
	switch {
	case f.PINTries == 0:
		return failing("pin", jpki.PINBlocked.String())
	case f.PINTries == 1:
		return Check{ID: "pin", State: Notice, Code: agent.CodeOf(jpki.LastTry.String()), key: "pin.last"}
	}
	return good("pin", "left", strconv.Itoa(int(f.PINTries)))
}

// password is never in the way of a login.
func password(f agent.Facts) Check {
	switch {
	case !f.Signing:
		return Check{ID: "password", State: Notice, key: "password.none"}
	case f.PasswordTries == 0:
		return Check{ID: "password", State: Notice, Code: agent.CodeOf(jpki.PasswordBlocked.String()), key: "password.locked"}
	case f.PasswordTries == 1:
		return Check{ID: "password", State: Notice, Code: agent.CodeOf(jpki.LastPasswordTry.String()), key: "password.last"}
	}
	return good("password", "left", strconv.Itoa(int(f.PasswordTries)))
}

func (d Deps) hubs(ctx context.Context) (checks []Check) {
	for _, h := range d.Patient.Hubs(ctx) {
		hub := []string{"hub", h.Origin}
		if h.Err != nil {
			checks = append(checks, failing("hub", agent.HubUnreachable.String(), hub...))
		} else {
			checks = append(checks, good("hub", hub...))
		}
		args := append(hub, "seconds", strconv.Itoa(int(h.Skew.Abs()/time.Second)))
		switch {
		case !h.Dated:
			checks = append(checks, Check{ID: "clock", State: Skipped, key: "clock.unknown", args: hub})
		case h.Skew.Abs() > agent.ClockTolerance:
			checks = append(checks, failing("clock", agent.ClockWrong.String(), args...))
		default:
			checks = append(checks, good("clock", args...))
		}
	}
	return checks
}

func (d Deps) installed() []Check {
	link, start, known := d.Installed()
	check := func(id string, there bool) Check {
		switch {
		case !known:
			return Check{ID: id, State: Skipped, key: id + ".unknown"}
		case there:
			return good(id)
		}
		return Check{ID: id, State: Notice, key: id + ".missing"}
	}
	return []Check{check("link", link), check("start", start)}
}
