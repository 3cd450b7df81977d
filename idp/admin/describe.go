package admin

import (
	"encoding/json"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/tsunagu-id/tsunagu/clients/adminapi"
	"github.com/tsunagu-id/tsunagu/internal/openapi"
)

const about = "What operators of the hub do. Every call needs an access token of the hub with scope admin: of a person who signed in with " +
	"the card on this device within twelve hours, or of a program by the client credentials grant. Tokens that are bound to a key (DPoP) come " +
	"with their proof. Errors are problem details (RFC 9457) with a reason for programs. Times are UTC. A page that is not the last has next: the after " +
	"of the following one."

// describe makes the OpenAPI document of the table.
func (a *API) describe() ([]byte, error) {
	d := openapi.Document{
		OpenAPI: "3.1.0", Info: openapi.Info{Title: "Tsunagu administration API", Version: "1", Description: about},
		Servers: []openapi.Server{{URL: a.d.BaseURL}}, Security: []map[string][]string{{"token": {}}},
		Paths: make(map[string]map[string]*openapi.Operation),
	}
	problem := map[string]openapi.MediaType{"application/problem+json": {Schema: a.schemas.Of(reflect.TypeFor[adminapi.Problem]())}}
	responses := make(map[string]*openapi.Response)
	for _, o := range a.table {
		if d.Paths[o.path] == nil {
			d.Paths[o.path] = make(map[string]*openapi.Operation)
		}
		described := a.describeOperation(o)
		for status := range described.Responses {
			if n, err := strconv.Atoi(status); err == nil && n >= http.StatusBadRequest {
				described.Responses[status] = &openapi.Response{Ref: "#/components/responses/" + status}
				responses[status] = &openapi.Response{Description: http.StatusText(n), Content: problem}
			}
		}
		d.Paths[o.path][strings.ToLower(o.method)] = described
		if !slices.ContainsFunc(d.Tags, func(t openapi.Tag) bool { return t.Name == o.tag }) {
			d.Tags = append(d.Tags, openapi.Tag{Name: o.tag})
		}
	}
	responses["401"].Headers = map[string]openapi.Header{"WWW-Authenticate": {
		Description: "What is missing (RFC 6750 §3, RFC 9449 §7.1, RFC 9470 §3)", Schema: &openapi.Schema{Type: "string"},
	}}
	d.Paths[documentPath] = map[string]*openapi.Operation{"get": {
		ID: "describe", Tags: []string{"api"}, Summary: "This document", Security: []map[string][]string{},
		Responses: map[string]*openapi.Response{"200": {Description: "OpenAPI 3.1", Content: map[string]openapi.MediaType{"application/json": {Schema: &openapi.Schema{Type: "object"}}}}},
	}}
	d.Tags = append(d.Tags, openapi.Tag{Name: "api"})
	d.Components = openapi.Components{Schemas: a.schemas.All(), Responses: responses, SecuritySchemes: map[string]openapi.SecurityScheme{
		"token": {Type: "http", Scheme: "bearer", Description: "Access token with scope admin; scheme DPoP for a bound one (RFC 9449)"},
	}}
	return json.MarshalIndent(d, "", " ")
}

func (a *API) describeOperation(o operation) *openapi.Operation {
	out := &openapi.Operation{ID: o.id, Tags: []string{o.tag}, Summary: o.summary, Responses: make(map[string]*openapi.Response), Role: string(o.role), Whole: o.whole}
	switch {
	case o.gate == forStrangers:
		out.Description = "For whoever signed in."
	case o.role == "":
		out.Description = "For every operator."
	default:
		out.Description = "Takes the role " + string(o.role) + "."
	}
	if o.whole {
		out.Description += " Not for operators of one organisation."
	}
	reasons := slices.Concat([]adminapi.Reason{adminapi.Malformed, adminapi.Unauthenticated, adminapi.NotOperator, adminapi.Suspended, adminapi.Invalid, adminapi.Failed}, o.may)
	for _, f := range o.in.fields {
		shown := *f.schema
		shown.Description = ""
		out.Parameters = append(out.Parameters, openapi.Parameter{Name: f.name, In: f.in, Description: f.schema.Description, Required: f.required, Schema: &shown})
		if f.in == "path" {
			reasons = append(reasons, adminapi.NotFound)
		}
	}
	if b := o.in.body; b != nil {
		out.Body = &openapi.RequestBody{Required: true, Content: make(map[string]openapi.MediaType)}
		for _, kind := range b.accept {
			out.Body.Content[kind] = openapi.MediaType{Schema: b.schema}
		}
		reasons = append(reasons, adminapi.TooLarge, adminapi.WrongType)
	}
	for _, r := range reasons {
		out.Responses[strconv.Itoa(statusOf(r))] = nil
	}
	out.Responses[strconv.Itoa(o.status)] = a.success(o)
	return out
}

func (a *API) success(o operation) *openapi.Response {
	switch o.output {
	case reflect.TypeFor[nothing]():
		return &openapi.Response{Description: "Done"}
	case reflect.TypeFor[stream]():
		return &openapi.Response{Description: "A file", Content: map[string]openapi.MediaType{"application/x-ndjson": {}}}
	}
	return &openapi.Response{Description: http.StatusText(o.status), Content: map[string]openapi.MediaType{"application/json": {Schema: a.schemas.Of(o.output)}}}
}
