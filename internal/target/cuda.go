package target

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/isthmus-ffi/isthmus"
)

// CUDA is the name of an NVIDIA GPU.
const CUDA = "cuda"

// cudaLibrary is where JAX's packages jax-cuda12-pjrt and jax-cuda13-pjrt put their plugin. It finds NVIDIA's libraries
// in the packages beside it.
const cudaLibrary = "jax_plugins/xla_cuda*/xla_cuda_plugin.so"

// cuda returns the path of the newest CUDA plugin among the packages of this machine's Python.
func cuda(ctx context.Context) (string, error) {
	var found []string
	for _, dir := range packages(ctx) {
		// A folder that cannot be read holds nothing for us; a pattern of ours is never malformed.
		all, _ := filepath.Glob(filepath.Join(dir, filepath.FromSlash(cudaLibrary)))
		found = append(found, all...)
	}
	if len(found) == 0 {
		return "", fmt.Errorf("target: no CUDA plugin among the packages of python3; install JAX's (python3 -m pip install \"jax[cuda13]\") or give the path of xla_cuda_plugin.so: %w", isthmus.ErrNotFound)
	}
	return slices.MaxFunc(found, func(a, b string) int {
		return strings.Compare(filepath.Dir(a), filepath.Dir(b))
	}), nil
}

// packages asks python3, if there is one, where it looks for packages.
func packages(ctx context.Context) []string {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "python3", "-c", "import sys; print('\\n'.join(p for p in sys.path if p))").Output()
	if err != nil {
		return nil
	}
	return strings.FieldsFunc(string(out), func(r rune) bool { return r == '\n' || r == '\r' })
}
