package rp_test

import (
	"strings"
	"testing"

	"github.com/tsunagu-id/tsunagu/clients/rp"
)

func TestSealedTokenOpensForItsPartyAndNameOnly(t *testing.T) {
	secret := func(s string) func(*rp.Config) {
		return func(c *rp.Config) { c.Credential = rp.ClientSecret{Secret: rp.NewSecret(s)} }
	}
	for name, parties := range map[string][2]*rp.Party{
		"key":    {newWorld(t, nil).party, newWorld(t, nil).party},
		"secret": {newWorld(t, secret("one")).party, newWorld(t, secret("two")).party},
	} {
		own, other := parties[0], parties[1]
		sealed := own.Seal("taro", rp.NewSecret("token"))
		if strings.Contains(sealed, "token") || sealed == own.Seal("taro", rp.NewSecret("token")) {
			t.Errorf("%s: %s", name, sealed)
		}
		if got, err := own.Open("taro", sealed); err != nil || got.Reveal() != "token" {
			t.Errorf("%s: %v", name, err)
		}
		for _, refused := range []struct {
			party        *rp.Party
			name, sealed string
		}{{other, "taro", sealed}, {own, "hanako", sealed}, {own, "taro", "token"}, {own, "taro", ""}, {own, "taro", "!"}, {own, "taro", sealed[:20]}} {
			if _, err := refused.party.Open(refused.name, refused.sealed); err == nil {
				t.Errorf("%s: opened %q for %s", name, refused.sealed, refused.name)
			}
		}
	}
}
