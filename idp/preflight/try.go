package preflight

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"time"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/clients/adminapi"
	"github.com/tsunagu-id/tsunagu/federation"
	"github.com/tsunagu-id/tsunagu/idp"
)

// try is one pre-flight at work. One goroutine does it all.
type try struct {
	d        Deps
	c        *clients.Client
	probe    idp.Probe
	meta     addresses
	own      map[string]bool // origins that belong to the service
	requests int

	people  int
	asked   []idp.ProbeAsked // every request of the service, in order
	ref     *reference
	stopped words // why no login can be tried; zero: it can

	timed bool
	off   time.Duration // the service's clock less ours
}

// addresses are the members of the metadata that a Client does not tell.
type addresses struct {
	PostLogout []string `json:"post_logout_redirect_uris"`
	JWKSURI    string   `json:"jwks_uri"`
	JWKS       any      `json:"jwks"`
}

func newTry(d Deps, o Order, probe idp.Probe) *try {
	t := &try{d: d, c: o.Client, probe: probe, own: map[string]bool{}}
	_ = json.Unmarshal(o.Metadata, &t.meta) // it made a Client: it can be read
	for _, a := range t.everyAddress() {
		if u, err := url.Parse(a); err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" {
			t.own[origin(u)] = true
		}
	}
	return t
}

// everyAddress is every address of the service that somebody's browser or the hub goes to.
func (t *try) everyAddress() []string {
	out := []string{t.c.InitiateLoginURI(), t.c.BackchannelLogoutURI(), t.c.FrontchannelLogoutURI(), t.c.Home(), t.meta.JWKSURI}
	for _, u := range t.c.RedirectURIs() {
		out = append(out, u.String())
	}
	return append(out, t.meta.PostLogout...)
}

// probing is one entry of the plan.
type probing struct {
	name  string
	title words
	run   func(t *try, ctx context.Context) (finding, error)
}

// plan is what is tried, in this order: later entries use what earlier ones found.
var plan = []probing{
	{"tls", words{"通信の暗号化 (TLS)", "TLS"}, (*try).tls},
	{"redirect_uri", words{"戻り先のアドレス", "Redirect addresses"}, (*try).redirects},
	{"jwks", words{"サービスの公開鍵", "Keys of the service"}, (*try).keys},
	{"launch", words{"ログインを始めるアドレス", "Address that starts a sign-in"}, (*try).launch},
	{"request", words{"ログインの依頼", "Authorization request"}, (*try).request},
	{"sign_in", words{"ふつうのログイン", "An ordinary sign-in"}, (*try).signIn},
	{"denied", words{"断られたときの動き", "A sign-in that was refused"}, (*try).denied},
	{"state", words{"state の確認", "Checking state"}, (*try).state},
	{"issuer", words{"iss の確認", "Checking iss"}, (*try).issuer},
	{"pkce", words{"PKCE の利用", "PKCE"}, (*try).pkce},
	{"nonce", words{"nonce の確認", "Checking nonce"}, (*try).nonce},
	{"id_token_signature", words{"ID トークンの署名の確認", "Checking the ID token's signature"}, (*try).tokenSignature},
	{"id_token_audience", words{"ID トークンの宛先の確認", "Checking the ID token's audience"}, (*try).tokenAudience},
	{"id_token_expired", words{"ID トークンの期限の確認", "Checking the ID token's expiry"}, (*try).tokenExpired},
	{"logout_signature", words{"ログアウトの通知：署名の確認", "Logout token: signature"}, logoutProbe(idp.LogoutSignature)},
	{"logout_audience", words{"ログアウトの通知：宛先の確認", "Logout token: audience"}, logoutProbe(federation.WrongAudience)},
	{"logout_nonce", words{"ログアウトの通知：nonce の拒否", "Logout token: with a nonce"}, logoutProbe(federation.HasNonce)},
	{"logout_event", words{"ログアウトの通知：種類の確認", "Logout token: event"}, logoutProbe(federation.NoEvent)},
	{"logout_expired", words{"ログアウトの通知：期限の確認", "Logout token: expiry"}, logoutProbe(federation.LongExpired)},
	{"logout", words{"正しいログアウトの通知", "A good logout token"}, logoutProbe(federation.NoFlaw)},
	{"logout_return", words{"ログアウト後の戻り先", "Addresses after signing out"}, (*try).logoutReturn},
	{"clock", words{"時計のずれ", "Clock"}, (*try).clocks},
}

// all tries everything and hands each finding to found. An error is the hub's own trouble, or the end of the time.
func (t *try) all(ctx context.Context, found func(adminapi.Finding) error) error {
	for _, p := range plan {
		f, err := p.run(t, ctx)
		if err != nil {
			return errors.Join(err, ctx.Err())
		}
		if err := found(f.wire(p)); err != nil {
			return err
		}
	}
	return nil
}

// words is a text in both languages.
type words struct{ ja, en string }

func (w words) with(more words) words { return words{w.ja + more.ja, w.en + more.en} }

// finding is a Finding before it has a name.
type finding struct {
	verdict                    adminapi.Verdict
	did, expected, got, remedy words
}

func (f finding) wire(p probing) adminapi.Finding {
	return adminapi.Finding{
		Probe: p.name, Title: p.title.ja, TitleEN: p.title.en, Verdict: f.verdict,
		Did: f.did.ja, DidEN: f.did.en, Expected: f.expected.ja, ExpectedEN: f.expected.en, Got: f.got.ja, GotEN: f.got.en,
		Remedy: f.remedy.ja, RemedyEN: f.remedy.en,
	}
}

// good is a finding without a complaint.
func (f finding) good(got words) (finding, error) {
	f.verdict, f.got, f.remedy = adminapi.Green, got, words{}
	return f, nil
}

func (f finding) bad(v adminapi.Verdict, got words) (finding, error) {
	f.verdict, f.got = v, got
	return f, nil
}

// skip is a finding about what was not tried.
func (f finding) skip(why words) (finding, error) {
	f.verdict, f.got, f.remedy = adminapi.Skipped, why, words{}
	return f, nil
}

// severe is red for a service of profile fapi2, which must do it, and yellow for others, whose protocol leaves it open.
func (t *try) severe() adminapi.Verdict {
	if t.c.Profile() == clients.FAPI2 {
		return adminapi.Red
	}
	return adminapi.Yellow
}
