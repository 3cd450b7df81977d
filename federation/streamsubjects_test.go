package federation

import (
	"strings"
	"testing"

	"github.com/tsunagu-id/tsunagu/internal/sqldb"
	"github.com/tsunagu-id/tsunagu/internal/sqldb/sqldbtest"
)

// A receiver hears nothing of a person whom it removed, until it adds them again; of one it does not know it learns nothing.
func TestSubjectsAreRemovedAndAdded(t *testing.T) {
	sqldbtest.Each(t, func(t *testing.T, db *sqldb.DB) {
		r := newReceiver(t, db)
		id := r.made(asEtax, `{}`)
		taro := newAccount()
		sub, err := r.d.Subjects.For(t.Context(), taro, "etax.example")
		if err != nil {
			t.Fatal(err)
		}
		count := func() int {
			t.Helper()
			r.emit(Signal{Account: taro, Client: "etax", Event: AccountEnabled()})
			jtis, _ := r.polled(id, `{"returnImmediately":true}`)
			if len(jtis) > 0 {
				r.polled(id, `{"maxEvents":0,"ack":["`+strings.Join(jtis, `","`)+`"]}`)
			}
			return len(jtis)
		}
		named := `{"stream_id":"` + id + `","subject":{"format":"iss_sub","iss":"https://hub.example","sub":"` + sub + `"}}`
		complex := `{"stream_id":"` + id + `","subject":{"format":"complex","user":{"format":"iss_sub","iss":"https://hub.example","sub":"` + sub + `"}},"verified":true}`
		for _, other := range []string{
			strings.Replace(named, sub, "nobody", 1), strings.Replace(named, "hub.example", "evil.example", 1),
			`{"stream_id":"` + id + `","subject":{"format":"email","email":"taro@example.com"},"verified":true}`,
		} {
			r.want(204, "POST", pathRemove, asEtax, other)
			r.want(200, "POST", pathAdd, asEtax, other)
		}
		if count() != 1 {
			t.Error("not told by default")
		}
		r.want(204, "POST", pathRemove, asEtax, named)
		r.want(204, "POST", pathRemove, asEtax, complex)
		if count() != 0 {
			t.Error("told of a person who was removed")
		}
		r.want(200, "POST", pathAdd, asEtax, complex)
		if count() != 1 {
			t.Error("not told of a person who was added again")
		}
		for _, body := range []string{
			`{"stream_id":"` + id + `"}`, `{"stream_id":"` + id + `","subject":"taro"}`, `{"stream_id":"` + id + `","subject":{}}`,
			`{"stream_id":"` + id + `","subject":{"format":"iss_sub"}}`, strings.Replace(complex, "true", `"yes"`, 1),
		} {
			r.want(400, "POST", pathAdd, asEtax, body)
			r.want(400, "POST", pathRemove, asEtax, body)
		}
	})
}
