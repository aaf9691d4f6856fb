package audit_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/isthmus-ffi/isthmus/audit"
)

// sarifForm is what the schema of SARIF 2.1.0 says of the objects that reports have: a property that must be there has a !, a
// list that may not be empty a +.
var sarifForm = map[string]string{
	"log":          "$schema:uri version!:2.1.0 runs!:[]run",
	"run":          "tool!:tool invocations:[]invocation columnKind:utf16CodeUnits|unicodeCodePoints results:[]result",
	"tool":         "driver!:driver",
	"driver":       "name!:text informationUri:uri rules:[]rule",
	"rule":         "id!:text shortDescription:message fullDescription:message helpUri:uri help:message",
	"message":      "text!:text markdown:text",
	"invocation":   "executionSuccessful!:bool toolExecutionNotifications:[]notification",
	"notification": "level:none|note|warning|error message!:message",
	"result": "ruleId:text ruleIndex:from0 level:none|note|warning|error message!:message locations:[]location codeFlows:[]flow " +
		"partialFingerprints:texts suppressions:[]suppression fixes:[]fix",
	"location":    "physicalLocation:physical message:message",
	"physical":    "artifactLocation:artifact region:region",
	"artifact":    "uri:reference",
	"region":      "startLine:from1 startColumn:from1 byteOffset:from0 byteLength:from0 snippet:content",
	"content":     "text:text",
	"flow":        "threadFlows!:[+]thread",
	"thread":      "locations!:[+]step",
	"step":        "location:location",
	"suppression": "kind!:inSource|external justification:text",
	"fix":         "description:message artifactChanges!:[+]change",
	"change":      "artifactLocation!:artifact replacements!:[+]replacement",
	"replacement": "deletedRegion!:region insertedContent:content",
}

// misshapen says where a decoded value is not what the schema allows.
func misshapen(at string, v any, kind string) []string {
	wrong := []string{fmt.Sprintf("%s is %v, no %s", at, v, kind)}
	if of, ok := strings.CutPrefix(kind, "[]"); ok || strings.HasPrefix(kind, "[+]") {
		list, isList := v.([]any)
		if !isList || !ok && len(list) == 0 {
			return wrong
		}
		var out []string
		for i, x := range list {
			out = append(out, misshapen(fmt.Sprintf("%s[%d]", at, i), x, strings.TrimPrefix(of, "[+]"))...)
		}
		return out
	}
	if form, ok := sarifForm[kind]; ok {
		obj, isObj := v.(map[string]any)
		if !isObj {
			return wrong
		}
		var out []string
		known := map[string]bool{}
		for p := range strings.FieldsSeq(form) {
			name, of, _ := strings.Cut(p, ":")
			name, must := strings.CutSuffix(name, "!")
			known[name] = true
			if x, ok := obj[name]; ok {
				out = append(out, misshapen(at+"."+name, x, of)...)
			} else if must {
				out = append(out, at+" has no "+name)
			}
		}
		for _, name := range slices.Sorted(maps.Keys(obj)) {
			if !known[name] {
				out = append(out, at+"."+name+" is not known")
			}
		}
		return out
	}
	text, isText := v.(string)
	n, isNumber := v.(float64)
	ok := false
	switch kind {
	case "text":
		ok = isText
	case "bool":
		_, ok = v.(bool)
	case "from0":
		ok = isNumber && n >= 0
	case "from1":
		ok = isNumber && n >= 1
	case "texts":
		obj, isObj := v.(map[string]any)
		ok = isObj
		for _, x := range obj {
			_, isText := x.(string)
			ok = ok && isText
		}
	case "uri", "reference":
		u, err := url.Parse(text)
		ok = isText && err == nil && (u.IsAbs() || kind == "reference") && !strings.ContainsAny(text, " \"<>\\^`{|}") && u.String() == text
	default:
		ok = isText && slices.Contains(strings.Split(kind, "|"), text)
	}
	if !ok {
		return wrong
	}
	return nil
}

// TestSARIF holds what is written to the schema: properties, their types and what must be there, also of files whose names are
// no URIs and of lines whose columns are not bytes.
func TestSARIF(t *testing.T) {
	odd := "odd name %41 ü.go"
	source := strings.Replace(leaky, "\tc := C.CString(s)\n\tC.puts", "\t/* ü😀 */ c := C.CString(s)\n\tC.puts", 1)
	source += "\nfunc Kept(s string) {\n\tC.puts(C.CString(s)) //isthmus:ignore cstring-leak it lives as long as the process\n}\n"
	dir := module(t, map[string]string{odd: source})
	full := run(t, audit.Options{Dir: dir})
	if _, err := full.Import("lint.sarif", strings.NewReader(strings.Replace(otherSARIF, "DIR", filepath.ToSlash(dir), 1))); err != nil {
		t.Fatal(err)
	}
	if len(full.Findings) < 3 || len(full.Ignored) != 2 {
		t.Fatalf("%q, %d ignored", found(full), len(full.Ignored))
	}
	full.Findings[0].Fixes = append(full.Findings[0].Fixes, audit.Fix{Message: "of nothing"})
	full.Findings = append(full.Findings, audit.Finding{Rule: "x", Severity: audit.Note, Place: audit.Place{File: "/a b/c.go"}}, audit.Finding{Rule: "x", Severity: audit.Note, Place: audit.Place{File: "C:/d.go"}})
	for name, r := range map[string]*audit.Report{
		"findings": full,
		"none":     run(t, audit.Options{Dir: module(t, map[string]string{"p.go": "package p\n"})}),
		"empty":    {},
		"nil":      nil,
	} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			if err := r.WriteSARIF(&b); err != nil {
				t.Fatal(err)
			}
			var v any
			if err := json.Unmarshal(b.Bytes(), &v); err != nil {
				t.Fatal(err)
			}
			for _, w := range misshapen("log", v, "log") {
				t.Error(w)
			}
			if r != full {
				return
			}
			for _, want := range []string{`"uri": "odd%20name%20%2541%20%C3%BC.go"`, `"startColumn": 26`, `"uri": "file:///a%20b/c.go"`, `"uri": "file:///C:/d.go"`, `"kind": "inSource"`} {
				if !strings.Contains(b.String(), want) {
					t.Errorf("it lacks %s", want)
				}
			}
			back := &audit.Report{}
			if _, err := back.Import("own.sarif", &b); err != nil {
				t.Fatal(err)
			}
			if !slices.ContainsFunc(back.Findings, func(f audit.Finding) bool { return f.Place.File == odd }) {
				t.Errorf("read again it has no finding in %s", odd)
			}
		})
	}
	if diff := cmp.Diff([]string{"x has no text", "x.markdown is 1, no text", "x.more is not known"}, misshapen("x", map[string]any{"markdown": 1.0, "more": ""}, "message")); diff != "" {
		t.Errorf("what is wrong in a wrong one (-want +got):\n%s", diff)
	}
}
