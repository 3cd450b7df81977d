package admin

import (
	"context"

	"github.com/tsunagu-id/tsunagu/clients"
)

// checkOrganisation refuses one that is not there.
func checkOrganisation(_ context.Context, _ *clients.Registry, id string) error {
	if id == "" {
		return nil
	}
	return fault("organisation", "is not one that is registered", "register the organisation first")
}
