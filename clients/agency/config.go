package agency

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/tsunagu-id/tsunagu/clients/rp"
	"github.com/tsunagu-id/tsunagu/internal/govcode"
	"github.com/tsunagu-id/tsunagu/internal/sqldb"
)

// Config is one office. Required unless it says otherwise.
type Config struct {
	Issuer   string // the hub
	BaseURL  string // the office's own origin: two offices never share one, or browsers would mix up who is signed in where
	ClientID string // as registered; see Registration
	Slug     string // short name in cookie names and logs, such as pension
	Name     Text
	Key      *rp.Key
	HTTP     *http.Client // to reach the hub and other offices with; nil means the default
	DB       *sqldb.DB    // of this office alone
	Now      func() time.Time
	Log      *slog.Logger
	Sample   bool // say on every page that this is a sample, and which record to try

	Inquiries []Inquiry // what is asked of others about an application; empty: the office receives none
	Records   []Record  // made at start if absent; empty: the office holds none
}

// Text is something a person reads, in both languages.
type Text struct {
	JA string `json:"ja"`
	EN string `json:"en"`
}

func (t Text) in(lang string) string {
	if lang == "en" {
		return t.EN
	}
	return t.JA
}

func (t Text) empty() bool { return t.JA == "" || t.EN == "" }

// Inquiry is something an office may ask another about an application.
type Inquiry struct {
	Item     string `json:"item"`     // TM…
	Basis    string `json:"basis"`    // the legal basis, as the hub's table calls it
	Purpose  string `json:"purpose"`  // the procedure it is for, JT…
	Resource string `json:"resource"` // of the office that answers
	Name     Text   `json:"name"`     // of the item
	From     Text   `json:"from"`     // the name of the office that answers
}

func (c Config) check() error {
	if c.DB == nil || c.Now == nil || c.Log == nil || c.Key == nil || c.Name.empty() || c.Slug == "" {
		return errors.New("agency: Config has an empty field")
	}
	if len(c.Inquiries) == 0 && len(c.Records) == 0 {
		return errors.New("agency: an office asks others or holds records; Inquiries and Records are both empty")
	}
	seen := map[string]bool{}
	for i, q := range c.Inquiries {
		_, item := govcode.ParseItem(q.Item)
		_, purpose := govcode.ParseProcedure(q.Purpose)
		switch {
		case item != nil || purpose != nil:
			return fmt.Errorf("agency: inquiries[%d]: %w", i, errors.Join(item, purpose))
		case q.Basis == "" || q.Resource == "" || q.Name.empty() || q.From.empty():
			return fmt.Errorf("agency: inquiries[%d] has an empty field", i)
		case seen[q.Item]:
			return fmt.Errorf("agency: inquiries[%d]: item %s is listed twice", i, q.Item)
		}
		seen[q.Item] = true
	}
	return nil
}

// receives reports whether citizens can apply here.
func (c Config) receives() bool { return len(c.Inquiries) > 0 }

// holds reports whether there are records here.
func (c Config) holds() bool { return len(c.Records) > 0 }
