package idp_test

import (
	"crypto/rand"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/tsunagu-id/tsunagu/idp/idptest"
	"github.com/tsunagu-id/tsunagu/internal/audit"
)

const (
	pensionAPI   = "https://pension.example/api"
	welfareAPI   = "https://welfare.example/api"
	annexAPI     = "https://ward.example/api" // of an office in the ward's own sector
	wardCode     = "132993"
	pensionCode  = "4000012990001"
	welfareCode  = "472999"
	childBenefit = "JT01010000000214"
	pensionItem  = "TM00000000000041"
	taxItem      = "TM00000000000013"
	subjectJWT   = "urn:ietf:params:oauth:token-type:jwt"
)

const basesHead = "basis,requester,purpose,purpose_name,purpose_name_en,provider,item,item_name,item_name_en,valid_from,valid_until,law\n"

const goodBases = basesHead +
	"KODOMO-01," + wardCode + "," + childBenefit + ",児童手当の認定,Child allowance," + pensionCode + "," + pensionItem + ",公的年金の加入状況,Pension membership,2020-04-01,2090-03-31,番号法第19条第8号\n" +
	"KODOMO-02," + wardCode + "," + childBenefit + ",児童手当の認定,Child allowance," + pensionCode + "," + pensionItem + ",公的年金の加入状況,Pension membership,2020-04-01,2021-03-31,番号法第19条第8号\n" +
	"KODOMO-03," + wardCode + "," + childBenefit + ",児童手当の認定,Child allowance," + pensionCode + "," + pensionItem + ",公的年金の加入状況,Pension membership,2089-04-01,2090-03-31,番号法第19条第8号\n"

// offices is a hub with a municipality that asks, two offices that hold information, and a portal.
type offices struct {
	*idptest.Hub
	clock                  *clock
	ward, pension, welfare *signedClient
	portal, stranger       *signedClient
	sub                    string // what the ward calls taro
	citizen                string // the portal's access token
}

func openOffices(t *testing.T, o idptest.Options) *offices {
	t.Helper()
	office := func(code, name string, more map[string]any) map[string]any {
		m := map[string]any{
			"category": "government", "agency": map[string]any{"body_code": code, "name": name, "name#en": name + " (en)"},
			"grant_types": []string{"authorization_code", "client_credentials", exchangeGrant}, "scope": "openid service exchange.provide exchange.protect",
		}
		maps.Copy(m, more)
		return m
	}
	c, made, h := signedHubOn(t, o, map[string]map[string]any{
		"ward":    office(wardCode, "見本区", nil),
		"pension": office(pensionCode, "見本年金事務所", map[string]any{"serves": []string{pensionAPI}}),
		"welfare": office(welfareCode, "見本福祉事務所", map[string]any{"serves": []string{welfareAPI}}),
		"annex":   office(pensionCode, "見本区の年金課", map[string]any{"redirect_uris": []string{"https://ward.example/annex"}, "serves": []string{annexAPI}}),
		"window":  {"scope": "openid offline_access exchanges"},
		"stranger": {
			"grant_types": []string{"authorization_code", "client_credentials", exchangeGrant}, "scope": "openid service exchange.protect", "serves": []string{"https://stranger.example/api"},
		},
	})
	out := &offices{Hub: h, clock: c, ward: made["ward"], pension: made["pension"], welfare: made["welfare"], portal: made["window"], stranger: made["stranger"]}
	set, err := h.Exchanges.Propose(t.Context(), strings.NewReader(goodBases), "sato")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Exchanges.Approve(t.Context(), set.Version, "tanaka", time.Time{}, time.Time{}); err != nil {
		t.Fatal(err)
	}
	b := h.Browser(t)
	out.sub, _ = out.signIn(t, b, out.ward, "openid")
	_, out.citizen = out.signIn(t, b, out.portal, "openid exchanges")
	return out
}

// signIn returns what the client calls the citizen, and its access token.
func (o *offices) signIn(t *testing.T, b *idptest.Browser, c *signedClient, scope string) (sub, token string) {
	t.Helper()
	r := c.request("scope", scope)
	a := c.post(t, "/token", idptest.CodeForm(o.Code(t, b, r, "taro"), r))
	if a.Status != http.StatusOK {
		t.Fatalf("sign in at %s: %d %s", c.id, a.Status, a.Raw)
	}
	sub, _ = idTokenClaims(t, a.Text("id_token"))["sub"].(string)
	return sub, a.Text("access_token")
}

// subject is the ward's token about a name; changes replace claims, nil leaves one out, "typ" the header's.
func (o *offices) subject(t *testing.T, by *signedClient, sub string, changes map[string]any) string {
	t.Helper()
	now := o.clock.now()
	claims := map[string]any{"iss": by.id, "sub": sub, "aud": o.Issuer, "iat": now.Unix(), "exp": now.Add(time.Minute).Unix(), "jti": rand.Text()}
	typ := "agency-subject+jwt"
	for k, v := range changes {
		switch {
		case k == "typ":
			typ, _ = v.(string)
		case v == nil:
			delete(claims, k)
		default:
			claims[k] = v
		}
	}
	return by.sign(t, typ, claims)
}

func details(basis, purpose, item, more string) string {
	return `[{"type":"urn:tsunagu:exchange","basis":"` + basis + `","purpose":"` + purpose + `","items":["` + item + `"]` + more + `}]`
}

// ask is a good request of the ward about taro, with the changes.
func (o *offices) ask(t *testing.T, changes ...string) url.Values {
	t.Helper()
	return exchangeForm(o.subject(t, o.ward, o.sub, nil), pensionAPI, append([]string{
		"subject_token_type", subjectJWT, "authorization_details", details("KODOMO-01", childBenefit, pensionItem, ""),
	}, changes...)...)
}

// own is a token that a client has on its own behalf.
func (o *offices) own(t *testing.T, c *signedClient, scope string) string {
	t.Helper()
	a := c.post(t, "/token", serviceForm("scope", scope))
	if a.Status != http.StatusOK {
		t.Fatalf("own token of %s: %d %s", c.id, a.Status, a.Raw)
	}
	return a.Text("access_token")
}

// confirm is what a provider says of an exchange.
func (o *offices) confirm(t *testing.T, token, id, body string) idptest.Answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, o.Issuer+"/api/exchanges/"+id+"/provision", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+token)
	return send(t, req)
}

// records is what the citizen reads, newest first.
func (o *offices) records(t *testing.T, query string) []map[string]any {
	t.Helper()
	a := o.Bearer(t, http.MethodGet, "/api/account/exchanges?"+query, o.citizen)
	if a.Status != http.StatusOK {
		t.Fatalf("records: %d %s", a.Status, a.Raw)
	}
	var out []map[string]any
	for _, e := range a.JSON["exchanges"].([]any) {
		out = append(out, e.(map[string]any))
	}
	return out
}

func (o *offices) audits(t *testing.T, kind audit.Kind) []audit.Row {
	t.Helper()
	rows, err := o.Audit.List(t.Context(), audit.Query{Limit: 500, Kind: kind})
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// asserted is a form with a fresh assertion of the client.
func (o *offices) asserted(t *testing.T, c *signedClient, form url.Values) url.Values {
	t.Helper()
	f := maps.Clone(form)
	f.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
	now := o.clock.now()
	f.Set("client_assertion", c.sign(t, "", map[string]any{
		"iss": c.id, "sub": c.id, "aud": o.Issuer, "jti": rand.Text(), "iat": now.Unix(), "exp": now.Add(time.Minute).Unix(),
	}))
	return f
}
