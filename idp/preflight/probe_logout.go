package preflight

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/clients/adminapi"
	"github.com/tsunagu-id/tsunagu/federation"
	"github.com/tsunagu-id/tsunagu/idp"
)

// whatIsWrong with the token of a probe, and what checks it.
func whatIsWrong(flaw idp.ProbeLogoutFlaw) (did, remedy words) {
	switch flaw {
	case idp.LogoutSignature:
		return words{"署名を壊したログアウトの通知を送りました。", "Sent a logout token whose signature was spoilt."},
			words{"ログアウトトークンの署名を、ハブの jwks_uri の鍵で必ず確かめてください。そうしないと、だれでも利用者をログアウトさせられます。", "Verify the logout token's signature with the keys at the hub's jwks_uri. Otherwise anybody can sign people out."}
	case federation.WrongAudience:
		return words{"別のサービスあてのログアウトの通知を送りました。", "Sent a logout token whose aud is somebody else."},
			words{"ログアウトトークンの aud が自分の client_id であることを確かめてください。", "See that aud of the logout token is your client_id."}
	case federation.HasNonce:
		return words{"nonce の入ったログアウトの通知を送りました。", "Sent a logout token that has a nonce."},
			words{"nonce のあるログアウトトークンは断ってください。ID トークンとの取り違えを防ぐ決まりです (Back-Channel Logout §2.6)。", "Refuse a logout token with a nonce: it is what keeps it from being mixed up with an ID token (Back-Channel Logout §2.6)."}
	case federation.NoEvent:
		return words{"events にログアウトの種類のない通知を送りました。", "Sent a logout token whose events do not name a sign-out."},
			words{"events に http://schemas.openid.net/event/backchannel-logout があることを確かめてください。", "See that events has the member http://schemas.openid.net/event/backchannel-logout."}
	case federation.LongExpired:
		return words{"一時間前に期限の切れたログアウトの通知を送りました。", "Sent a logout token that expired an hour ago."},
			words{"ログアウトトークンの exp と iat を確かめ、古いものを断ってください。", "Look at exp and iat of the logout token, and refuse an old one."}
	case federation.NoFlaw:
	}
	return words{"正しいログアウトの通知を送り、同じブラウザーでページを開き直しました。", "Sent a good logout token, and opened the page again in the same browser."},
		words{"通知の sid (なければ sub) のセッションをすべて終わらせてから、200 で応じてください。", "End every session of the sid in the token (or of the sub, where there is none), and then answer with 200."}
}

// logoutProbe sends one logout token about somebody who is signed in.
func logoutProbe(flaw idp.ProbeLogoutFlaw) func(t *try, ctx context.Context) (finding, error) {
	return func(t *try, ctx context.Context) (finding, error) {
		f := finding{expected: words{"400 で断り、ログインを続けさせること。", "It is refused with 400, and the person stays signed in."}}
		f.did, f.remedy = whatIsWrong(flaw)
		if flaw == federation.NoFlaw {
			f.expected = words{"200 で応じ、そのセッションが終わっていること。", "The answer is 200, and that session has ended."}
		}
		address := t.c.BackchannelLogoutURI()
		switch why, not := t.cannot(); {
		case address == "" && flaw == federation.NoFlaw && !t.c.SignsOut() && not && t.ref == nil:
			return f.skip(why)
		case address == "" && flaw == federation.NoFlaw && !t.c.SignsOut():
			f.remedy = words{"backchannel_logout_uri を用意して登録してください。利用者がハブでログアウトしても、このサービスにはログインしたままになります。", "Offer backchannel_logout_uri and register it. Somebody who signs out at the hub stays signed in here otherwise."}
			return f.bad(adminapi.Yellow, words{"backchannel_logout_uri の登録がありません。", "No backchannel_logout_uri is registered."})
		case address == "":
			return f.skip(words{"backchannel_logout_uri の登録がありません。", "No backchannel_logout_uri is registered."})
		case not:
			return f.skip(why)
		}
		return t.logout(ctx, f, flaw, address)
	}
}

func (t *try) logout(ctx context.Context, f finding, flaw idp.ProbeLogoutFlaw, address string) (finding, error) {
	l, err := t.begin(ctx)
	if err != nil {
		return t.failed(f, err)
	}
	if _, err := t.answer(ctx, l, idp.FlawNone); err != nil {
		return f, err
	}
	if in, err := t.isIn(ctx, l.b); err != nil {
		return f, err
	} else if !in {
		return f.bad(adminapi.Red, words{"その前のログインが終わりませんでした。", "The sign-in before it did not end."})
	}
	token, err := t.d.Hub.ProbeLogout(ctx, t.probe, l.person, flaw)
	if err != nil {
		return f, err
	}
	seen, err := t.visit(ctx, clients.Visit{Address: address, Form: url.Values{"logout_token": {token}}})
	if p := (page{err: err}); err != nil {
		if err := t.broken(ctx, p); err != nil {
			return f, err
		}
		return f.bad(adminapi.Red, words{"応答がありませんでした (" + reason(err) + ")。", "There was no answer (" + reason(err) + ")."})
	}
	in, err := t.isIn(ctx, l.b)
	if err != nil {
		return f, err
	}
	done := seen.Status == http.StatusOK || seen.Status == http.StatusNoContent
	status := words{fmt.Sprintf("ステータス %d で応じ、", seen.Status), fmt.Sprintf("It answered with status %d, and ", seen.Status)}
	stays, ended := words{"ログインは続いています。", "the person is still signed in."}, words{"セッションは終わりました。", "the session has ended."}
	if flaw == federation.NoFlaw {
		switch {
		case done && !in:
			return f.good(status.with(ended))
		case in:
			return f.bad(adminapi.Red, status.with(stays))
		}
		return f.bad(adminapi.Red, status.with(ended))
	}
	switch {
	case !in:
		return f.bad(adminapi.Red, status.with(ended))
	case seen.Status < 300:
		return f.bad(adminapi.Red, status.with(stays))
	case seen.Status >= 500:
		return f.bad(adminapi.Yellow, status.with(stays))
	}
	return f.good(status.with(stays))
}
