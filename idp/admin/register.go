package admin

import (
	"context"
	"net/http"
	"reflect"
	"slices"

	"github.com/tsunagu-id/tsunagu/clients/adminapi"
	"github.com/tsunagu-id/tsunagu/internal/openapi"
)

// operation is one line of the table.
type operation struct {
	id      string        // operationId, for programs that are made from the document
	method  string        // GET, POST, PUT, PATCH or DELETE
	path    string        // with {name} for what Input tags `path:"name"`
	tag     string        // the subject
	summary string        // what it does, in a line
	role    adminapi.Role // what it takes; empty: every operator
	whole   bool          // about the whole hub: not for operators of one organisation
	gate    gate          // who may call; zero: operators
	status  int           // of success; 0: 200, or 204 for an Output of nothing
	may     []adminapi.Reason

	in     input
	output reflect.Type
}

// gate says who may call an operation.
type gate int

const (
	forOperators gate = iota
	forStrangers      // a good token, and an operator or not
)

// nothing is the Output of an operation that only succeeds.
type nothing struct{}

// handler is an operation behind all gates.
type handler func(w http.ResponseWriter, r *http.Request, c caller) error

// register adds an operation. Input is a struct whose fields are tagged `path:"name"`, `query:"name"`, or called Body: a type of adminapi,
// read as JSON and held to its tags, or an upload. Further tags are those of package openapi, and `required:"true"` for the query.
// Output is a type of adminapi, a stream, or nothing. An error is a refusal made by refuse, one that problemOf knows, or the hub's
// own failure.
func register[Input, Output any](a *API, o operation, do func(ctx context.Context, c caller, in Input) (Output, error)) {
	o.in, o.output = a.inputOf(reflect.TypeFor[Input]()), reflect.TypeFor[Output]()
	if o.status == 0 {
		o.status = http.StatusOK
		if o.output == reflect.TypeFor[nothing]() {
			o.status = http.StatusNoContent
		}
	}
	if o.output != reflect.TypeFor[nothing]() && o.output != reflect.TypeFor[stream]() {
		a.schemas.Of(o.output)
	}
	a.table = append(a.table, o)
	a.mux.Handle(o.method+" "+o.path, a.gates(o, func(w http.ResponseWriter, r *http.Request, c caller) error {
		var in Input
		if err := a.read(w, r, o.in, reflect.ValueOf(&in).Elem()); err != nil {
			return err
		}
		out, err := do(r.Context(), c, in)
		if err != nil {
			return err
		}
		return a.answer(w, r, o.status, out)
	}))
}

// gates is what every call of an operation passes, in this order.
func (a *API) gates(o operation, next handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := a.admit(r, o)
		if err == nil {
			err = next(w, r, c)
		}
		if err != nil {
			a.refuse(w, r, err)
		}
	})
}

// admit says who calls, if she may.
func (a *API) admit(r *http.Request, o operation) (caller, error) {
	ctx := r.Context()
	who, err := a.d.Access(ctx, r, a.d.BaseURL)
	if err != nil {
		return caller{}, err
	}
	c, err := a.operators.callerOf(ctx, who)
	if err != nil {
		return caller{}, err
	}
	switch {
	case o.gate == forStrangers:
	case c.id == "":
		return caller{}, refuse(adminapi.NotOperator, "You signed in, and are not an operator here. Ask one with the role security for an invitation.")
	case c.suspended:
		return caller{}, refuse(adminapi.Suspended, "You are suspended as an operator. Ask one with the role security.")
	case o.role != "" && !slices.Contains(c.roles, o.role):
		return caller{}, refuse(adminapi.RoleMissing, "This takes the role "+string(o.role)+". Ask an operator who has it, or one with the role security for it.")
	case o.whole && c.organisation != "":
		return caller{}, refuse(adminapi.NotYours, "This is about the whole hub, and you work for one organisation.")
	}
	return c, nil
}

// answer writes what an operation came to.
func (a *API) answer(w http.ResponseWriter, r *http.Request, status int, out any) error {
	switch v := out.(type) {
	case nothing:
		w.WriteHeader(status)
		return nil
	case stream:
		return v.copy(w)
	}
	b, err := openapi.Marshal(out)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	a.send(r, w, b)
	return nil
}

func (a *API) send(r *http.Request, w http.ResponseWriter, b []byte) {
	if _, err := w.Write(b); err != nil {
		a.d.Log.InfoContext(r.Context(), "the caller hung up", "path", r.URL.Path, "err", err)
	}
}
