package preflight

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/clients/adminapi"
	"github.com/tsunagu-id/tsunagu/idp"
)

// noPeople: nobody signs in to the service by a browser that could be played.
func (t *try) noPeople() (words, bool) {
	if !slices.Contains(t.c.GrantTypes(), clients.GrantAuthorizationCode) {
		return words{"人がログインするサービスではありません。", "No people sign in to this service."}, true
	}
	if t.c.InitiateLoginURI() == "" {
		return words{
			"initiate_login_uri の登録がないため、ハブからログインを始められず、試せません。「テストログイン」で人の手で確かめてください。",
			"Without initiate_login_uri the hub cannot begin a sign-in, so this was not tried. Check it by hand with a test sign-in.",
		}, true
	}
	return words{}, false
}

// cannot says why a login is not tried: t.stopped, or no reference.
func (t *try) cannot() (words, bool) {
	if t.stopped != (words{}) {
		return t.stopped, true
	}
	if t.ref == nil {
		return words{"ふつうのログインが終わらなかったため、試していません。", "Not tried, because the ordinary sign-in did not end well."}, true
	}
	if !t.ref.tells() {
		return words{
			"ログイン後のページが、ログインしていない人にも同じに見えるため、結果を見分けられません。「テストログイン」で確かめてください。",
			"The page after signing in looks the same to a stranger, so the outcome cannot be seen. Check it with a test sign-in.",
		}, true
	}
	return words{}, false
}

func (t *try) launch(ctx context.Context) (finding, error) {
	f := finding{
		did:      words{"initiate_login_uri を iss を付けて開き、どこへ進むかを見ました。", "Opened initiate_login_uri with iss, and saw where it leads."},
		expected: words{"ブラウザーをハブの認可エンドポイントへ進めること (OpenID Connect Core §4)。", "It sends the browser to the hub's authorization endpoint (OpenID Connect Core §4)."},
		remedy: words{
			"initiate_login_uri で iss を受け取ったら、いつもどおりのログインを始め、ハブへ 302 か 303 で進めてください。ページの中の JavaScript で進めるものは試せません。",
			"At initiate_login_uri begin a sign-in as always, and send the browser to the hub with 302 or 303. What a script on a page does cannot be tried.",
		},
	}
	if why, none := t.noPeople(); none {
		t.stopped = why
		if t.c.InitiateLoginURI() == "" && slices.Contains(t.c.GrantTypes(), clients.GrantAuthorizationCode) {
			f.remedy = words{"できれば initiate_login_uri を用意して登録してください。ポータルからの起動にも使われます。", "If you can, offer initiate_login_uri and register it. The portal's launch uses it too."}
			return f.bad(adminapi.Yellow, why)
		}
		return f.skip(why)
	}
	_, err := t.begin(ctx)
	if why, ok := errors.AsType[*trouble](err); ok {
		t.stopped = words{"ログインを始められなかったため、試していません。", "Not tried, because no sign-in began."}
		return f.bad(adminapi.Red, why.with(words{"。", "."}))
	}
	if err != nil {
		return f, err
	}
	return f.good(words{"ハブへ進みました。", "It leads to the hub."})
}

func (t *try) request(ctx context.Context) (finding, error) {
	f := finding{
		did:      words{"ログインを二度始め、ハブへの依頼を読みました。", "Began two sign-ins and read the requests."},
		expected: words{"この登録の規則に合い、state、nonce、PKCE (S256) が毎回新しいこと。", "They keep the rules of this registration, and state, nonce and PKCE challenge (S256) are new each time."},
		remedy:   words{"state、nonce、code_verifier はログインのたびに、推測できない乱数から作ってください。", "Make state, nonce and code_verifier for each sign-in, from random bits that nobody can guess."},
	}
	if t.stopped != (words{}) {
		return f.skip(t.stopped)
	}
	if _, err := t.begin(ctx); err != nil {
		if why, ok := errors.AsType[*trouble](err); ok {
			return f.bad(adminapi.Red, why.words)
		}
		return f, err
	}
	var repeated []string
	for name, of := range map[string]func(idp.ProbeAsked) string{
		"state":          func(a idp.ProbeAsked) string { return a.State },
		"nonce":          func(a idp.ProbeAsked) string { return a.Nonce },
		"code_challenge": func(a idp.ProbeAsked) string { return a.Challenge },
	} {
		seen := map[string]bool{}
		for _, a := range t.asked {
			if v := of(a); v != "" && seen[v] && !slices.Contains(repeated, name) {
				repeated = append(repeated, name)
			}
			seen[of(a)] = true
		}
	}
	slices.Sort(repeated)
	if len(repeated) > 0 {
		list := strings.Join(repeated, ", ")
		return f.bad(adminapi.Red, words{"同じ値が繰り返されました：" + list, "The same value came twice: " + list})
	}
	way := words{"ブラウザー経由", "by the browser"}
	switch last := t.asked[len(t.asked)-1]; {
	case last.Pushed:
		way = words{"PAR", "pushed (PAR)"}
	case last.Signed:
		way = words{"署名付きリクエスト", "as a signed request object"}
	}
	return f.good(words{"規則に合っています (" + way.ja + ")。", "They do, sent " + way.en + "."})
}

// signIn makes the reference: two people sign in, two strangers look.
func (t *try) signIn(ctx context.Context) (finding, error) {
	f := finding{
		did:      words{"架空の人として、正しい答えでログインを終えました。", "Ended a sign-in with a good answer, as a person who does not exist."},
		expected: words{"サービスがトークンを受け取り、ログイン後のページを見せること。", "The service redeems the code and shows the page after signing in."},
		remedy:   words{"コールバックの記録と、トークンエンドポイントの応答を確かめてください。はじめての人でも、登録の途中のページまでは進めるようにしてください。", "Look at the log of your callback and at what the token endpoint answered. Somebody who was never there must get as far as a page that greets newcomers."},
	}
	if t.stopped != (words{}) {
		return f.skip(t.stopped)
	}
	ref := &reference{}
	for range 2 {
		l, err := t.begin(ctx)
		if err != nil {
			return t.failed(f, err)
		}
		p, err := t.answer(ctx, l, idp.FlawNone)
		if err != nil {
			return f, err
		}
		notes, err := t.notesOf(ctx, l.grant)
		if err != nil {
			return f, err
		}
		redeemed := slices.ContainsFunc(notes, func(n idp.ProbeNote) bool { return n.Refused == "" })
		switch {
		case !redeemed && len(notes) > 0:
			return f.bad(adminapi.Red, words{"トークンエンドポイントが断りました (" + notes[0].Refused + ")。", "The token endpoint refused (" + notes[0].Refused + ")."})
		case !redeemed:
			if why := t.refusedProof(ctx, "/token"); why != "" {
				return f.bad(adminapi.Red, words{"トークンエンドポイントでサービスの認証に失敗しました (" + why + ")。", "The service could not prove who it is at the token endpoint (" + why + ")."})
			}
			return f.bad(adminapi.Red, words{"コードをトークンに換えませんでした。" + whereTo(p).ja, "The code was not redeemed. " + whereTo(p).en})
		case !p.shown():
			return f.bad(adminapi.Red, words{"トークンは受け取りましたが、ページが開きませんでした。" + whereTo(p).ja, "It redeemed the code, but no page opened. " + whereTo(p).en})
		}
		if ref.address == "" {
			end := *p.end
			end.RawQuery = ""
			ref.address = end.String()
		}
		in := l.b.open(ctx, ref.address, nil)
		out := t.browser().open(ctx, ref.address, nil)
		if err := errors.Join(t.broken(ctx, in), t.broken(ctx, out)); err != nil {
			return f, err
		}
		ref.in, ref.out = append(ref.in, lookOf(in)), append(ref.out, lookOf(out))
	}
	t.ref = ref
	if why, blind := t.cannot(); blind {
		f.remedy = words{"ログイン後に開くページを、ログインしている人としていない人で違うものにすると、くわしく調べられます。", "If the page after signing in looks different to somebody who is signed in, more can be found out."}
		return f.bad(adminapi.Yellow, words{"ログインは終わりました。", "The sign-in ended. "}.with(why))
	}
	return f.good(words{"ログインが終わり、" + pathOf(ref.address) + " が開きました。", "The sign-in ended at " + pathOf(ref.address) + "."})
}

func pathOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	return u.Path
}

func whereTo(p page) words {
	if p.shown() {
		return words{p.end.Path + " を開きました。", "It opened " + p.end.Path + "."}
	}
	w := whyNot(p)
	if p.hub != "" {
		w = words{"もう一度ハブに戻りました", "it led back to the hub"}
	}
	return w.with(words{"。", "."})
}

// failed is a finding whose login did not begin.
func (t *try) failed(f finding, err error) (finding, error) {
	if why, ok := errors.AsType[*trouble](err); ok {
		return f.bad(adminapi.Red, why.words)
	}
	return f, err
}

func (t *try) denied(ctx context.Context) (finding, error) {
	f := finding{
		did:      words{"利用者が断ったという答え (error=access_denied) を返しました。", "Answered that the person refused (error=access_denied)."},
		expected: words{"だれもログインさせず、ページで知らせること。", "Nobody is signed in, and a page says so."},
		remedy:   words{"コールバックに error があれば、コードを求めず、ログインが終わらなかったことを伝えるページを見せてください。", "If there is an error at your callback, show a page that says that the sign-in did not end."},
	}
	if why, not := t.cannot(); not {
		return f.skip(why)
	}
	l, err := t.begin(ctx)
	if err != nil {
		return t.failed(f, err)
	}
	p, err := t.carry(ctx, l, url.Values{"error": {"access_denied"}, "error_description": {"denied"}})
	if err != nil {
		return f, err
	}
	in, err := t.isIn(ctx, l.b)
	switch {
	case err != nil:
		return f, err
	case in:
		return f.bad(adminapi.Red, words{"断られたのにログインしました。", "Somebody was signed in although the hub refused."})
	case p.err != nil || p.status >= 500:
		return f.bad(adminapi.Yellow, words{"ログインはしませんが、" + whereTo(p).ja, "Nobody was signed in, but " + whereTo(p).en})
	}
	return f.good(words{"ログインさせませんでした。", "Nobody was signed in."})
}

// state tries a wrong one, none, and one of another browser.
func (t *try) state(ctx context.Context) (finding, error) {
	f := finding{
		did:      words{"正しいコードを、違う state、state なし、別のブラウザーの state で返しました。", "Answered with a good code and a wrong state, no state, and the state of another browser."},
		expected: words{"どれもログインさせないこと。", "None of them signs anybody in."},
		remedy: words{
			"ログインを始めたブラウザーのセッションに state を覚え、コールバックで同じ値か確かめ、違えばコードを使わずにやめてください。そうしないと、他人のアカウントでログインさせられるおそれがあります。",
			"Keep state in the session of the browser that began, compare it at the callback, and stop before the code is used if it differs. Otherwise a stranger can sign people in to an account of his own.",
		},
	}
	if why, not := t.cannot(); not {
		return f.skip(why)
	}
	if slices.ContainsFunc(t.asked, func(a idp.ProbeAsked) bool { return a.State == "" }) {
		f.remedy = words{"依頼に、推測できない state を付けてください。", "Send a state that nobody can guess."}.with(words{"", " "}).with(f.remedy)
		return f.bad(adminapi.Red, words{"依頼に state がありません。", "The request has no state."})
	}
	var ja, en []string
	for _, one := range []struct {
		words
		with func() (change, error)
	}{
		{words{"違う state", "a wrong state"}, func() (change, error) {
			return func(v url.Values) { v.Set("state", random()) }, nil
		}},
		{words{"state なし", "no state"}, func() (change, error) {
			return func(v url.Values) { v.Del("state") }, nil
		}},
		{words{"別のブラウザーの state", "the state of another browser"}, func() (change, error) {
			other, err := t.begin(ctx)
			if err != nil {
				return nil, err
			}
			return func(v url.Values) { v.Set("state", other.asked.State) }, nil
		}},
	} {
		changed, err := one.with()
		if err != nil {
			return t.failed(f, err)
		}
		in, err := t.signedInBy(ctx, idp.FlawNone, changed)
		if err != nil {
			return t.failed(f, err)
		}
		if in {
			ja, en = append(ja, one.ja), append(en, one.en)
		}
	}
	if len(ja) > 0 {
		return f.bad(adminapi.Red, words{"次の答えでログインしました：" + strings.Join(ja, "、"), "It signed somebody in with " + strings.Join(en, ", with ") + "."})
	}
	return f.good(words{"三つともログインさせませんでした。", "None of the three signed anybody in."})
}

// spoilt is a probe of one broken answer.
func (t *try) spoilt(ctx context.Context, f finding, v adminapi.Verdict, flaw idp.ProbeFlaw, changes ...change) (finding, error) {
	if why, not := t.cannot(); not {
		return f.skip(why)
	}
	in, err := t.signedInBy(ctx, flaw, changes...)
	if err != nil {
		return t.failed(f, err)
	}
	if in {
		return f.bad(v, words{"それでもログインしました。", "It signed somebody in all the same."})
	}
	return f.good(words{"ログインさせませんでした。", "Nobody was signed in."})
}

func (t *try) issuer(ctx context.Context) (finding, error) {
	return t.spoilt(ctx, finding{
		did:      words{"正しいコードと state を、別の発行者の名前 (iss) で返しました。", "Answered with a good code and state, and the iss of another hub."},
		expected: words{"ログインさせないこと (RFC 9207)。", "Nobody is signed in (RFC 9207)."},
		remedy:   words{"コールバックの iss がこのハブの issuer と同じか確かめてください。ほかのハブとも使うサービスでは欠かせません。", "Compare iss at the callback with this hub's issuer. A service that knows other hubs too cannot do without."},
	}, t.severe(), idp.FlawNone, func(v url.Values) { v.Set("iss", "https://issuer.invalid") })
}

func (t *try) pkce(ctx context.Context) (finding, error) {
	f := finding{
		did:      words{"別の人の PKCE に結び付いたコード (code_verifier が合わない) を返しました。", "Answered with a code that belongs to another PKCE challenge, so that no code_verifier of this sign-in fits."},
		expected: words{"トークンエンドポイントの拒否を受けて、ログインさせないこと。", "The token endpoint refuses it, and nobody is signed in."},
		remedy:   words{"依頼に code_challenge (S256) を付け、トークンエンドポイントがエラーを返したらログインをやめてください。", "Send a code_challenge (S256), and end the sign-in when the token endpoint answers with an error."},
	}
	if why, not := t.cannot(); not {
		return f.skip(why)
	}
	if slices.ContainsFunc(t.asked, func(a idp.ProbeAsked) bool { return a.Challenge == "" }) {
		return f.bad(adminapi.Yellow, words{"PKCE を使っていません。", "It does not use PKCE."})
	}
	return t.spoilt(ctx, f, adminapi.Red, idp.FlawChallenge)
}

func (t *try) nonce(ctx context.Context) (finding, error) {
	f := finding{
		did:      words{"正しい答えのあと、nonce の違う ID トークンを渡しました。", "Gave it an ID token with another nonce after a good answer."},
		expected: words{"ログインさせないこと (OpenID Connect Core §3.1.3.7)。", "Nobody is signed in (OpenID Connect Core §3.1.3.7)."},
		remedy:   words{"依頼に nonce を付け、ID トークンの nonce と同じか確かめてください。", "Send a nonce, and compare it with the one in the ID token."},
	}
	if why, not := t.cannot(); not {
		return f.skip(why)
	}
	if slices.ContainsFunc(t.asked, func(a idp.ProbeAsked) bool { return a.Nonce == "" }) {
		v := adminapi.Yellow // PKCE does its work for a code that was sent elsewhere
		if slices.ContainsFunc(t.asked, func(a idp.ProbeAsked) bool { return a.Challenge == "" }) {
			v = adminapi.Red
		}
		return f.bad(v, words{"依頼に nonce がありません。", "The request has no nonce."})
	}
	return t.spoilt(ctx, f, adminapi.Red, idp.FlawNonce)
}

func (t *try) tokenSignature(ctx context.Context) (finding, error) {
	return t.spoilt(ctx, finding{
		did:      words{"署名を壊した ID トークンを渡しました。", "Gave it an ID token whose signature was spoilt."},
		expected: words{"ログインさせないこと。", "Nobody is signed in."},
		remedy: words{
			"ID トークンの署名を、ハブの jwks_uri の鍵で確かめてください。トークンエンドポイントから TLS で直接受け取るなら規格上は省けますが、確かめるほうが安全です。",
			"Verify the ID token's signature with the keys at the hub's jwks_uri. The standard lets you leave it out for a token that came straight from the token endpoint by TLS; it is safer not to.",
		},
	}, t.severe(), idp.FlawSignature)
}

func (t *try) tokenAudience(ctx context.Context) (finding, error) {
	return t.spoilt(ctx, finding{
		did:      words{"別のサービスあての ID トークンを渡しました。", "Gave it an ID token whose aud is somebody else."},
		expected: words{"ログインさせないこと。", "Nobody is signed in."},
		remedy:   words{fmt.Sprintf("ID トークンの aud が %s であることを確かめてください。", t.c.ID()), fmt.Sprintf("See that aud of the ID token is %s.", t.c.ID())},
	}, adminapi.Red, idp.FlawAudience)
}

func (t *try) tokenExpired(ctx context.Context) (finding, error) {
	return t.spoilt(ctx, finding{
		did:      words{"期限が一時間以上前に切れた ID トークンを渡しました。", "Gave it an ID token that expired more than an hour ago."},
		expected: words{"ログインさせないこと。", "Nobody is signed in."},
		remedy:   words{"ID トークンの exp が過ぎていないか確かめてください。", "See that exp of the ID token is not over."},
	}, adminapi.Red, idp.FlawExpired)
}
