package passkey_test

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/tsunagu-id/tsunagu/idp/passkey"
	"github.com/tsunagu-id/tsunagu/idp/passkey/passkeytest"
)

const issuer = "https://id.example:8443"

// ceremony is a party, a device and the handle of one person.
type ceremony struct {
	party  *passkey.Party
	device *passkeytest.Device
	handle []byte
}

func newCeremony(t testing.TB) *ceremony {
	t.Helper()
	party, err := passkey.NewParty(issuer)
	must(t, err)
	c := &ceremony{party: party, device: &passkeytest.Device{Origin: issuer}, handle: make([]byte, 32)}
	_, _ = rand.Read(c.handle)
	return c
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (c *ceremony) register(t testing.TB) (passkey.Credential, error) {
	t.Helper()
	options, challenge, err := c.party.Creation(passkey.Owner{Handle: c.handle, Name: "n", Site: "s"})
	must(t, err)
	body, err := c.device.Create(options)
	must(t, err)
	return c.judgeNew(challenge, body)
}

func (c *ceremony) judgeNew(challenge string, body []byte) (passkey.Credential, error) {
	a, err := passkey.ParseAttestation(body)
	if err != nil {
		return passkey.Credential{}, err
	}
	return c.party.Register(challenge, c.handle, a)
}

func (c *ceremony) use(t testing.TB, made passkey.Credential) (passkey.Use, error) {
	t.Helper()
	options, challenge, err := c.party.Request()
	must(t, err)
	body, err := c.device.Get(options)
	must(t, err)
	a, err := passkey.ParseAssertion(body)
	must(t, err)
	if !bytes.Equal(a.CredentialID(), made.ID()) {
		t.Fatal("another credential")
	}
	return c.party.Verify(challenge, a, made, c.handle)
}

func wantReason(t *testing.T, err error, want passkey.Reason) {
	t.Helper()
	var e *passkey.Error
	if !errors.As(err, &e) || e.Reason != want {
		t.Errorf("error %v, want reason %d (%s)", err, want, want)
	}
}

// TestEveryAlgorithmRegistersAndSigns: Web Authentication Level 3 §7.1 and §7.2 with each algorithm that is asked for, on a device with
// a counter and on a synced one.
func TestEveryAlgorithmRegistersAndSigns(t *testing.T) {
	for name, alg := range map[string]int64{"ES256": passkeytest.ES256, "EdDSA": passkeytest.EdDSA, "RS256": passkeytest.RS256} {
		for kind, synced := range map[string]bool{"device-bound": false, "synced": true} {
			t.Run(name+"/"+kind, func(t *testing.T) {
				c := newCeremony(t)
				c.device.Alg, c.device.Synced = alg, synced
				made, err := c.register(t)
				must(t, err)
				stored, err := made.MarshalBinary()
				must(t, err)
				again, err := passkey.UnmarshalCredential(stored)
				must(t, err)
				eligible, backed := made.Synced()
				if eligible != synced || backed != synced || (made.Counter() == 0) != synced {
					t.Errorf("eligible %t, backed up %t, counter %d", eligible, backed, made.Counter())
				}
				again = again.Stored(eligible, backed, made.Counter())
				for range 3 {
					use, err := c.use(t, again)
					must(t, err)
					if use.Eligible != synced || use.BackedUp != synced || (use.Counter > again.Counter()) == synced {
						t.Errorf("%+v", use)
					}
					again = again.Stored(eligible, use.BackedUp, use.Counter)
				}
			})
		}
	}
}

// TestFalseRegistrationIsRefused: one lie at a time (§7.1).
func TestFalseRegistrationIsRefused(t *testing.T) {
	packed := []byte{0xa2, 0x63, 'a', 'l', 'g', 0x26, 0x63, 's', 'i', 'g', 0x42, 0x30, 0x00}
	for name, tt := range map[string]struct {
		lie  func(*passkeytest.Device)
		want passkey.Reason
	}{
		"wrong type, step 7":           {func(d *passkeytest.Device) { d.Type = "webauthn.get" }, passkey.TypeMismatch},
		"wrong challenge, step 8":      {func(d *passkeytest.Device) { d.Challenge = strings.Repeat("A", 43) }, passkey.ChallengeMismatch},
		"wrong origin, step 9":         {func(d *passkeytest.Device) { d.Origin = "https://id.example" }, passkey.OriginMismatch},
		"origin in capitals, step 9":   {func(d *passkeytest.Device) { d.Origin = "https://ID.example:8443" }, passkey.OriginMismatch},
		"in a frame, step 10":          {func(d *passkeytest.Device) { d.CrossOrigin = true }, passkey.OriginMismatch},
		"wrong RP id, step 14":         {func(d *passkeytest.Device) { d.RPID = "example" }, passkey.PartyMismatch},
		"user not present, step 15":    {func(d *passkeytest.Device) { d.ClearFlags = passkeytest.UP }, passkey.UserNotVerified},
		"user not verified, step 16":   {func(d *passkeytest.Device) { d.ClearFlags = passkeytest.UV }, passkey.UserNotVerified},
		"backed up and not eligible":   {func(d *passkeytest.Device) { d.SetFlags = passkeytest.BS }, passkey.FlagsInvalid},
		"algorithm not asked for":      {func(d *passkeytest.Device) { d.Alg = passkeytest.ES384 }, passkey.KeyRefused},
		"attestation of a make":        {func(d *passkeytest.Device) { d.Format = "fido-u2f" }, passkey.KeyRefused},
		"unknown attestation":          {func(d *passkeytest.Device) { d.Format = "x" }, passkey.KeyRefused},
		"none with a statement":        {func(d *passkeytest.Device) { d.Statement = packed }, passkey.SignatureInvalid},
		"self attestation, bad signed": {func(d *passkeytest.Device) { d.Format, d.Statement = "packed", packed }, passkey.SignatureInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCeremony(t)
			tt.lie(c.device)
			_, err := c.register(t)
			wantReason(t, err, tt.want)
		})
	}
}

// TestFalseAssertionIsRefused: one lie at a time (§7.2), by a device that registered honestly.
func TestFalseAssertionIsRefused(t *testing.T) {
	for name, tt := range map[string]struct {
		lie  func(*passkeytest.Device)
		want passkey.Reason
	}{
		"another's user handle, step 6": {func(d *passkeytest.Device) { d.Handle = bytes.Repeat([]byte{7}, 32) }, passkey.OwnerMismatch},
		"no user handle, step 6":        {func(d *passkeytest.Device) { d.Handle = []byte{} }, passkey.OwnerMismatch},
		"wrong type, step 10":           {func(d *passkeytest.Device) { d.Type = "webauthn.create" }, passkey.TypeMismatch},
		"wrong challenge, step 11":      {func(d *passkeytest.Device) { d.Challenge = strings.Repeat("A", 43) }, passkey.ChallengeMismatch},
		"wrong origin, step 12":         {func(d *passkeytest.Device) { d.Origin = "https://id.example.evil.example" }, passkey.OriginMismatch},
		"sibling origin, step 12":       {func(d *passkeytest.Device) { d.Origin = "http://id.example:8443" }, passkey.OriginMismatch},
		"in a frame, step 13":           {func(d *passkeytest.Device) { d.CrossOrigin = true }, passkey.OriginMismatch},
		"wrong RP id, step 15":          {func(d *passkeytest.Device) { d.RPID = "evil.example" }, passkey.PartyMismatch},
		"user not present, step 16":     {func(d *passkeytest.Device) { d.ClearFlags = passkeytest.UP }, passkey.UserNotVerified},
		"user not verified, step 17":    {func(d *passkeytest.Device) { d.ClearFlags = passkeytest.UV }, passkey.UserNotVerified},
		"backed up, not eligible":       {func(d *passkeytest.Device) { d.SetFlags = passkeytest.BS }, passkey.FlagsInvalid},
		"eligible all at once, step 19": {func(d *passkeytest.Device) { d.SetFlags = passkeytest.BE }, passkey.FlagsInvalid},
		"bad signature, step 21":        {func(d *passkeytest.Device) { d.BreakSig = true }, passkey.SignatureInvalid},
		"counter stands, step 22":       {func(d *passkeytest.Device) { d.KeepCounter = true }, passkey.Cloned},
		"counter back to 0, step 22":    {func(d *passkeytest.Device) { d.KeepCounter, d.Counter = true, 0 }, passkey.Cloned},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCeremony(t)
			c.device.Counter = 4
			made, err := c.register(t)
			must(t, err)
			tt.lie(c.device)
			_, err = c.use(t, made)
			wantReason(t, err, tt.want)
		})
	}
}

// TestBadSignatureIsNoClone: a counter that went back in an answer nobody signed says nothing about the passkey.
func TestBadSignatureIsNoClone(t *testing.T) {
	c := newCeremony(t)
	made, err := c.register(t)
	must(t, err)
	c.device.KeepCounter, c.device.BreakSig = true, true
	_, err = c.use(t, made)
	wantReason(t, err, passkey.SignatureInvalid)
}

// TestAssertionOfAnotherCredentialIsRefused: the same person's other passkey, and a key that was put in its place.
func TestAssertionOfAnotherCredentialIsRefused(t *testing.T) {
	c := newCeremony(t)
	first, err := c.register(t)
	must(t, err)
	c.device.CredentialID = first.ID()
	if _, err = c.register(t); err != nil { // the same id, another key
		t.Fatal(err)
	}
	_, err = c.use(t, first)
	wantReason(t, err, passkey.SignatureInvalid)
}

// TestRegistrationIsNoLogin: what was made with create() is refused where get() is due, and the other way round.
func TestRegistrationIsNoLogin(t *testing.T) {
	c := newCeremony(t)
	creation, _, err := c.party.Creation(passkey.Owner{Handle: c.handle, Name: "n", Site: "s"})
	must(t, err)
	body, err := c.device.Create(creation)
	must(t, err)
	if _, err := passkey.ParseAssertion(body); err == nil {
		t.Error("a registration is read as a login")
	}
	request, challenge, err := c.party.Request()
	must(t, err)
	body, err = c.device.Get(request)
	must(t, err)
	if _, err := c.judgeNew(challenge, body); err == nil {
		t.Error("a login is read as a registration")
	}
}

// TestIdThatIsNotTheKeysIsRefused: the id beside the attestation has to be the one inside it.
func TestIdThatIsNotTheKeysIsRefused(t *testing.T) {
	c := newCeremony(t)
	options, challenge, err := c.party.Creation(passkey.Owner{Handle: c.handle, Name: "n", Site: "s"})
	must(t, err)
	body, err := c.device.Create(options)
	must(t, err)
	var m map[string]any
	must(t, json.Unmarshal(body, &m))
	m["id"], m["rawId"] = "AAAA", "AAAA"
	body, err = json.Marshal(m)
	must(t, err)
	_, err = c.judgeNew(challenge, body)
	wantReason(t, err, passkey.Malformed)
}

// TestOptionsSayWhatIsMeant: what a browser is told, member by member (§5.4, §5.5).
func TestOptionsSayWhatIsMeant(t *testing.T) {
	c := newCeremony(t)
	made, err := c.register(t)
	must(t, err)
	options, challenge, err := c.party.Creation(passkey.Owner{Handle: c.handle, Name: "家のパソコン", Site: "Tsunagu", Known: []passkey.Credential{made}})
	must(t, err)
	for _, want := range []string{
		`"rp":{"name":"Tsunagu","id":"id.example"}`, `"challenge":"` + challenge + `"`, `"attestation":"none"`,
		`"pubKeyCredParams":[{"type":"public-key","alg":-7},{"type":"public-key","alg":-8},{"type":"public-key","alg":-257}]`,
		`"requireResidentKey":true`, `"residentKey":"required"`, `"userVerification":"required"`, `"transports":["hybrid","internal"]`, `"timeout":300000`,
	} {
		if !strings.Contains(string(options), want) {
			t.Errorf("%s lacks %s", options, want)
		}
	}
	if _, err := c.device.Create(options); !errors.Is(err, passkeytest.ErrExcluded) {
		t.Errorf("an excluded authenticator makes another: %v", err)
	}
	options, challenge, err = c.party.Request()
	must(t, err)
	if want := `{"challenge":"` + challenge + `","timeout":300000,"rpId":"id.example","userVerification":"required"}`; string(options) != want || len(challenge) != 43 {
		t.Errorf("%s, want %s", options, want)
	}
}

// TestAddressIsNoRelyingParty: §5.1.2: browsers know domains.
func TestAddressIsNoRelyingParty(t *testing.T) {
	for _, issuer := range []string{"http://127.0.0.1:8400", "http://[::1]:8400"} {
		if _, err := passkey.NewParty(issuer); !errors.Is(err, passkey.ErrNoDomain) {
			t.Errorf("%s: %v", issuer, err)
		}
	}
	if _, err := passkey.NewParty("http://localhost:8400"); err != nil {
		t.Error(err)
	}
}

// TestAnswerIsReadOneWayOnly: members twice, in two spellings, too deep, too long, or followed by more.
func TestAnswerIsReadOneWayOnly(t *testing.T) {
	c := newCeremony(t)
	_, err := c.register(t)
	must(t, err)
	options, _, err := c.party.Request()
	must(t, err)
	body, err := c.device.Get(options)
	must(t, err)
	if _, err := passkey.ParseAssertion(body); err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string]string{
		"empty": "", "no object": `[` + string(body) + `]`, "twice": `{"id":"AAAA",` + string(body[1:]), "in capitals": `{"ID":"AAAA",` + string(body[1:]),
		"folding letter": `{"cl\u0131entDataJSON":"",` + string(body[1:]), "more": string(body) + `{}`, "cut": string(body[:len(body)-1]),
		"deep": `{"x":` + strings.Repeat(`[`, 20) + strings.Repeat(`]`, 20) + `,` + string(body[1:]), "long": `{"x":"` + strings.Repeat("a", passkey.MaxAnswer) + `",` + string(body[1:]),
		"no id": strings.Replace(string(body), `"id"`, `"di"`, 1), "type": strings.Replace(string(body), "public-key", "password", 1),
		"invalid UTF-8": string(body[:len(body)-1]) + ",\"x\":\"\xff\"}",
	} {
		_, err := passkey.ParseAssertion([]byte(bad))
		if err == nil {
			t.Errorf("%s: accepted", name)
			continue
		}
		wantReason(t, err, passkey.Malformed)
	}
}

// TestRefusalTellsNothingThatWasSent: details go to the log.
func TestRefusalTellsNothingThatWasSent(t *testing.T) {
	c := newCeremony(t)
	made, err := c.register(t)
	must(t, err)
	c.device.Origin = "https://zqsecretqz.example"
	_, err = c.use(t, made)
	if err == nil || strings.Contains(err.Error(), "zqsecretqz") {
		t.Errorf("%v", err)
	}
}
