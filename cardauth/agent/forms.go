package agent

import (
	"mime"
	"net/http"
	"net/url"
)

// maxForm bounds the body of a form, in bytes: a token, a card's name, four digits.
const maxForm = 4 << 10

// loginForm is what the PIN page and the last-try page send.
type loginForm struct {
	page     string
	card     string
	pin      string // as typed; parsed, and then forgotten, by whoever handles the form
	password string // likewise, of a signature
	anyway   bool   // the citizen wants to spend the last try
}

func decodeLogin(w http.ResponseWriter, r *http.Request) (loginForm, error) {
	form, err := decodeForm(w, r)
	if err != nil {
		return loginForm{}, err
	}
	f := loginForm{page: form.Get("page"), card: form.Get("card"), pin: form.Get("pin"), password: form.Get("password"), anyway: form.Get("anyway") == "yes"}
	if f.page == "" || f.card == "" {
		return loginForm{}, refuse(RequestMalformed, "page or card is missing")
	}
	return f, nil
}

// decodeForm reads a form in which no field comes twice. The error does not repeat what was sent.
func decodeForm(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/x-www-form-urlencoded" {
		return nil, refuse(RequestMalformed, "not a form")
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		return nil, refuse(RequestMalformed, "not a form")
	}
	return r.PostForm, once(r.PostForm)
}

// loginQuery is the address of a page that asks for PIN or password; challenge is what it stands in the parameter name.
type loginQuery struct{ challenge, card string }

func decodeQuery(r *http.Request, name string) (loginQuery, error) {
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return loginQuery{}, refuse(RequestMalformed, "the query cannot be read")
	}
	if err := once(q); err != nil {
		return loginQuery{}, err
	}
	if q.Get(name) == "" {
		return loginQuery{}, refuse(RequestMalformed, "the address of what is asked for is missing")
	}
	return loginQuery{challenge: q.Get(name), card: q.Get("card")}, nil
}

func once(values url.Values) error {
	for _, v := range values {
		if len(v) > 1 {
			return refuse(RequestMalformed, "a field comes twice")
		}
	}
	return nil
}
