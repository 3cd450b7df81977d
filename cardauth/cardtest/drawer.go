package cardtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// The secrets of every card in the drawer.
const (
	DemoPIN      = "1234"
	DemoPassword = "ABC123"
)

// ErrNoSuchCard says that the drawer has no card of that name.
var ErrNoSuchCard = errors.New("no such card in the drawer")

// Entry is one card of the drawer, as a list shows it.
type Entry struct{ Name, LabelJA, LabelEN string }

// drawn is what distinguishes the cards of the drawer.
type drawn struct {
	Entry
	person  Person
	age     time.Duration // how long ago the certificates were issued
	revoked bool
	blocked bool
	phone   bool
}

const day = 24 * time.Hour

var (
	chiyoda = Place{Prefecture: "Tokyo-to", City: "Chiyoda-ku", Code: "13101"}
	kiyose  = Place{Prefecture: "Tokyo-to", City: "Kiyose-shi", Code: "13221"}
)

func drawerContents() []drawn {
	born := func(y int, m time.Month, d int) time.Time { return time.Date(y, m, d, 0, 0, 0, 0, time.UTC) }
	taro := Person{Name: "見本　太郎", Address: "東京都千代田区見本町１丁目２番３号", Sex: "1", Birth: born(1980, 2, 17), Place: chiyoda}
	hanako := Person{Name: "見本　花子", Address: "東京都清瀬市見本町４丁目５番６号", Sex: "2", Birth: born(1992, 7, 7), Place: kiyose}
	jiro := Person{Name: "見本　次郎", Address: "東京都千代田区見本町７丁目８番９号", Sex: "1", Birth: born(1955, 11, 3), Place: chiyoda}
	return []drawn{
		{Entry: Entry{"taro", "見本 太郎", "Taro Mihon"}, person: taro, age: 400 * day},
		{Entry: Entry{"hanako", "見本 花子", "Hanako Mihon"}, person: hanako, age: 200 * day},
		{Entry: Entry{"taro-renewed", "見本 太郎（新しい電子証明書）", "Taro Mihon (renewed certificate)"}, person: taro, age: 10 * day},
		{Entry: Entry{"revoked", "失効したカード", "Revoked card"}, person: jiro, age: 300 * day, revoked: true},
		{Entry: Entry{"expired", "期限切れのカード", "Expired card"}, person: jiro, age: 2200 * day},
		{Entry: Entry{"blocked", "ロックされたカード", "Blocked card"}, person: jiro, age: 100 * day, blocked: true},
		{Entry: Entry{"phone", "見本 太郎のスマートフォン", "Taro Mihon's phone"}, person: taro, age: 5 * day, phone: true},
	}
}

// Drawer is the demo's cards. A card is made when it is first taken out, in
// about half a second; from then on it stays the same.
type Drawer struct {
	pki   *PKI
	mu    sync.Mutex
	cards map[string]*Card
}

// Entries lists what is in the drawer.
func (d *Drawer) Entries() []Entry {
	var out []Entry
	for _, c := range drawerContents() {
		out = append(out, c.Entry)
	}
	return out
}

// Card takes out a card; the same one every time. An unknown name is
// ErrNoSuchCard.
func (d *Drawer) Card(name string) (*Card, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if c := d.cards[name]; c != nil {
		return c, nil
	}
	for _, c := range drawerContents() {
		if c.Name != name {
			continue
		}
		card, err := d.open(c)
		if err != nil {
			return nil, fmt.Errorf("card %s: %w", name, err)
		}
		d.cards[name] = card
		return card, nil
	}
	return nil, ErrNoSuchCard
}

// Serials returns the serial numbers of a card's two certificates, making the
// card if need be. An unknown name is ErrNoSuchCard.
func (d *Drawer) Serials(name string) (auth, sign uint32, err error) {
	if _, err = d.Card(name); err != nil {
		return 0, 0, err
	}
	folder := filepath.Join(d.pki.dir, "cards", name)
	a, authErr := readBundle(filepath.Join(folder, "auth.key"))
	s, signErr := readBundle(filepath.Join(folder, "sign.key"))
	if err = errors.Join(authErr, signErr); err != nil {
		return 0, 0, err
	}
	return a.Serial(), s.Serial(), nil
}

// open loads a card from its folder or makes it there.
func (d *Drawer) open(c drawn) (*Card, error) {
	folder := filepath.Join(d.pki.dir, "cards", c.Name)
	if _, err := os.Stat(folder); errors.Is(err, fs.ErrNotExist) {
		if err = d.create(folder, c); err != nil {
			return nil, err
		}
	}
	auth, sign, err := readLeaves(folder)
	if err != nil {
		return nil, err
	}
	return NewCard(Config{
		Auth: auth, Sign: sign, AuthCA: d.pki.auth.cert.Raw, SignCA: d.pki.sign.cert.Raw,
		Phone: c.phone, State: filepath.Join(folder, "pins.json"),
	})
}

// Leaves takes out a card and returns what is on it: the certificates with their
// keys, which no real card gives away.
func (d *Drawer) Leaves(name string) (auth, sign *Leaf, err error) {
	if _, err = d.Card(name); err != nil {
		return nil, nil, err
	}
	return readLeaves(filepath.Join(d.pki.dir, "cards", name))
}

func readLeaves(folder string) (auth, sign *Leaf, err error) {
	if auth, err = readBundle(filepath.Join(folder, "auth.key")); err != nil {
		return nil, nil, err
	}
	sign, err = readBundle(filepath.Join(folder, "sign.key"))
	return auth, sign, err
}

// create makes a card in a folder that gets its name when it is complete. Of
// two processes that make the same card, one wins and both use its card.
func (d *Drawer) create(folder string, c drawn) error {
	work, err := os.MkdirTemp(filepath.Dir(folder), "."+c.Name+"-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(work) }()
	issued := d.pki.now().Add(-c.age).UTC().Truncate(time.Second)
	p := Profile{Person: c.person, Phone: c.phone, NotBefore: issued, NotAfter: c.person.FifthBirthday(issued)}
	var auth *Leaf
	var authErr, signErr error
	var both sync.WaitGroup
	both.Go(func() { auth, authErr = issueTo(filepath.Join(work, "auth.key"), p, d.pki.auth.IssueAuth) })
	both.Go(func() { _, signErr = issueTo(filepath.Join(work, "sign.key"), p, d.pki.sign.IssueSign) })
	both.Wait()
	if err = errors.Join(authErr, signErr); err != nil {
		return err
	}
	if c.revoked {
		if err = d.pki.auth.Revoke(auth.Serial(), 1); err != nil { // keyCompromise
			return err
		}
	}
	pins := freshPINs(DemoPIN, DemoPassword)
	if c.blocked {
		pins.Auth.Left = 0
	}
	b, err := json.Marshal(pins)
	if err != nil {
		return err
	}
	if err = os.WriteFile(filepath.Join(work, "pins.json"), b, 0o600); err != nil {
		return err
	}
	if err = os.Rename(work, folder); err != nil {
		if _, there := os.Stat(folder); there == nil {
			return nil
		}
	}
	return err
}

func issueTo(path string, p Profile, issue func(Profile) (*Leaf, error)) (*Leaf, error) {
	leaf, err := issue(p)
	if err != nil {
		return nil, err
	}
	b, err := encodeBundle(leaf.Key, leaf.Certificate.Raw)
	if err != nil {
		return nil, err
	}
	return leaf, os.WriteFile(path, b, 0o600)
}

func readBundle(path string) (*Leaf, error) {
	b, err := os.ReadFile(path) //nolint:gosec // a file of the PKI directory
	if err != nil {
		return nil, err
	}
	return parseBundle(b)
}
