package audit

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/isthmus-ffi/isthmus/audit/internal/load"
	"github.com/isthmus-ffi/isthmus/audit/internal/policy"
	"github.com/isthmus-ffi/isthmus/internal/atomicfile"
)

// outcome is what a run found in a package.
type outcome struct {
	Key      string        `json:"key"` // of all that it depends on
	Checked  bool          `json:"checked"`
	Findings []Finding     `json:"findings"`
	Ignored  []Finding     `json:"ignored"`
	Package  PackageReport `json:"package"`
	certain  bool          // another run would find the same
	kept     bool          // an earlier run found it
}

// keeper keeps results of packages for later runs, one for each package and set of options.
type keeper struct{ dir, setting, tool string }

// tool says which build of the rules this is.
func tool() string {
	name, err := os.Executable()
	if err != nil {
		return ""
	}
	info, err := os.Stat(name)
	if err != nil {
		return ""
	}
	return fmt.Sprintf("%s %d %d", name, info.Size(), info.ModTime().UnixNano())
}

// key names all that a result depends on, and the file that it is kept in. They are empty where it cannot be kept.
func (k *keeper) key(p load.Root, pol *policy.Policy) (key, file string) {
	text, err := json.Marshal(pol)
	if k.dir == "" || p.Key == "" || k.tool == "" || err != nil {
		return "", ""
	}
	root := ""
	if pol != nil {
		root = pol.Root
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%q", []string{p.Key, k.setting, k.tool, string(text), root}))
	slot := sha256.Sum256(fmt.Appendf(nil, "%q", []string{p.Path, p.Dir, k.setting}))
	return hex.EncodeToString(sum[:]), filepath.Join(k.dir, "found", hex.EncodeToString(slot[:16])+".json")
}

// get is what an earlier run found, or nil.
func (k *keeper) get(p load.Root, pol *policy.Policy) *outcome {
	key, file := k.key(p, pol)
	if key == "" {
		return nil
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return nil
	}
	r := &outcome{kept: true}
	if json.Unmarshal(b, r) != nil || r.Key != key {
		return nil
	}
	return r
}

// put keeps a result. Without it the next run is slower.
func (k *keeper) put(p load.Root, pol *policy.Policy, r *outcome) {
	key, file := k.key(p, pol)
	if key == "" {
		return
	}
	r.Key = key
	b, err := json.Marshal(r)
	if err != nil || os.MkdirAll(filepath.Dir(file), 0o777) != nil {
		return
	}
	_ = atomicfile.WriteBytes(file, 0o666, b)
}
