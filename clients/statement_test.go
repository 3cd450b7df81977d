package clients

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"testing"

	"github.com/tsunagu-id/tsunagu/keys"
)

// stated is a policy that takes the statements of a vendor.
func stated(t testing.TB, vendor signing) Policy {
	t.Helper()
	return Policy{Name: "vendor", statements: jwks(t, vendor)}.withDefaults()
}

func said(t testing.TB, vendor signing, typ string, more map[string]any) string {
	t.Helper()
	all := map[string]any{"iss": "https://vendor.example", "client_name": "レジ"}
	maps.Copy(all, more)
	return vendor.sign(t, typ, all)
}

func bodyWith(t testing.TB, statement string, more map[string]any) []byte {
	t.Helper()
	all := map[string]any{"redirect_uris": []string{"https://till.example/callback"}, "software_statement": statement}
	maps.Copy(all, more)
	b, err := json.Marshal(all)
	must(t, err)
	return b
}

// TestAStatementNamesTheSoftwareInEveryLanguage: whoever has a vendor's statement cannot add a name of her own beside the vendor's.
func TestAStatementNamesTheSoftwareInEveryLanguage(t *testing.T) {
	vendor := newECKey(t, "k1")
	for _, own := range []string{"client_name", "client_name#ja", "client_name#en", "client_name#ja-JP", "client_name#EN-us"} {
		for _, theirs := range []string{"client_name", "client_name#ja", "client_name#en"} {
			statement := said(t, vendor, "", map[string]any{"client_name": nil, theirs: "Till"})
			body, _, err := stated(t, vendor).withStatement(bodyWith(t, statement, map[string]any{own: "銀行"}), issuer, newClock().now())
			must(t, err)
			request, err := parseRegistration(body)
			must(t, err)
			if n := request.m.ClientName; n.JA == "銀行" || n.EN == "銀行" {
				t.Errorf("%s beside %s of the statement: %+v", own, theirs, n)
			}
		}
	}
}

// TestAStatementIsForThisHubAndNothingElse: what names another audience, or says that it is a token of another kind, is no statement to this hub.
func TestAStatementIsForThisHubAndNothingElse(t *testing.T) {
	vendor, now := newECKey(t, "k1"), newClock().now()
	p := stated(t, vendor)
	for name, tt := range map[string]struct {
		typ string
		aud any
		ok  bool
	}{
		"for this hub": {"JWT", issuer, true}, "for it among others": {"", []string{"https://other.example", issuer}, true},
		"for another": {"", "https://other.example", false}, "for others": {"", []string{"https://other.example"}, false}, "for nobody": {"", []string{}, false},
		"for a number": {"", 1, false}, "a logout token": {"logout+jwt", issuer, false}, "an access token": {"at+jwt", issuer, false},
	} {
		_, _, err := p.withStatement(bodyWith(t, said(t, vendor, tt.typ, map[string]any{"aud": tt.aud}), nil), issuer, now)
		refused, _ := errors.AsType[*registrationError](err)
		if tt.ok != (err == nil) || !tt.ok && (refused == nil || refused.code != codeStatement) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzWithStatement: whatever the body, it is refused in the protocol's words, or says what the statement says.
func FuzzWithStatement(f *testing.F) {
	vendor := newECKey(f, "k1")
	p, c := stated(f, vendor), newClock()
	f.Add([]byte(`{"software_statement":"a.b.c"}`), []byte(`{"iss":"v","client_name":"x"}`))
	f.Add([]byte(`{"client_name#ja":"x","scope":"openid"}`), []byte(`{"iss":"v","client_name":"y","exp":1e400}`))
	f.Add([]byte(`{"software_statement":null,"jwks":{}}`), []byte(`{"iss":"v","aud":[1],"client_name":null}`))
	f.Fuzz(func(t *testing.T, body, claims []byte) {
		var all map[string]json.RawMessage
		if json.Unmarshal(body, &all) == nil && all != nil {
			var payload map[string]any
			if json.Unmarshal(claims, &payload) == nil && payload != nil {
				all[memberStatement], _ = json.Marshal(vendor.sign(t, "", payload))
				body, _ = json.Marshal(all)
			}
		}
		out, statement, err := p.withStatement(body, issuer, c.now())
		if err != nil {
			if refused, ok := errors.AsType[*registrationError](err); !ok || refused.status != http.StatusBadRequest {
				t.Fatal(err)
			}
			return
		}
		if statement == "" {
			return // told by parseRegistration
		}
		set, err := keys.ReadPublicSet(p.statements)
		must(t, err)
		verified, err := set.Verify(statement, keys.VerifyOptions{Algs: keys.Algs()})
		must(t, err)
		said, err := decodeObject(verified.Payload)
		must(t, err)
		got, err := decodeObject(out)
		must(t, err)
		for _, name := range said.names {
			if name == "software_id" && string(got.values[name]) != string(said.values[name]) {
				t.Fatalf("%s is %s", name, got.values[name])
			}
		}
	})
}
