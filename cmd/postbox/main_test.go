package main

import (
	"testing"

	"github.com/tsunagu-id/tsunagu/clients/rp/program/programtest"
)

func TestServes(t *testing.T) { programtest.Serves(t, new(config).program(), nil) }
