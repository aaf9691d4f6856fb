package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func rtReportOf(t *testing.T, args ...string) (code int, out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	code = start(t.Context(), append([]string{"rt", "report"}, args...), &streams{out: &o, err: &e})
	return code, o.String(), e.String()
}

// TestR17Report makes the report from the tests themselves: what C hosts of the library say, run for this.
func TestR17Report(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds the library")
	}
	if _, err := exec.LookPath("gcc"); err != nil && os.Getenv("CI") == "" {
		t.Skip(err)
	}
	code, out, errs := rtReportOf(t, "--source", "../..", "--only", "plain", "--json")
	if code != 0 {
		t.Fatalf("exit code %d\n%s%s", code, errs, out)
	}
	var r rtReport
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatal(err)
	}
	if o := r.Total.Original; o.Functions != 59 || o.Tests != 103 || o.Passing != 78 {
		t.Errorf("the original's figures: %+v", o)
	}
	for _, c := range r.Categories {
		if c.Ours.Functions < c.Original.Functions || c.Ours.Tests < c.Original.Tests || c.Ours.Passing != c.Ours.Tests {
			t.Errorf("%s: ours %+v, the original %+v", c.Name, c.Ours, c.Original)
		}
	}
}

// The figures come from what tests say: one that fails in one way, one that is skipped, a program that died.
func TestR17ReportCounts(t *testing.T) {
	var b strings.Builder
	say := func(action, test string) {
		json.NewEncoder(&b).Encode(map[string]string{"Action": action, "Package": "p", "Test": test})
	}
	for _, way := range []string{"plain", "thread"} {
		for _, name := range []string{"a", "b", "c"} {
			result := "pass"
			if way == "thread" && name == "b" {
				result = "fail"
			}
			say(result, "TestAudit/"+way+"/arrays/"+name)
		}
	}
	say("fail", "TestAudit/thread/arrays")
	say("fail", "TestAudit/plain/dicts") // it died before any test
	say("skip", "TestAudit/plain/actors")
	say("pass", "TestAudit/strings/from_go")
	say("pass", "TestOther/plain/arrays/d")
	path := filepath.Join(t.TempDir(), "results.json")
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, errs := rtReportOf(t, path, "--json")
	var r rtReport
	if err := json.Unmarshal([]byte(out), &r); err != nil || code != exitOther {
		t.Fatal(code, err, out, errs)
	}
	got := map[string][2]int{}
	for _, c := range append(append(r.Categories, r.Phases...), r.Total) {
		if c.Ours.Tests > 0 {
			got[c.Name] = [2]int{c.Ours.Tests, c.Ours.Passing}
		}
	}
	for name, want := range map[string][2]int{"arrays": {3, 2}, "dicts": {1, 0}, "strings": {1, 1}, "Collections": {5, 3}, "all": {5, 3}} {
		if got[name] != want {
			t.Errorf("%s: %v, want %v", name, got[name], want)
		}
	}
	if len(got) != 5 || len(r.Failed) != 2 || !strings.Contains(strings.Join(r.Missing, "\n"), "TestAudit/plain/actors") {
		t.Errorf("%v\nfailed %q\nmissing %q", got, r.Failed, r.Missing)
	}
	code, out, _ = rtReportOf(t, path)
	if code != exitOther || !strings.Contains(out, "failed: arrays/b (thread)") || !strings.Contains(out, "phase 3: Actors") {
		t.Errorf("%d\n%s", code, out)
	}
	t.Log(out)
}

func TestR17ReportRefuses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "results.json")
	for name, c := range map[string]struct {
		text string
		code int
	}{
		"empty":   {"", exitOther},
		"no json": {"ok  \tpackage\n", exitInput},
		"others":  {`{"Action":"pass","Test":"TestOther"}`, exitOther},
	} {
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if code, out, errs := rtReportOf(t, path); code != c.code || errs == "" {
			t.Errorf("%s: exit code %d, want %d\n%s%s", name, code, c.code, out, errs)
		}
	}
	if code, _, errs := rtReportOf(t, "--source", t.TempDir()); code != exitInput || !strings.Contains(errs, "--source") {
		t.Errorf("no sources: %d, %s", code, errs)
	}
	if code, _, _ := rtReportOf(t, "--only", "otherwise"); code != exitUsage {
		t.Errorf("an unknown way: %d", code)
	}
}
