package archtest

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// requirements are the ids of docs/safety.md, a letter and how many there are.
var requirements = []struct {
	letter string
	n      int
}{{"P", 38}, {"M", 18}, {"I", 8}, {"R", 17}, {"B", 11}}

// row is one line of a table in docs/safety.md.
type row struct {
	id      string
	star    bool // a proof counts only when the test was seen to fail with the hazard put back
	tests   map[string]string
	lanes   []string // of ./check
	putBack string
	begun   bool
}

var (
	rowStart = regexp.MustCompile(`^\| ([PMIRB]\d\d)(\*?) \|`)
	testLink = regexp.MustCompile("\\[`(\\w+)`\\]\\(([^)]+)\\)")
	laneName = regexp.MustCompile("`\\./check (\\w+)`")
)

func safety(t *testing.T) map[string]row {
	t.Helper()
	text, err := os.ReadFile("../../docs/safety.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]row{}
	for line := range strings.Lines(string(text)) {
		m := rowStart.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if len(cells) != 5 {
			t.Fatalf("%s: %d columns, want id, hazard, guard, tests, put back", m[1], len(cells))
		}
		if _, twice := rows[m[1]]; twice {
			t.Errorf("%s has two rows", m[1])
		}
		r := row{id: m[1], star: m[2] != "", tests: map[string]string{}, putBack: strings.TrimSpace(cells[4])}
		for _, link := range testLink.FindAllStringSubmatch(cells[3], -1) {
			r.tests[link[1]] = link[2]
		}
		for _, lane := range laneName.FindAllStringSubmatch(cells[3], -1) {
			r.lanes = append(r.lanes, lane[1])
		}
		r.begun = !strings.Contains(cells[3], "not begun")
		if r.begun != (len(r.tests)+len(r.lanes) > 0) {
			t.Errorf("%s: its tests are %q; name some, or say that it is not begun", m[1], strings.TrimSpace(cells[3]))
		}
		rows[m[1]] = r
	}
	return rows
}

// Every requirement has a row, every test that a row names exists where the row says, and a starred row that claims a
// proof says what came of putting the hazard back.
func TestSafetyTable(t *testing.T) {
	rows := safety(t)
	check, err := os.ReadFile("../../check")
	if err != nil {
		t.Fatal(err)
	}
	want := 0
	for _, r := range requirements {
		want += r.n
		for i := range r.n {
			if id := fmt.Sprintf("%s%02d", r.letter, i+1); rows[id].id == "" {
				t.Errorf("%s has no row", id)
			}
		}
	}
	if len(rows) > want {
		t.Errorf("%d rows, want %d", len(rows), want)
	}
	for id, r := range rows {
		for name, file := range r.tests {
			text, err := os.ReadFile(filepath.Join("../../docs", filepath.FromSlash(file)))
			if err != nil {
				t.Errorf("%s: %v", id, err)
			} else if !strings.Contains(string(text), "func "+name+"(") {
				t.Errorf("%s: %s has no %s", id, file, name)
			}
		}
		for _, lane := range r.lanes {
			if !strings.Contains(string(check), "\nlane_"+lane+"() {") {
				t.Errorf("%s: ./check has no lane %s", id, lane)
			}
		}
		if r.star && r.begun && r.putBack == "" {
			t.Errorf("%s claims a proof; say whether it failed with the hazard put back", id)
		}
	}
}

var (
	testFunc  = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w*)\(.*$`)
	idsInName = regexp.MustCompile(`^(?:Test|Fuzz)((?:[PMIRB]\d\d)+)`)
	idInText  = regexp.MustCompile(`\b[PMIRB]\d\d\b`)
)

// Every test that carries an id, in its name or in the comment on its line, is in the row of that id.
func TestSafetyNamesEveryTest(t *testing.T) {
	rows := safety(t)
	found := 0
	for _, file := range tracked(t, "*_test.go") {
		text, err := os.ReadFile(filepath.Join("../..", file))
		if err != nil {
			continue // removed, and not yet from the index
		}
		for _, m := range testFunc.FindAllStringSubmatch(string(text), -1) {
			line, name := m[0], m[1]
			var ids []string
			if m := idsInName.FindStringSubmatch(name); m != nil {
				for at := 0; at < len(m[1]); at += 3 {
					ids = append(ids, m[1][at:at+3])
				}
			}
			if _, comment, ok := strings.Cut(line, "//"); ok {
				ids = append(ids, idInText.FindAllString(comment, -1)...)
			}
			for _, id := range ids {
				found++
				if link := rows[id].tests[name]; path.Clean(path.Join("docs", link)) != file {
					t.Errorf("docs/safety.md: row %s does not name [`%s`](../%s)", id, name, file)
				}
			}
		}
	}
	if found < 30 {
		t.Errorf("only %d ids found in tests", found)
	}
}

// tracked lists the repository's files that match the pattern; without git, those in the folder.
func tracked(t *testing.T, pattern string) []string {
	t.Helper()
	if out, err := exec.Command("git", "-C", "../..", "ls-files", "--", pattern).Output(); err == nil {
		return strings.Fields(string(out))
	}
	var files []string
	err := filepath.WalkDir("../..", func(file string, d os.DirEntry, err error) error {
		if ok, _ := filepath.Match(pattern, d.Name()); ok && err == nil {
			rel, err := filepath.Rel("../..", file)
			files = append(files, filepath.ToSlash(rel))
			return err
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// Relative links in the documents lead to files that exist.
func TestLinks(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#:\s]+)(?:#[^)]*)?\)`)
	for _, file := range tracked(t, "*.md") {
		text, err := os.ReadFile(filepath.Join("../..", file))
		if err != nil {
			continue
		}
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			if _, err := os.Stat(filepath.Join("../..", path.Dir(file), m[1])); err != nil {
				t.Errorf("%s: link to %s: no such file", file, m[1])
			}
		}
	}
}

// pointers are the parts of package unsafe that make or change pointers; sizes and offsets argue for themselves.
var pointers = []string{"Pointer", "Slice", "SliceData", "String", "StringData", "Add"}

// Each declaration that uses a pointer of package unsafe says why that is right in a SAFETY comment: in its own comment,
// inside it, or in the comment of its type when that covers all its methods.
func TestM05EveryUnsafeUseIsArgued(t *testing.T) {
	uses := 0
	for _, file := range tracked(t, "*.go") {
		if !strings.HasPrefix(file, "internal/raw/") || strings.HasSuffix(file, "_test.go") || strings.Contains(file, "/testdata/") {
			continue
		}
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, filepath.Join("../..", file), nil, parser.ParseComments)
		if os.IsNotExist(err) {
			continue
		} else if err != nil {
			t.Fatal(err)
		}
		if ast.IsGenerated(f) {
			continue
		}
		for _, d := range f.Decls {
			if declares(d) {
				continue
			}
			n := 0
			ast.Inspect(d, func(node ast.Node) bool {
				if sel, ok := node.(*ast.SelectorExpr); ok {
					if x, ok := sel.X.(*ast.Ident); ok && x.Name == "unsafe" && slices.Contains(pointers, sel.Sel.Name) {
						n++
					}
				}
				return true
			})
			if n == 0 {
				continue
			}
			uses++
			begin := d.Pos()
			if doc := docOf(d); doc != nil {
				begin = doc.Pos()
			}
			argued := slices.ContainsFunc(f.Comments, func(c *ast.CommentGroup) bool {
				return c.Pos() >= begin && c.End() <= d.End() && strings.Contains(c.Text(), "SAFETY:")
			})
			if !argued {
				t.Errorf("%s: uses unsafe pointers without a SAFETY comment", strings.TrimPrefix(fset.Position(d.Pos()).String(), "../../"))
			}
		}
	}
	if uses < 10 {
		t.Errorf("only %d declarations with unsafe pointers were found", uses)
	}
}

// declares says that d gives names only to what the linker or an assembly file sets: nothing is done with a pointer.
func declares(d ast.Decl) bool {
	switch d := d.(type) {
	case *ast.FuncDecl:
		return d.Body == nil
	case *ast.GenDecl:
		return !slices.ContainsFunc(d.Specs, func(s ast.Spec) bool {
			v, ok := s.(*ast.ValueSpec)
			return ok && len(v.Values) > 0 || d.Tok == token.TYPE
		})
	}
	return false
}

func docOf(d ast.Decl) *ast.CommentGroup {
	switch d := d.(type) {
	case *ast.FuncDecl:
		return d.Doc
	case *ast.GenDecl:
		return d.Doc
	}
	return nil
}
