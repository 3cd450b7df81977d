package cardauth

import (
	"context"

	"github.com/tsunagu-id/tsunagu/cardauth/jlis"
)

// Predecessors asks the authority which older user-authentication certificates
// were issued to the person behind a certificate that was good at this login,
// and returns their bindings, the newest first. The serial numbers of the answer
// end here. Every error is a *jlis.Error: None says that there is no older one;
// anything else, that nobody could or would say.
func (v *Verifier) Predecessors(ctx context.Context, h Handle) ([]Binding, error) {
	if v.deps.Linkage == nil {
		return nil, &jlis.Error{Reason: jlis.Unavailable, Detail: "no linkage service is configured"}
	}
	older, err := v.deps.Linkage.Predecessors(ctx, h.certificate())
	if err != nil {
		return nil, err
	}
	out := make([]Binding, 0, len(older))
	for _, c := range older {
		out = append(out, v.bindingOf(c))
	}
	return out, nil
}

// AuthOf asks the authority which user-authentication certificate is on the card
// of a signature certificate, given by its handle, and returns that one's
// binding. Every error is a *jlis.Error: None says that there is none.
func (v *Verifier) AuthOf(ctx context.Context, signing Handle) (Binding, error) {
	if v.deps.Linkage == nil {
		return Binding{}, &jlis.Error{Reason: jlis.Unavailable, Detail: "no linkage service is configured"}
	}
	auth, err := v.deps.Linkage.AuthOf(ctx, signing.certificate())
	if err != nil {
		return Binding{}, err
	}
	return v.bindingOf(auth), nil
}

func (h Handle) certificate() jlis.Certificate {
	return jlis.Certificate{Authority: h.IssuerKeyID(), Serial: h.serial}
}

// bindingOf is the binding that Verify makes of the same certificate.
func (v *Verifier) bindingOf(c jlis.Certificate) Binding {
	return Binding{IssuerKeyID: c.Authority, SerialDigest: v.digestSerial(c.KeyID(), c.Serial)}
}

// LinkageError is a question to the linkage service that has no answer.
type LinkageError = jlis.Error

// Unlinked reports that the authority did answer: it knows of none.
func Unlinked(err error) bool { return jlis.Is(err, jlis.None) }
