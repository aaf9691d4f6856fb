package leaktest

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

const aloneEnv = "ISTHMUS_TEST_ALONE"

// Alone runs the calling test once more, in a process of its own, for tests that end their process or leak for
// good. In that process it returns inside true. In the parent it returns what the process said and how it ended.
// Env is added to the process's environment.
func Alone(t *testing.T, env ...string) (inside bool, out string, err error) {
	t.Helper()
	if os.Getenv(aloneEnv) == t.Name() {
		return true, "", nil
	}
	if strings.Contains(t.Name(), "/") {
		t.Fatal("leaktest: Alone is for whole tests")
	}
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(append(os.Environ(), aloneEnv+"="+t.Name()), env...)
	b, err := cmd.CombinedOutput()
	if errors.Is(err, syscall.ENOEXEC) {
		t.Skip("the test runs under an emulator, which a new process would not")
	}
	return false, string(b), err
}
