package preflight

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/tsunagu-id/tsunagu/clients"
	"github.com/tsunagu-id/tsunagu/clients/adminapi"
)

// expiresSoon is how long before its end a certificate is complained of.
const expiresSoon = 14 * 24 * time.Hour

// reason says in a word why an address did not answer. It holds nothing of what the service sent.
func reason(err error) string {
	switch {
	case clients.IsRefusedAddress(err):
		return "not a public address"
	case clients.IsCertificateError(err):
		return "certificate not trusted"
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	}
	if d, ok := errors.AsType[*net.DNSError](err); ok && d.IsNotFound {
		return "no such host"
	}
	if o, ok := errors.AsType[*net.OpError](err); ok {
		return o.Op + " failed"
	}
	return "connection failed"
}

// tls shakes hands with every server of the service.
func (t *try) tls(ctx context.Context) (finding, error) {
	f := finding{
		did:      words{"登録されたすべてのアドレスのサーバーに TLS で接続しました。", "Connected to the server of every registered address by TLS."},
		expected: words{"TLS 1.2 以上だけで応じ、信頼された証明書の期限が 14 日以上残っていること。", "It speaks TLS 1.2 or newer only, and its certificate is trusted and good for 14 days at least."},
	}
	seen, plain := map[string]string{}, 0
	var bad, weak []string
	var badEN, weakEN []string
	for _, a := range t.everyAddress() {
		u, err := url.Parse(a)
		if err != nil || !t.own[origin(u)] || seen[origin(u)] != "" {
			continue
		}
		h, err := t.d.Web.Handshake(ctx, a)
		if ctx.Err() != nil {
			return f, ctx.Err()
		}
		seen[origin(u)] = h.Version
		left := h.NotAfter.Sub(t.d.Now())
		switch {
		case err != nil:
			seen[origin(u)] = "-"
			bad, badEN = append(bad, u.Host+"：接続できません ("+reason(err)+")"), append(badEN, u.Host+": no connection ("+reason(err)+")")
		case h.Plain:
			seen[origin(u)] = "http"
			plain++
		case left < expiresSoon:
			days := int(left.Hours() / 24)
			weak, weakEN = append(weak, fmt.Sprintf("%s：証明書の残りは %d 日", u.Host, days)), append(weakEN, fmt.Sprintf("%s: its certificate ends in %d days", u.Host, days))
		case h.Old:
			weak, weakEN = append(weak, u.Host+"：TLS 1.1 以下にも応じます"), append(weakEN, u.Host+": speaks TLS 1.1 or older too")
		}
	}
	f.remedy = words{"証明書を更新し、TLS 1.0 と 1.1 を無効にしてください。中間証明書も送るように設定してください。", "Renew the certificate, switch TLS 1.0 and 1.1 off, and let the server send the intermediate certificates."}
	switch {
	case len(seen) == 0:
		return f.skip(words{"調べるアドレスがありません。", "There is no address to look at."})
	case len(bad) > 0:
		return f.bad(adminapi.Red, words{strings.Join(append(bad, weak...), "、"), strings.Join(append(badEN, weakEN...), "; ")})
	case len(weak) > 0:
		return f.bad(adminapi.Yellow, words{strings.Join(weak, "、"), strings.Join(weakEN, "; ")})
	case plain == len(seen):
		return f.skip(words{"開発用の、このコンピューターの中のアドレスです (http)。", "These are addresses of this machine, for development (http)."})
	}
	return f.good(words{fmt.Sprintf("%d か所すべてで問題ありません。", len(seen)), fmt.Sprintf("All %d are good.", len(seen))})
}

// reach asks for addresses, and returns those that nobody should be sent to, and those that answer with an error of the server.
func (t *try) reach(ctx context.Context, all []string) (asked int, dead, failing []string, err error) {
	for _, a := range all {
		u, err := url.Parse(a)
		if err != nil || !t.own[origin(u)] || loopbackApp(t.c, u) {
			continue
		}
		asked++
		p := t.browser().open(ctx, a, nil)
		if err := t.broken(ctx, p); err != nil {
			return asked, nil, nil, err
		}
		switch {
		case p.err != nil:
			dead = append(dead, u.Host+u.Path+" ("+reason(p.err)+")")
		case p.status == 404 || p.status == 410:
			dead = append(dead, fmt.Sprintf("%s%s (%d)", u.Host, u.Path, p.status))
		case p.status >= 500:
			failing = append(failing, fmt.Sprintf("%s%s (%d)", u.Host, u.Path, p.status))
		}
	}
	return asked, dead, failing, nil
}

// loopbackApp: an app on the citizen's own machine, which the hub cannot reach (RFC 8252 §7.3).
func loopbackApp(c *clients.Client, u *url.URL) bool {
	ip := net.ParseIP(u.Hostname())
	return u.Scheme == "http" && c.Public() && ip != nil && ip.IsLoopback()
}

func (t *try) reached(ctx context.Context, f finding, all []string) (finding, error) {
	asked, dead, failing, err := t.reach(ctx, all)
	switch {
	case err != nil:
		return f, err
	case asked == 0:
		return f.skip(words{"ハブから届くアドレスの登録がありません。", "No address is registered that the hub could reach."})
	case len(dead) > 0:
		return f.bad(adminapi.Red, words{"届かないアドレスがあります：" + strings.Join(dead, "、"), "Not there: " + strings.Join(dead, "; ")})
	case len(failing) > 0:
		return f.bad(adminapi.Yellow, words{"サーバーのエラーを返します：" + strings.Join(failing, "、"), "Answers with an error of the server: " + strings.Join(failing, "; ")})
	}
	return f.good(words{fmt.Sprintf("%d 件すべてが応答しました。", asked), fmt.Sprintf("All %d answered.", asked)})
}

func (t *try) redirects(ctx context.Context) (finding, error) {
	var all []string
	for _, u := range t.c.RedirectURIs() {
		all = append(all, u.String())
	}
	return t.reached(ctx, finding{
		did:      words{"redirect_uris の各アドレスを、パラメーターを付けずに開きました。", "Opened every one of redirect_uris, without parameters."},
		expected: words{"サービスのページが応答すること (入力が足りないという断りでよい)。", "A page of the service answers, if only to say that something is missing."},
		remedy:   words{"アドレスの綴りと、そのパスがサービスで動いているかを確かめてください。パラメーターのない要求には 400 番台で応じてください。", "Check the spelling, and that the service answers there. A request without parameters deserves an answer of 400 to 499."},
	}, all)
}

func (t *try) logoutReturn(ctx context.Context) (finding, error) {
	all := slices.Clone(t.meta.PostLogout)
	if a := t.c.FrontchannelLogoutURI(); a != "" {
		all = append(all, a)
	}
	return t.reached(ctx, finding{
		did:      words{"ログアウト後の戻り先 (post_logout_redirect_uris など) を開きました。", "Opened the addresses that a browser is sent to after signing out (post_logout_redirect_uris and the like)."},
		expected: words{"利用者が読めるページが開くこと。", "A page opens that a person can read."},
		remedy:   words{"アドレスの綴りと、そのページが誰にでも開くことを確かめてください。", "Check the spelling, and that everybody can open the page."},
	}, all)
}

// keys reads the key set.
func (t *try) keys(ctx context.Context) (finding, error) {
	f := finding{
		did:      words{"サービスの鍵 (jwks または jwks_uri) を読みました。", "Read the keys of the service (jwks or jwks_uri)."},
		expected: words{"正しい JWKS で、登録した方式で使える公開鍵があること。", "It is a valid JWKS with a public key for what the service is registered with."},
		remedy:   words{"jwks_uri が公開鍵だけの JWKS (64 KiB 以内) を返すこと、鍵が P-256、Ed25519 か 2048 ビット以上の RSA であることを確かめてください。", "Let jwks_uri answer with a JWKS of public keys (64 KiB at most), each P-256, Ed25519, or RSA of 2048 bits or more."},
	}
	if t.meta.JWKSURI == "" && t.meta.JWKS == nil {
		return f.skip(words{"鍵の登録がなく、この方式では要りません。", "No keys are registered, and none are needed."})
	}
	algs, err := t.d.Keys.InspectKeys(ctx, t.c)
	if ctx.Err() != nil {
		return f, ctx.Err()
	}
	if err != nil {
		why := reason(err)
		if !clients.IsRefusedAddress(err) && !clients.IsCertificateError(err) {
			why = err.Error()
		}
		return f.bad(adminapi.Red, words{"使える鍵を読めませんでした (" + why + ")。", "No key of use could be read (" + why + ")."})
	}
	var names []string
	for _, a := range algs {
		names = append(names, string(a))
	}
	return f.good(words{"使える方式：" + strings.Join(names, "、"), "Good for " + strings.Join(names, ", ") + "."})
}

// The bounds of clocks: beyond the first an assertion may be refused, beyond the second a fresh token is.
const (
	clockSoon = 10 * time.Second
	clockLate = time.Minute
)

func (t *try) clocks(ctx context.Context) (finding, error) {
	f := finding{
		did:      words{"応答の Date ヘッダーと、トークンを求めたときの署名の時刻 (iat) を、ハブの時計と比べました。", "Compared the Date of its answers, and the iat of its assertions, with the hub's clock."},
		expected: words{"ずれが 10 秒以内であること。", "They differ by ten seconds at most."},
		remedy:   words{"サーバーの時計を NTP で合わせてください。", "Let the server keep its time by NTP."},
	}
	notes, err := t.d.Hub.ProbeNotes(ctx, t.probe)
	if err != nil {
		return f, err
	}
	worst := t.off
	for _, n := range notes {
		if off := time.Duration(n.Clock-n.At) * time.Second; n.Clock != 0 {
			t.timed = true
			if off.Abs() > worst.Abs() && off.Abs() > 2*time.Second { // it was signed a moment before it came
				worst = off
			}
		}
	}
	if !t.timed {
		return f.skip(words{"時刻のわかる応答がありませんでした。", "No answer told the time."})
	}
	got := words{fmt.Sprintf("ずれは %d 秒です。", int(worst.Seconds())), fmt.Sprintf("Off by %d seconds.", int(worst.Seconds()))}
	switch {
	case worst.Abs() > clockLate:
		return f.bad(adminapi.Red, got)
	case worst.Abs() > clockSoon:
		return f.bad(adminapi.Yellow, got)
	}
	return f.good(got)
}
