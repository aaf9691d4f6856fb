package target

import (
	"os"
	"path/filepath"
)

// TPU is the name of a Google TPU.
const TPU = "tpu"

// HasTPU reports whether this machine shows a TPU's device files.
func HasTPU() bool {
	for _, pattern := range []string{"/dev/accel[0-9]*", "/dev/vfio/[0-9]*"} {
		if found, err := filepath.Glob(pattern); err == nil && len(found) > 0 {
			return true
		}
	}
	return false
}

// prepareTPU keeps the library from asking Google's metadata server what machine this is, which on any other machine
// takes minutes. What the user has set holds.
func prepareTPU() error {
	const skip = "TPU_SKIP_MDS_QUERY"
	if _, set := os.LookupEnv(skip); set || HasTPU() {
		return nil
	}
	return os.Setenv(skip, "1")
}
