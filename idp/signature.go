package idp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/labstack/echo/v4"

	"github.com/tsunagu-id/tsunagu/cardauth"
	"github.com/tsunagu-id/tsunagu/cardauth/ades"
	"github.com/tsunagu-id/tsunagu/internal/audit"
	"github.com/tsunagu-id/tsunagu/internal/web"
)

// maxSignatureBody bounds what a card app may send: a JWS with one certificate, and one more signature.
const maxSignatureBody = 24 << 10

// The audit events of signatures.
const (
	eventSignatureMade    audit.Kind = "signature.made"
	eventSignatureRefused audit.Kind = "signature.refused"
	eventSignatureFetched audit.Kind = "signature.fetched" // with the service's own token
)

// signerProof is what a verified signature leaves behind until the browser comes back. It names the holder, and exists sealed only.
type signerProof struct {
	JWS       string              `json:"j"`
	CMS       []byte              `json:"c,omitempty"` // nil: no document
	Holder    cardauth.Attributes `json:"h"`
	At        int64               `json:"at"` // Unix seconds, by the citizen's clock
	IssuerKey string              `json:"ik"`
	Serial    []byte              `json:"sd"` // keyed digest; of a signature certificate, never of a login's
	Handle    []byte              `json:"ha"` // see cardauth.Handle
	Source    string              `json:"rs"` // where the revocation answer came from
	Produced  int64               `json:"rp"` // Unix seconds
}

func (s *signerProof) handle() (cardauth.Handle, error) { return cardauth.UnmarshalHandle(s.Handle) }

// signReturn is what waits behind a one-time code: what came of a request for a signature. As with a login, the code alone is worth
// nothing: the browser that was sent to the card app has to bring its cookie.
type signReturn struct {
	Tx      string `json:"t"`
	Purpose string `json:"p"`
	Proof   []byte `json:"k,omitempty"` // a signerProof, sealed for this code
	Refused string `json:"r,omitempty"`
}

func signReturnKey(code string) string   { return "sign-return:1:" + digest(code) }
func signReturnedKey(code string) string { return "sign-returned:1:" + digest(code) }
func signProofPlace(code string) []byte  { return []byte("signer-proof/1\x00" + digest(code)) }

// signBound is what a request for a signature is bound to: a login transaction, and what for.
func signBound(tx, purpose string) string { return purpose + " " + tx }

func parseSignBound(bound string) (tx, purpose string) {
	for _, p := range []string{ades.PurposeDocument, ades.PurposeRelink, ades.PurposeAttributes} {
		if rest, ok := cutPrefixWord(bound, p); ok {
			return rest, p
		}
	}
	return "", ""
}

func cutPrefixWord(s, word string) (string, bool) {
	if len(s) > len(word) && s[:len(word)] == word && s[len(word)] == ' ' {
		return s[len(word)+1:], true
	}
	return "", false
}

// askSignature makes a request for a signature in a login transaction, and returns the card app's address for it. The transaction has
// been stored. What comes back goes to the purpose's entry in signedHandlers.
func (p *Provider) askSignature(ctx context.Context, tx *transaction, a cardauth.SignatureAsk) (string, error) {
	a.Bound = signBound(tx.ID, a.Purpose)
	id, err := p.signatureRequests.Issue(ctx, a)
	if err != nil {
		return "", fmt.Errorf("signature request: %w", err)
	}
	return p.agentURL + "/sign?" + url.Values{"request": {p.issuer + "/signatures/" + id + "/request"}}.Encode(), nil
}

// signedHandlers are where a good signature leads, by purpose.
func (p *Provider) signedHandlers() map[string]func(echo.Context, *transaction, *signerProof) error {
	return map[string]func(echo.Context, *transaction, *signerProof) error{
		ades.PurposeDocument:   p.documentSigned,
		ades.PurposeRelink:     p.relinkSigned,
		ades.PurposeAttributes: p.attributesSigned,
	}
}

// getSignatureRequest gives the card app the signed request.
func (p *Provider) getSignatureRequest(c echo.Context) error {
	if p.signing == nil {
		return &Error{Reason: NotFound}
	}
	jwt, err := p.signatureRequests.JWT(c.Request().Context(), c.Param("id"))
	if err != nil {
		return p.refuseSignature(c, "", err)
	}
	return c.Blob(http.StatusOK, "application/jwt", []byte(jwt))
}

// postSignature takes what the card signed. Whatever it is, the browser gets an address at the hub to go to, unless no login is known.
func (p *Provider) postSignature(c echo.Context) error {
	if p.signing == nil {
		return &Error{Reason: NotFound}
	}
	ctx := c.Request().Context()
	body, err := io.ReadAll(io.LimitReader(c.Request().Body, maxSignatureBody+1))
	if err != nil || len(body) > maxSignatureBody {
		return p.refuseSignature(c, "", &cardauth.Error{Reason: cardauth.Malformed, Detail: "body too long or broken"})
	}
	unverified, err := cardauth.ParseSignature(body)
	if err != nil {
		return p.refuseSignature(c, "", err)
	}
	signed, err := p.signing.Verify(ctx, c.Param("id"), unverified)
	if err != nil {
		bound := ""
		if ce, ok := errors.AsType[*cardauth.Error](err); ok {
			bound = ce.Bound
		}
		return p.refuseSignature(c, bound, err)
	}
	handle, err := signed.Handle().MarshalBinary()
	if err != nil {
		return fmt.Errorf("signature handle: %w", err)
	}
	tx, purpose := parseSignBound(signed.Bound)
	uri, err := p.signReturnURI(ctx, signReturn{Tx: tx, Purpose: purpose}, &signerProof{
		JWS: signed.JWS, CMS: signed.CMS, Holder: signed.Holder, At: signed.At.Unix(), IssuerKey: signed.Binding.IssuerKeyID,
		Serial: signed.Binding.SerialDigest[:], Handle: handle, Source: signed.Fresh.Source, Produced: signed.Fresh.ProducedAt.Unix(),
	})
	if err != nil {
		return err
	}
	writeJSON(c.Response(), c.Request(), http.StatusOK, map[string]string{"return_uri": uri})
	return nil
}

// signReturnURI stores an outcome and returns the one-time address where the browser collects it.
func (p *Provider) signReturnURI(ctx context.Context, r signReturn, proof *signerProof) (string, error) {
	code := newSecret()
	if proof != nil {
		plain, err := json.Marshal(proof)
		if err != nil {
			return "", fmt.Errorf("encode signature: %w", err)
		}
		r.Proof = p.sealer.Seal(plain, signProofPlace(code))
	}
	b, err := json.Marshal(r)
	if err != nil {
		return "", fmt.Errorf("encode signature return: %w", err)
	}
	if err := p.store.Create(ctx, signReturnKey(code), b, returnLife); err != nil {
		return "", fmt.Errorf("store signature return: %w", err)
	}
	return p.issuer + "/sign/return?" + url.Values{"code": {code}}.Encode(), nil
}

// refuseSignature answers the card app with the reason, and with an address for the browser if the login is known.
func (p *Provider) refuseSignature(c echo.Context, bound string, err error) error {
	ctx := c.Request().Context()
	ce, ok := errors.AsType[*cardauth.Error](err)
	if !ok {
		return err
	}
	word := ce.Reason.String()
	p.log.InfoContext(ctx, "signature refused", "reason", word, "detail", ce.Detail, "trace", web.Trace(ctx))
	tx, purpose := parseSignBound(bound)
	e := audit.Event{Kind: eventSignatureRefused, Reason: word}
	if known, err := p.transactions.get(ctx, tx); err == nil {
		e.Client = known.clientID()
	}
	if err := p.recordStranger(ctx, e); err != nil {
		return err
	}
	answer := map[string]string{"error": word, "error_description": "the signature was refused"}
	if tx != "" {
		uri, err := p.signReturnURI(ctx, signReturn{Tx: tx, Purpose: purpose, Refused: word}, nil)
		if err != nil {
			return err
		}
		answer["return_uri"] = uri
	}
	writeJSON(c.Response(), c.Request(), cardStatus(ce.Reason), answer)
	return nil
}

// getSignReturn is where the browser comes back from the card app with a signature. The code is spent before anything is looked at.
func (p *Provider) getSignReturn(c echo.Context) error {
	ctx := c.Request().Context()
	code := c.QueryParam("code")
	ret, err := p.takeSignReturn(ctx, code)
	if err != nil {
		return err
	}
	tx, err := p.ownTransaction(c, ret.Tx)
	if err != nil {
		return err
	}
	if ret.Refused != "" && ret.Purpose == ades.PurposeAttributes {
		return p.notConfirmed(c, tx, ret.Refused)
	}
	if ret.Refused != "" && ret.Purpose == ades.PurposeRelink {
		return p.relinkRefused(c, tx, ret.Refused)
	}
	if ret.Refused != "" {
		return p.signRefused(c, tx, ret.Refused)
	}
	plain, err := p.sealer.Open(ret.Proof, signProofPlace(code))
	if err != nil {
		return fmt.Errorf("open signature: %w", err)
	}
	proof := new(signerProof)
	if err := json.Unmarshal(plain, proof); err != nil {
		return fmt.Errorf("decode signature: %w", err)
	}
	handler, ok := p.signedHandlers()[ret.Purpose]
	if !ok {
		return fmt.Errorf("signature for %q", ret.Purpose)
	}
	return handler(c, tx, proof)
}

func (p *Provider) takeSignReturn(ctx context.Context, code string) (ret signReturn, err error) {
	err = p.spendReturn(ctx, code, signReturnKey, signReturnedKey, &ret)
	return ret, err
}
