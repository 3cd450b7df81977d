package rptest

import (
	"errors"
	"fmt"
	"html"
	"io"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"
)

// Browser is one person's browser: it keeps cookies, follows redirects, and sends what browsers send with forms.
type Browser struct {
	Client *http.Client

	mu   sync.Mutex
	at   string
	body string
}

// Page is what a browser ended at.
type Page struct {
	Status int
	URL    *url.URL
	Body   string
	Header http.Header
}

// Has reports whether the page holds every text.
func (p Page) Has(texts ...string) bool {
	for _, t := range texts {
		if !strings.Contains(p.Body, t) {
			return false
		}
	}
	return true
}

// Error is the reason on main, empty if there is none.
func (p Page) Error() string {
	_, rest, ok := strings.Cut(p.Body, `data-error="`)
	if !ok {
		return ""
	}
	reason, _, _ := strings.Cut(rest, `"`)
	return reason
}

var hiddenField = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)

// Hidden are the hidden fields of the page's form for a path.
func (p Page) Hidden(path string) url.Values {
	_, form, _ := strings.Cut(p.Body, `action="`+path+`"`)
	form, _, _ = strings.Cut(form, "</form>")
	fields := url.Values{}
	for _, m := range hiddenField.FindAllStringSubmatch(form, -1) {
		fields.Add(m[1], html.UnescapeString(m[2]))
	}
	return fields
}

// NewBrowser returns one without cookies.
func NewBrowser() (*Browser, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	return &Browser{Client: &http.Client{Jar: jar, Timeout: 20 * time.Second}}, nil
}

// Stop makes the browser stay at the first redirect to an address that holds part, and returns the address by Location.
func (b *Browser) Stop(part string) {
	b.Client.CheckRedirect = func(r *http.Request, via []*http.Request) error {
		if len(via) > 15 {
			return errors.New("the browser went round in circles")
		}
		if part != "" && strings.Contains(r.URL.String(), part) {
			return http.ErrUseLastResponse
		}
		return nil
	}
}

// Get visits an address.
func (b *Browser) Get(address string) (Page, error) {
	r, err := http.NewRequest(http.MethodGet, address, nil) //nolint:noctx // the client has a timeout
	if err != nil {
		return Page{}, err
	}
	return b.do(r)
}

// Post sends a form of the page the browser is at, with its hidden fields unless form names them.
func (b *Browser) Post(address string, form url.Values) (Page, error) {
	b.mu.Lock()
	at, body := b.at, b.body
	b.mu.Unlock()
	if to, err := url.Parse(address); err == nil {
		all := Page{Body: body}.Hidden(to.Path)
		maps.Copy(all, form)
		form = all
	}
	r, err := http.NewRequest(http.MethodPost, address, strings.NewReader(form.Encode())) //nolint:noctx // the client has a timeout
	if err != nil {
		return Page{}, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	if from, err := url.Parse(at); err == nil && from.Host == r.URL.Host {
		r.Header.Set("Referer", at)
	}
	return b.do(r)
}

func (b *Browser) do(r *http.Request) (Page, error) {
	r.Header.Set("Accept-Language", "ja")
	resp, err := b.Client.Do(r)
	if err != nil {
		return Page{}, fmt.Errorf("%s: %w", r.URL, err)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return Page{}, err
	}
	b.mu.Lock()
	b.at, b.body = resp.Request.URL.String(), string(body)
	b.mu.Unlock()
	return Page{Status: resp.StatusCode, URL: resp.Request.URL, Body: string(body), Header: resp.Header}, nil
}
