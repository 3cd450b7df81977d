package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// completion prints what bash needs to complete commands: `source <(cardagent completion bash)`.
func completion(_ context.Context, args []string, s streams, _ func() time.Time) error {
	if len(args) != 1 || args[0] != "bash" {
		return usageError{errors.New("completion: bash is the only shell")}
	}
	names := slices.Sorted(maps.Keys(commands()))
	_, _ = fmt.Fprintf(s.out, "complete -o default -W '%s' cardagent\n", strings.TrimSpace(strings.Join(names, " ")))
	return nil
}
