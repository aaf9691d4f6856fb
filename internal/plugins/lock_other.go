//go:build !darwin && !linux

package plugins

import "context"

// lock does nothing: no plugin exists for these systems, so nothing is ever installed.
func lock(ctx context.Context, _ string) (unlock func(), err error) { return func() {}, ctx.Err() }
