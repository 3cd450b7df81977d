package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"github.com/tsunagu-id/tsunagu/clients/console"
	"github.com/tsunagu-id/tsunagu/clients/rp"
	"github.com/tsunagu-id/tsunagu/clients/rp/program"
	"github.com/tsunagu-id/tsunagu/idp/hub"
	"github.com/tsunagu-id/tsunagu/internal/ephemeral"
	"github.com/tsunagu-id/tsunagu/internal/serve"
)

// consoleID is the console as a client of the hub.
const consoleID = "console"

// console makes the operators' pages and registers them as a client. They are a relying party like any other, with a key of their own and
// sessions of their own; that they are in this process spares them the way out to the hub's public address and back.
func (c config) console(ctx context.Context, h *hub.Hub, store ephemeral.Store, log *slog.Logger) (http.Handler, error) {
	base := c.Operators.url()
	if base == "" {
		return nil, nil
	}
	file := c.Operators.KeyFile
	if file == "" {
		file = filepath.Join(filepath.Dir(c.SealFile), "console.key")
	}
	key, err := rp.OpenKey(file)
	if err != nil {
		return nil, fmt.Errorf("operators.key_file: %w", err)
	}
	metadata, err := console.Registration(consoleID, base, key.JWKS(), program.Development(base))
	if err != nil {
		return nil, err
	}
	seed, err := json.Marshal([]json.RawMessage{metadata})
	if err != nil {
		return nil, err
	}
	if err := h.Clients.Seed(ctx, seed); err != nil {
		return nil, fmt.Errorf("register the console: %w", err)
	}
	next, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return nil, errors.New("the default transport is not one that can be cloned")
	}
	own := serve.Inside{
		Handlers: map[string]http.Handler{strings.ToLower(c.Issuer): h.Handler(), strings.ToLower(base): h.OperatorHandler(nil)}, Next: next.Clone(),
	}
	site, err := console.New(console.Config{
		Issuer: c.Issuer, BaseURL: base, ClientID: consoleID, Key: key, HTTP: &http.Client{Transport: own}, Store: ephemeral.Under("console:", store),
		Now: time.Now, Log: log, Sample: c.Sample,
	})
	if err != nil {
		return nil, err
	}
	return h.OperatorHandler(site.Handler()), nil
}
