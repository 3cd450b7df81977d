package idp

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"

	"github.com/tsunagu-id/tsunagu/clients"
)

func invalidRequestObject(description string, err error) *oauthError {
	return &oauthError{code: "invalid_request_object", description: description, err: err}
}

// readRequestObject verifies a request object before anything else of the request is read, and makes its parameters the only ones there
// are (RFC 9101 §6). What is wrong with it is kept in the draft and told once it is known whether the client may be told by redirect: to
// an address outside of the object that is registered if the object is not the client's, or to one inside if the client signed it.
func readRequestObject(p *Provider, ctx context.Context, d *draft) error {
	object := d.form.Get("request")
	if object == "" || len(d.form["request"]) != 1 {
		return nil
	}
	rules := clients.RequestObjectRules{Issuer: p.issuer}
	if d.pushed { // a visit must survive a reload; a push has no need to
		rules.Store = p.store
	}
	claims, proof, err := p.clients.VerifyRequestObject(ctx, d.client, object, rules)
	if err != nil {
		if d.objectErr = objectRefused(err); d.objectErr == nil {
			return fmt.Errorf("verify request object: %w", err)
		}
	}
	if claims != nil {
		outside := d.form
		inside, bad := objectParameters(claims)
		if bad == nil {
			bad = agree(outside, inside)
		}
		if bad != nil && d.objectErr == nil {
			d.objectErr = bad
		}
		inside.Set("client_id", string(d.client.ID()))
		d.form, d.signed, d.object = inside, true, proof
	}
	if d.objectErr != nil && d.pushed { // nothing is redirected from there
		return d.objectErr
	}
	return nil
}

// objectRefused is what the client is told of an object that was not believed; nil if the error is another.
func objectRefused(err error) *oauthError {
	refused, ok := errors.AsType[*clients.Error](err)
	if !ok {
		return nil
	}
	return invalidRequestObject(objectProblem(refused.Reason), err).of(refused.Member)
}

func objectProblem(r clients.Reason) string {
	switch r {
	case clients.KeysUnavailable:
		return "the keys to verify the request object with cannot be had"
	case clients.RequestObjectReplayed:
		return "the request object was pushed before"
	case clients.BadRequestObject, clients.Malformed, clients.NoCredentials, clients.MultipleMethods, clients.ClientMismatch, clients.UnknownClient,
		clients.SuspendedClient, clients.MethodMismatch, clients.BadSecret, clients.BadAssertion, clients.AssertionExpired, clients.AssertionReplayed,
		clients.BadCertificate:
	}
	return "the request object is not signed by this client for this hub, or its time is not now"
}

// textParameters are the parameters that are strings in a request object. Any other member that is not listed below is a parameter nobody
// here knows, and ignored.
var textParameters = []string{
	"response_type", "response_mode", "client_id", "redirect_uri", "scope", "state", "nonce", "code_challenge", "code_challenge_method", "prompt",
	"display", "ui_locales", "claims_locales", "id_token_hint", "login_hint", "acr_values", "dpop_jkt",
}

// objectParameters turns the claims of a request object into parameters, each of the JSON type it must have (RFC 9101 §4, OIDC Core §6.1, RFC
// 8707 §2, RFC 9396 §5). The parameters that could be read are returned beside an error, for telling the client.
func objectParameters(claims []byte) (url.Values, *oauthError) {
	form := url.Values{}
	all, err := members(claims)
	if err != nil || len(all) > maxParameters {
		return form, invalidRequestObject("the request object is not one JSON object of at most 64 members", err)
	}
	var bad *oauthError
	wrong := func(name, want string) { bad = invalidRequestObject(name+" in the request object is not "+want, nil) }
	for _, name := range textParameters {
		if raw, there := all[name]; there {
			s, ok := stringOf(raw)
			if !ok {
				wrong(name, "a string")
			} else if s != "" {
				form.Set(name, s)
			}
		}
	}
	if raw, there := all["max_age"]; there {
		if n, err := strconv.ParseUint(string(raw), 10, 63); err != nil {
			wrong("max_age", "a whole number of seconds")
		} else {
			form.Set("max_age", strconv.FormatUint(n, 10))
		}
	}
	for name, first := range map[string]byte{"claims": '{', "authorization_details": '['} {
		if raw, there := all[name]; there {
			var text bytes.Buffer
			if raw[0] != first || json.Compact(&text, raw) != nil {
				wrong(name, "of the JSON type it must have")
			} else {
				form.Set(name, text.String())
			}
		}
	}
	if raw, there := all["resource"]; there {
		if one, ok := stringOf(raw); ok {
			form["resource"] = []string{one}
		} else if list, ok := stringsOf(raw); ok {
			form["resource"] = list
		} else {
			wrong("resource", "a string or a list of strings")
		}
	}
	if _, there := all["registration"]; there {
		form.Set("registration", "given")
	}
	for _, name := range []string{"request", "request_uri"} { // RFC 9101 §4
		if _, there := all[name]; there {
			bad = invalidRequestObject("a request object must not contain request or request_uri", nil)
		}
	}
	return form, bad
}

// agree compares what OAuth wants outside of the object with what is inside (OIDC Core §6.1). All else outside is ignored (RFC 9101 §6.3), a
// scope too, which OpenID Connect demands there although it may be the shorter one.
func agree(outside, inside url.Values) *oauthError {
	if outside.Get("request_uri") != "" { // RFC 9101 §5
		return invalidRequest("request and request_uri must not be used together")
	}
	for _, name := range []string{"client_id", "response_type"} {
		given, there := outside[name], inside.Has(name)
		if there && slices.ContainsFunc(given, func(s string) bool { return s != "" && s != inside.Get(name) }) {
			return invalidRequestObject(name+" outside of the request object is another than inside", nil)
		}
	}
	return nil
}

// checkRequestObject tells what readRequestObject found, and refuses what is not offered (OIDC Core §3.1.2.6, RFC 9101 §7): a request by
// reference to anything but a pushed one, and registration in the request.
func checkRequestObject(_ *Provider, _ context.Context, d *draft) error {
	switch {
	case d.objectErr != nil:
		return d.objectErr
	case d.form.Get("request_uri") != "":
		return &oauthError{code: "request_uri_not_supported", description: "only request_uri values issued by the pushed authorization request endpoint are accepted"}
	case d.form.Get("registration") != "":
		return &oauthError{code: "registration_not_supported", description: "the registration parameter is not supported"}
	case d.client.RequirePAR() && !d.pushed:
		return invalidRequest("this client must push its authorization requests (RFC 9126)").of("require_pushed_authorization_requests")
	case d.client.RequireSignedRequestObject() && !d.signed:
		return invalidRequest("this client must send signed request objects (RFC 9101)").of("require_signed_request_object")
	}
	return nil
}
