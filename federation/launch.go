package federation

import (
	"fmt"
	"net/url"

	"github.com/tsunagu-id/tsunagu/clients"
)

// LaunchURI returns the address that makes a service start a sign-in at this
// hub by itself (OpenID Connect Core §4): its initiate_login_uri with iss, and
// with target_link_uri if target is not empty. A service that registered no
// such address cannot be launched and is answered with ServiceUnknown.
func LaunchURI(c *clients.Client, issuer, target string) (string, error) {
	start := c.InitiateLoginURI()
	if start == "" {
		return "", &Error{Reason: ServiceUnknown, Detail: string(c.ID()) + " has no initiate_login_uri"}
	}
	u, err := url.Parse(start)
	if err != nil {
		return "", fmt.Errorf("initiate_login_uri of %s: %w", c.ID(), err)
	}
	q := u.Query()
	q.Set("iss", issuer)
	if target != "" {
		q.Set("target_link_uri", target)
	}
	u.RawQuery = q.Encode()
	return u.String(), nil
}
