package connect

import "testing"

func TestLaunchable(t *testing.T) {
	for address, want := range map[string]bool{
		"https://etax.example/login/initiate?iss=https%3A%2F%2Fhub.example": true,
		"http://localhost:8402/login/initiate":                              true,
		"http://127.0.0.1:8402/":                                            true,
		"http://[::1]:8402/":                                                true,
		"http://etax.example/":                                              false,
		"http://localhost.evil.example/":                                    false,
		"javascript:alert(1)":                                               false,
		"//etax.example/":                                                   false,
		"/login":                                                            false,
		"https://user@etax.example/":                                        false,
		"https:etax.example":                                                false,
		"https://etax.example/#x":                                           false,
		"":                                                                  false,
		"://":                                                               false,
	} {
		if got := launchable(address); got != want {
			t.Errorf("launchable(%q) = %v", address, got)
		}
	}
}

func TestNames(t *testing.T) {
	both, ja, en := service{Name: "見本", NameEN: "Sample"}, service{Name: "見本"}, service{NameEN: "Sample"}
	for _, tt := range []struct {
		s          service
		lang, want string
	}{{both, "ja", "見本"}, {both, "en", "Sample"}, {ja, "en", "見本"}, {en, "ja", "Sample"}, {both, "easy", "見本"}} {
		if got := tt.s.name(tt.lang); got != tt.want {
			t.Errorf("%+v in %s: %s", tt.s, tt.lang, got)
		}
	}
}
