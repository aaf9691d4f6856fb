//go:build !unix

package mpiwatch

import (
	"fmt"
	"os"

	"github.com/isthmus-ffi/isthmus"
)

func mine(string) error {
	return fmt.Errorf("ranks meet on Unix systems only: %w", isthmus.ErrUnsupported)
}

func flock(*os.File) bool { return false }
