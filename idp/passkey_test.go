package idp_test

import (
	"bytes"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/idp/idptest"
	"github.com/tsunagu-id/tsunagu/idp/passkey/passkeytest"
)

// passkeyHub is a hub whose address has a domain, at a clock's time.
func passkeyHub(t *testing.T) (*idptest.Hub, *clock) {
	t.Helper()
	c := newClock()
	return idptest.Start(t, idptest.Options{Now: c.now, Domain: true}), c
}

// wantCode takes a login to its end and returns the ID token's claims and the answer.
func wantCode(t *testing.T, h *idptest.Hub, b *idptest.Browser, p idptest.Page, r idptest.Request) (map[string]any, idptest.Answer) {
	t.Helper()
	p = b.Finish(p)
	code := p.URL.Query().Get("code")
	if code == "" {
		t.Fatalf("no code: %d %s %s", p.Status, p.URL, p.Error())
	}
	tokens := h.Redeem(t, code, r)
	return idClaims(t, tokens.Text("id_token")), tokens
}

func wantRefused(t *testing.T, p idptest.Page, reason string) {
	t.Helper()
	if p.Error() != reason {
		t.Errorf("data-error %q at %d %s, want %q", p.Error(), p.Status, p.URL, reason)
	}
}

// hasSession says whether the browser has a session: the account page shows itself or asks for a login.
func hasSession(b *idptest.Browser) bool { return b.Get("/account").URL.Path == "/account" }

// TestPasskeyMadeAfterACardSignsIn: registered once with the card, a passkey signs the same person in elsewhere, at its own level.
func TestPasskeyMadeAfterACardSignsIn(t *testing.T) {
	for kind, tt := range map[string]struct {
		synced bool
		amr    []string
	}{"device-bound": {false, []string{"pop", "user", "mfa"}}, "synced": {true, []string{"swk", "user", "mfa"}}} {
		t.Run(kind, func(t *testing.T) {
			h, c := passkeyHub(t)
			b, d := h.Browser(t), h.Authenticator()
			d.Synced = tt.synced
			r := idptest.NewRequest()
			byCard, _ := wantCode(t, h, b, b.SignIn(b.Get(r.Path()), "taro"), r)
			if p := b.AddPasskey(d, "試験の端末"); !strings.Contains(p.Body, "試験の端末") {
				t.Fatalf("%d %s %s", p.Status, p.URL, p.Error())
			}
			for range 2 {
				c.advance(time.Minute)
				other, again := h.Browser(t), idptest.NewRequest()
				byPasskey, _ := wantCode(t, h, other, other.PasskeyLogin(other.Get(again.Path()), d), again)
				if byPasskey["sub"] != byCard["sub"] || byPasskey["acr"] != "phr" || !slices.Equal(list(byPasskey["amr"]), tt.amr) {
					t.Errorf("%v after %v", byPasskey, byCard)
				}
				if at, _ := byPasskey["auth_time"].(float64); int64(at) != c.now().Unix() {
					t.Errorf("auth_time %v", byPasskey["auth_time"])
				}
				if page := other.Get("/account").Body; !strings.Contains(page, "試験の端末") || !strings.Contains(page, "いまのログインに使用") {
					t.Error("the account page does not show the passkey")
				}
			}
		})
	}
}

// TestPasskeyStepsUpToTheCard: who asks for the card is not offered, and not given, a passkey; a session by passkey is asked for the card.
func TestPasskeyStepsUpToTheCard(t *testing.T) {
	h, c := passkeyHub(t)
	_, d := h.WithPasskey(t, "taro")
	for name, r := range map[string]idptest.Request{
		"acr_values":    idptest.NewRequest("acr_values", "phrh"),
		"essential acr": idptest.NewRequest("claims", `{"id_token":{"acr":{"essential":true,"values":["phrh"]}}}`),
	} {
		t.Run(name, func(t *testing.T) {
			b := h.Browser(t)
			fresh := b.Get(r.Path())
			if strings.Contains(fresh.Body, `id="passkey-login"`) || !strings.Contains(fresh.Body, `id="passkey-title"`) {
				t.Error("a new login offers the passkey, or does not say why not")
			}
			wantRefused(t, b.Get("/login/passkey?tx="+fresh.Tx()), "passkey_card_required")
			easy := idptest.NewRequest()
			if claims, _ := wantCode(t, h, b, b.PasskeyLogin(b.Get(easy.Path()), d), easy); claims["acr"] != "phr" {
				t.Errorf("acr %v", claims["acr"])
			}
			again := b.Get(r.Path())
			if again.URL.Path != "/login" || strings.Contains(again.Body, `id="passkey-login"`) {
				t.Fatalf("a session by passkey: %d %s", again.Status, again.URL)
			}
			claims, _ := wantCode(t, h, b, b.SignIn(again, "taro"), r)
			if claims["acr"] != "phrh" {
				t.Errorf("acr %v after the card", claims["acr"])
			}
		})
	}
	t.Run("max_age", func(t *testing.T) { // a passkey is a new sign-in like any other
		b := h.Browser(t)
		easy := idptest.NewRequest()
		wantCode(t, h, b, b.PasskeyLogin(b.Get(easy.Path()), d), easy)
		c.advance(10 * time.Minute)
		r := idptest.NewRequest("max_age", "60")
		claims, _ := wantCode(t, h, b, b.PasskeyLogin(b.Get(r.Path()), d), r)
		if at, _ := claims["auth_time"].(float64); int64(at) != c.now().Unix() {
			t.Errorf("auth_time %v", claims["auth_time"])
		}
	})
	t.Run("both", func(t *testing.T) { // a list is met by any of its values
		b, r := h.Browser(t), idptest.NewRequest("acr_values", "phrh phr")
		if claims, _ := wantCode(t, h, b, b.PasskeyLogin(b.Get(r.Path()), d), r); claims["acr"] != "phr" {
			t.Errorf("acr %v", claims["acr"])
		}
	})
}

// TestPasskeyIsAddedByAFreshCardOnly: not by an old card login, not by a passkey, and not by a session that became less meanwhile.
func TestPasskeyIsAddedByAFreshCardOnly(t *testing.T) {
	h, c := passkeyHub(t)
	b, d := h.WithPasskey(t, "taro")
	wantStepUp := func(p idptest.Page) {
		t.Helper()
		if p.URL.Path != "/login" || strings.Contains(p.Body, `id="passkey-login"`) || strings.Contains(p.Body, `id="phone-login"`) {
			t.Errorf("%d %s, not the card", p.Status, p.URL)
		}
	}
	second := h.Authenticator()
	form := b.NewPasskey(second, "x")
	c.advance(11 * time.Minute)
	asked := b.Get("/account/passkeys/new")
	wantStepUp(asked)
	c.advance(-time.Minute)
	if p := b.SignIn(asked, "taro"); p.URL.Path != "/account/passkeys/new" || !strings.Contains(p.Body, "data-options") {
		t.Errorf("after the card: %d %s", p.Status, p.URL)
	}
	other := h.Browser(t)
	other.PasskeyLogin(other.Get("/account"), d)
	wantStepUp(other.Get("/account/passkeys/new"))
	// The form was given out to a card session that a passkey has taken over since.
	b.PasskeyLogin(b.Get(idptest.NewRequest("prompt", "login").Path()), d)
	wantRefused(t, b.Post("/account/passkeys/new", form), "passkey_expired")
	if live := strings.Count(b.Get("/account/passkeys").Body, "data-passkey="); live != 1 {
		t.Errorf("%d passkeys", live)
	}
}

// TestFalsePasskeyLoginIsRefused: one lie at a time, through the hub's own pages; nobody is signed in by any.
func TestFalsePasskeyLoginIsRefused(t *testing.T) {
	h, _ := passkeyHub(t)
	_, d := h.WithPasskey(t, "taro")
	for name, tt := range map[string]struct {
		lie  func(*passkeytest.Device)
		want string
	}{
		"wrong origin":           {func(d *passkeytest.Device) { d.Origin = "http://localhost.evil.example" }, "passkey_invalid"},
		"wrong RP id":            {func(d *passkeytest.Device) { d.RPID = "evil.example" }, "passkey_invalid"},
		"user not verified":      {func(d *passkeytest.Device) { d.ClearFlags = passkeytest.UV }, "passkey_unverified"},
		"a registration":         {func(d *passkeytest.Device) { d.Type = "webauthn.create" }, "passkey_invalid"},
		"tampered signature":     {func(d *passkeytest.Device) { d.BreakSig = true }, "passkey_invalid"},
		"another's user handle":  {func(d *passkeytest.Device) { d.Handle = bytes.Repeat([]byte{1}, 32) }, "passkey_invalid"},
		"no user handle":         {func(d *passkeytest.Device) { d.Handle = []byte{} }, "passkey_invalid"},
		"another challenge":      {func(d *passkeytest.Device) { d.Challenge = strings.Repeat("A", 43) }, "passkey_invalid"},
		"eligible for backup":    {func(d *passkeytest.Device) { d.SetFlags = passkeytest.BE }, "passkey_invalid"},
		"made in another's page": {func(d *passkeytest.Device) { d.CrossOrigin = true }, "passkey_invalid"},
	} {
		t.Run(name, func(t *testing.T) {
			liar, b := d.Clone(), h.Browser(t)
			tt.lie(liar)
			wantRefused(t, b.PasskeyLogin(b.Get("/account"), liar), tt.want)
			if hasSession(b) {
				t.Error("signed in")
			}
		})
	}
	b := h.Browser(t)
	if b.PasskeyLogin(b.Get("/account"), d); !hasSession(b) {
		t.Error("the honest device is refused afterwards")
	}
}

// TestPasskeyAnswerCountsOnceInItsOwnLogin: replayed, in another login, in another browser, too late, or without any challenge of ours.
func TestPasskeyAnswerCountsOnceInItsOwnLogin(t *testing.T) {
	h, c := passkeyHub(t)
	_, d := h.WithPasskey(t, "taro")
	t.Run("replay", func(t *testing.T) {
		b := h.Browser(t)
		form := b.PasskeyForm(b.Get("/account"), d)
		b.Post("/login/passkey", form)
		other := h.Browser(t)
		again := other.Get("/account")
		form.Set("tx", again.Tx())
		wantRefused(t, other.Post("/login/passkey", form), "passkey_expired")
		if hasSession(other) {
			t.Error("a replay signs in")
		}
	})
	t.Run("another login of the same browser", func(t *testing.T) {
		b := h.Browser(t)
		form := b.PasskeyForm(b.Get("/account"), d)
		other := b.Get(idptest.NewRequest().Path()).Tx()
		mine := form.Get("tx")
		form.Set("tx", other)
		wantRefused(t, b.Post("/login/passkey", form), "passkey_expired")
		form.Set("tx", mine) // spent by the attempt
		wantRefused(t, b.Post("/login/passkey", form), "passkey_expired")
	})
	t.Run("another browser", func(t *testing.T) { // a victim's answer, taken elsewhere by whoever lured her
		victim, thief := h.Browser(t), h.Browser(t)
		thief.Get("/account")
		form := victim.PasskeyForm(victim.Get("/account"), d)
		wantRefused(t, thief.Post("/login/passkey", form), "other_browser")
		if hasSession(thief) {
			t.Error("the thief is signed in")
		}
	})
	t.Run("an attacker's challenge, answered by the victim", func(t *testing.T) {
		victim, thief := h.Browser(t), h.Browser(t)
		login := thief.Get("/account")
		page := thief.Get("/login/passkey?tx=" + login.Tx())
		options, challenge := page.PasskeyOptions()
		answer, err := d.Get(options)
		must(t, err)
		victim.Get("/account")
		form := url.Values{"tx": {login.Tx()}, "challenge": {challenge}, "credential": {string(answer)}}
		wantRefused(t, victim.Post("/login/passkey", form), "other_browser")
		wantRefused(t, thief.Post("/login/passkey", form), "passkey_expired") // and spent it is
	})
	t.Run("too late", func(t *testing.T) {
		b := h.Browser(t)
		form := b.PasskeyForm(b.Get("/account"), d)
		c.advance(5*time.Minute + time.Second)
		wantRefused(t, b.Post("/login/passkey", form), "passkey_expired")
	})
	t.Run("made up", func(t *testing.T) {
		b := h.Browser(t)
		form := b.PasskeyForm(b.Get("/account"), d)
		form.Set("challenge", strings.Repeat("A", 43))
		wantRefused(t, b.Post("/login/passkey", form), "passkey_expired")
	})
	t.Run("of a registration", func(t *testing.T) {
		b := h.Browser(t)
		b.SignIn(b.Get("/account"), "hanako")
		fresh := h.Authenticator()
		form := b.NewPasskey(fresh, "x")
		login := b.Get(idptest.NewRequest("prompt", "login").Path())
		wantRefused(t, b.Post("/login/passkey", url.Values{"tx": {login.Tx()}, "challenge": form["challenge"], "credential": form["credential"]}), "passkey_expired")
	})
}

// TestPasskeyOfTwoPeopleIsRefused: one authenticator's credential stands for one person.
func TestPasskeyOfTwoPeopleIsRefused(t *testing.T) {
	h, _ := passkeyHub(t)
	_, taro := h.WithPasskey(t, "taro")
	options := []byte(nil)
	{
		b := h.Browser(t)
		p := b.Get("/account")
		p = b.Get("/login/passkey?tx=" + p.Tx())
		options, _ = p.PasskeyOptions()
	}
	answer, err := taro.Get(options)
	must(t, err)
	id := credentialID(t, answer)
	b, hanako := h.Browser(t), h.Authenticator()
	b.SignIn(b.Get("/account"), "hanako")
	hanako.CredentialID = id
	wantRefused(t, b.AddPasskey(hanako, "x"), "passkey_known")
	other := h.Browser(t)
	wantRefused(t, other.PasskeyLogin(other.Get("/account"), hanako), "passkey_invalid")
}

// TestClonedPasskeyIsStopped: when the counter of one goes back, both copies are refused, what either made is over, and the owner is told.
func TestClonedPasskeyIsStopped(t *testing.T) {
	h, c := passkeyHub(t)
	card, d := h.WithPasskey(t, "taro")
	copied := d.Clone()
	owner, thief := h.Browser(t), h.Browser(t)
	owner.PasskeyLogin(owner.Get("/account"), d)
	if !hasSession(owner) {
		t.Fatal("not signed in")
	}
	wantRefused(t, thief.PasskeyLogin(thief.Get("/account"), copied.Clone()), "passkey_expired") // at the same moment: two answers that crossed
	if !hasSession(owner) {
		t.Error("two answers that crossed ended a session")
	}
	c.advance(time.Minute)
	wantRefused(t, thief.PasskeyLogin(thief.Get("/account"), copied), "passkey_cloned")
	if hasSession(owner) || hasSession(thief) {
		t.Error("what the passkey made goes on")
	}
	c.advance(time.Minute)
	wantRefused(t, owner.PasskeyLogin(owner.Get("/account"), d), "passkey_cloned")
	if !hasSession(card) {
		t.Error("the session of the card ended as well")
	}
	if page := card.Get("/account").Body; !strings.Contains(page, "停止中") || !strings.Contains(page, "複製されたおそれ") {
		t.Error("the owner is not told")
	}
	if kinds := auditKinds(t, h); kinds["passkey.cloned"] != 1 {
		t.Errorf("audit %v", kinds)
	}
}

// TestPasskeyRemovalEndsItsSessions: those and no others, with what services hold of them; the passkey is refused from then on.
func TestPasskeyRemovalEndsItsSessions(t *testing.T) {
	h, c := passkeyHub(t)
	card, d := h.WithPasskey(t, "taro")
	byPasskey := h.Browser(t)
	r := idptest.NewRequest("scope", "openid")
	_, tokens := wantCode(t, h, byPasskey, byPasskey.PasskeyLogin(byPasskey.Get(r.Path()), d), r)
	if a := h.Bearer(t, http.MethodGet, "/userinfo", tokens.Text("access_token")); a.Status != http.StatusOK {
		t.Fatalf("userinfo %d %s", a.Status, a.Raw)
	}
	id := passkeyID(t, card.Get("/account/passkeys"))
	if p := card.Get("/account/passkeys/" + id + "/remove"); !strings.Contains(p.Body, `id="passkey-remove"`) {
		t.Fatalf("%d %s", p.Status, p.URL)
	}
	p := card.Post("/account/passkeys/"+id+"/remove", nil)
	if p.URL.Path != "/account/passkeys" || strings.Contains(p.Body, `data-passkey="`) || !strings.Contains(p.Body, `data-old-passkey="`+id) {
		t.Errorf("%d %s: not gone, or not remembered", p.Status, p.URL)
	}
	if hasSession(byPasskey) {
		t.Error("the passkey's session goes on")
	}
	if !hasSession(card) {
		t.Error("the card's session ended")
	}
	if a := h.Bearer(t, http.MethodGet, "/userinfo", tokens.Text("access_token")); a.Status != http.StatusUnauthorized {
		t.Errorf("its token lives: %d %s", a.Status, a.Raw)
	}
	told := 0
	must(t, h.DB.QueryRow(t.Context(), `SELECT COUNT(*) FROM logout_delivery WHERE reason = 'passkey-removed'`).Scan(&told))
	if told != 1 {
		t.Errorf("%d services are told", told)
	}
	c.advance(time.Minute)
	wantRefused(t, byPasskey.PasskeyLogin(byPasskey.Get("/account"), d), "passkey_unknown")
	for _, p := range []idptest.Page{card.Get("/account/passkeys/" + id), card.Post("/account/passkeys/"+id+"/remove", nil), card.Post("/account/passkeys/"+id, url.Values{"name": {"x"}})} {
		wantRefused(t, p, "not_found")
	}
	kinds := auditKinds(t, h)
	if kinds["passkey.added"] != 1 || kinds["passkey.removed"] != 1 || kinds["passkey.refused"] != 1 {
		t.Errorf("audit %v", kinds)
	}
}

// TestPasskeyRemovedByItselfSignsOut: in the session it made, removing it is signing out.
func TestPasskeyRemovedByItselfSignsOut(t *testing.T) {
	h, _ := passkeyHub(t)
	card, d := h.WithPasskey(t, "taro")
	b := h.Browser(t)
	b.PasskeyLogin(b.Get("/account"), d)
	if p := b.Post("/account/passkeys/"+passkeyID(t, b.Get("/account/passkeys"))+"/remove", nil); p.URL.Path != "/signed-out" {
		t.Errorf("%d %s", p.Status, p.URL)
	}
	if hasSession(b) || !hasSession(card) {
		t.Error("the wrong session ended")
	}
}

// TestPasskeyOfAnotherIsNobodysBusiness: ids in addresses open nothing.
func TestPasskeyOfAnotherIsNobodysBusiness(t *testing.T) {
	h, _ := passkeyHub(t)
	taro, _ := h.WithPasskey(t, "taro")
	id := passkeyID(t, taro.Get("/account/passkeys"))
	hanako := h.Browser(t)
	hanako.SignIn(hanako.Get("/account"), "hanako")
	for _, p := range []idptest.Page{
		hanako.Get("/account/passkeys/" + id), hanako.Get("/account/passkeys/" + id + "/remove"),
		hanako.Post("/account/passkeys/"+id, url.Values{"name": {"x"}}), hanako.Post("/account/passkeys/"+id+"/remove", nil),
	} {
		wantRefused(t, p, "not_found")
	}
	if passkeyID(t, taro.Get("/account/passkeys")) != id {
		t.Error("it was removed all the same")
	}
}

// TestPasskeyNameIsTheOwnersAlone: it is shown as text, bounded, and sealed where it is kept.
func TestPasskeyNameIsTheOwnersAlone(t *testing.T) {
	h, _ := passkeyHub(t)
	b, _ := h.WithPasskey(t, "taro")
	id := passkeyID(t, b.Get("/account/passkeys"))
	if p := b.Post("/account/passkeys/"+id, url.Values{"name": {"  <b>花子の zqnameqz</b>  "}}); !strings.Contains(p.Body, "&lt;b&gt;花子の zqnameqz&lt;/b&gt;") {
		t.Errorf("%d %s", p.Status, p.URL)
	}
	for name, problem := range map[string]string{"": "入力してください", strings.Repeat("あ", 41): "40文字以内", "a\u202eb": "見えない文字", "  ": "入力してください"} {
		if p := b.Post("/account/passkeys/"+id, url.Values{"name": {name}}); p.Status != http.StatusUnprocessableEntity || p.Error() != "passkey_name" || !strings.Contains(p.Body, problem) {
			t.Errorf("%q: %d %s", name, p.Status, p.Error())
		}
	}
	var name, sealed, credential []byte
	must(t, h.DB.QueryRow(t.Context(), `SELECT name, sealed, credential FROM passkey WHERE id = $1`, id).Scan(&name, &sealed, &credential))
	if bytes.Contains(name, []byte("zqnameqz")) || len(credential) != 32 || bytes.Contains(sealed, []byte(`"k":`)) {
		t.Error("the database can read it")
	}
	// A row that is moved to another person, or given another's key, does not open.
	_, err := h.DB.Exec(t.Context(), `UPDATE passkey SET name = sealed WHERE id = $1`, id)
	must(t, err)
	if p := b.Get("/account/passkeys"); p.Status != http.StatusInternalServerError {
		t.Errorf("a swapped column opens: %d", p.Status)
	}
}

// TestUserHandleIsRandom: the same for all passkeys of a person, another for every person, and nothing that anybody else knows her by.
func TestUserHandleIsRandom(t *testing.T) {
	h, _ := passkeyHub(t)
	taro, _ := h.WithPasskey(t, "taro")
	taro.AddPasskey(h.Authenticator(), "zwei")
	h.WithPasskey(t, "hanako")
	rows, err := h.DB.Query(t.Context(), `SELECT account, handle FROM passkey_owner`)
	must(t, err)
	defer rows.Close()
	var seen [][]byte
	for rows.Next() {
		var account string
		var handle []byte
		must(t, rows.Scan(&account, &handle))
		if len(handle) != 32 || bytes.Contains([]byte(account), handle) || slices.ContainsFunc(seen, func(o []byte) bool { return bytes.Equal(o, handle) }) {
			t.Errorf("handle %x of %s", handle, account)
		}
		seen = append(seen, handle)
	}
	must(t, rows.Err())
	if len(seen) != 2 {
		t.Errorf("%d handles", len(seen))
	}
}

// TestWayUsedLastComesFirst: on the login page, by a cookie that says no more than that.
func TestWayUsedLastComesFirst(t *testing.T) {
	h, _ := passkeyHub(t)
	_, d := h.WithPasskey(t, "taro")
	b := h.Browser(t)
	order := func() bool {
		body := b.Get(idptest.NewRequest("prompt", "login").Path()).Body
		passkey, card := strings.Index(body, `id="passkey-login"`), strings.Index(body, `id="card-login"`)
		if passkey < 0 || card < 0 {
			t.Fatal("a way is missing")
		}
		return passkey < card
	}
	if order() {
		t.Error("the passkey comes first in a new browser")
	}
	b.PasskeyLogin(b.Get("/account"), d)
	if !order() {
		t.Error("the card comes first after a passkey")
	}
	b.SignIn(b.Get(idptest.NewRequest("prompt", "login").Path()), "taro")
	if order() {
		t.Error("the passkey comes first after the card")
	}
}

// TestPasskeyNeedsADomain: where the hub's address is a number, browsers know no passkeys, and the pages speak of none.
func TestPasskeyNeedsADomain(t *testing.T) {
	h := idptest.Start(t, idptest.Options{})
	b := h.Browser(t)
	login := b.Get("/account")
	if strings.Contains(login.Body, "passkey") {
		t.Error("the login page speaks of passkeys")
	}
	if p := b.SignIn(login, "taro"); strings.Contains(p.Body, "passkey") {
		t.Error("the account page speaks of passkeys")
	}
	for _, path := range []string{"/login/passkey?tx=x", "/account/passkeys", "/account/passkeys/new", "/account/passkeys/x"} {
		wantRefused(t, b.Get(path), "not_found")
	}
}
