package connect

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/tsunagu-id/tsunagu/clients/rp"
)

// ErrUnknown says that no service of the directory has the name asked for.
var ErrUnknown = errors.New("connect: no such service")

// service is an entry of the hub's directory, with the state of the person's link to it.
type service struct {
	ClientID      string    `json:"client_id"`
	Name          string    `json:"client_name"`
	NameEN        string    `json:"client_name#en"`
	Operator      string    `json:"operator"`
	Domain        string    `json:"domain"`
	Category      string    `json:"category"`
	Description   string    `json:"description"`
	DescriptionEN string    `json:"description#en"`
	Verified      bool      `json:"verified"`
	State         string    `json:"state"`
	Since         time.Time `json:"since"`
	LaunchURI     string    `json:"launch_uri"`
	Health        string    `json:"health"` // of the launch: ok, down, unknown
	HealthSince   time.Time `json:"health_since"`
}

// linked reports whether one press is enough to enter.
func (s service) linked() bool { return s.State == "linked" }

// down is since when the service does not answer, zero if it does or nobody knows.
func (s service) down() time.Time {
	if s.Health != "down" {
		return time.Time{}
	}
	return s.HealthSince
}

// started reports whether there is something that can be ended.
func (s service) started() bool { return s.linked() || s.State == "offered" || s.State == "broken" }

func (s service) name(lang string) string { return choose(lang, s.Name, s.NameEN) }

func (s service) description(lang string) string { return choose(lang, s.Description, s.DescriptionEN) }

func choose(lang, ja, en string) string {
	if lang == "en" && en != "" || ja == "" {
		return en
	}
	return ja
}

// matches reports whether a search word stands in what people know a service by.
func (s service) matches(word string) bool {
	text := strings.ToLower(strings.Join([]string{
		s.Name, s.NameEN, s.Operator, s.Domain, s.Description, s.DescriptionEN,
	}, "\n"))
	return strings.Contains(text, strings.ToLower(word))
}

// clientID is what may stand in a path of ours and in one of the hub's API.
var clientID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._~-]{0,127}$`)

// services asks the hub for the directory. Entries that could not be entered safely are left out.
func (c *Connect) services(ctx context.Context, s *rp.Session) ([]service, error) {
	var answer struct {
		Services []service `json:"services"`
	}
	if err := c.party.Call(ctx, s, http.MethodGet, "/api/account/services", nil, &answer); err != nil {
		return nil, err
	}
	var good []service
	for _, one := range answer.Services {
		if clientID.MatchString(one.ClientID) && launchable(one.LaunchURI) {
			good = append(good, one)
		}
	}
	return good, nil
}

// find returns one service of the directory, or ErrUnknown.
func (c *Connect) find(ctx context.Context, s *rp.Session, id string) (service, error) {
	all, err := c.services(ctx, s)
	if err != nil {
		return service{}, err
	}
	for _, one := range all {
		if one.ClientID == id {
			return one, nil
		}
	}
	return service{}, ErrUnknown
}

// launchable refuses addresses that a browser should not be sent to, whoever names them.
func launchable(address string) bool {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil || u.Opaque != "" || u.Fragment != "" {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	loopback := u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
	return u.Scheme == "https" || u.Scheme == "http" && loopback
}
