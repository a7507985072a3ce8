package stability_test

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/printer"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// files are the parsed sources of a directory, without its tests.
func files(t *testing.T, dir string) (parsed []*ast.File) {
	t.Helper()
	names, err := filepath.Glob(dir + "/*.go")
	require.NoError(t, err)
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		parsed = append(parsed, f)
	}
	return parsed
}

// exported returns the exported names of a package, one on each line, with types,
// fields, methods and the values of constants.
func exported(t *testing.T, dir string) (lines []string) {
	t.Helper()
	for _, f := range files(t, dir) {
		for _, d := range f.Decls {
			for _, line := range declared(d) {
				lines = append(lines, f.Name.Name+": "+line)
			}
		}
	}
	slices.Sort(lines)
	return slices.Compact(lines) // a file for each system declares the same names
}

func declared(d ast.Decl) (lines []string) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if !d.Name.IsExported() || d.Recv != nil && !ast.IsExported(receiver(d)) {
			return nil
		}
		d.Body, d.Doc = nil, nil
		return []string{text(d)}
	case *ast.GenDecl:
		for _, s := range d.Specs {
			switch s := s.(type) {
			case *ast.ValueSpec:
				lines = append(lines, values(d.Tok, s)...)
			case *ast.TypeSpec:
				if s.Name.IsExported() {
					lines = append(lines, typed(s)...)
				}
			}
		}
	}
	return lines
}

func receiver(d *ast.FuncDecl) string {
	name := text(d.Recv.List[0].Type)
	name, _, _ = strings.Cut(strings.TrimPrefix(name, "*"), "[")
	return name
}

func values(tok token.Token, s *ast.ValueSpec) (lines []string) {
	for i, name := range s.Names {
		if !name.IsExported() {
			continue
		}
		line := tok.String() + " " + name.Name
		if s.Type != nil {
			line += " " + text(s.Type)
		}
		if tok == token.CONST && i < len(s.Values) {
			line += " = " + text(s.Values[i])
		}
		lines = append(lines, line)
	}
	return lines
}

// typed lists the exported fields of a struct and the methods of an interface one by
// one, and any other type by its definition.
func typed(s *ast.TypeSpec) (lines []string) {
	var fields *ast.FieldList
	var kind string
	switch u := s.Type.(type) {
	case *ast.StructType:
		fields, kind = u.Fields, "struct"
	case *ast.InterfaceType:
		fields, kind = u.Methods, "interface"
	default:
		return []string{"type " + s.Name.Name + " " + text(s.Type)}
	}
	lines = []string{"type " + s.Name.Name + " " + kind}
	for _, f := range fields.List {
		for _, name := range f.Names {
			if name.IsExported() {
				lines = append(lines, "type "+s.Name.Name+" "+kind+", "+name.Name+" "+text(f.Type))
			}
		}
		if len(f.Names) == 0 {
			lines = append(lines, "type "+s.Name.Name+" "+kind+", "+text(f.Type))
		}
	}
	return lines
}

var space = regexp.MustCompile(`\s+`)

func text(node ast.Node) string {
	var b bytes.Buffer
	_ = printer.Fprint(&b, token.NewFileSet(), node)
	return space.ReplaceAllString(b.String(), " ")
}

var key = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]*([./][A-Za-z0-9_]+)*\.?$`)

// logKeys are the keys that package logging gives to attributes, of all schemas.
// One that ends in a dot is the prefix of a header's name.
func logKeys(t *testing.T) (lines []string) {
	t.Helper()
	for _, f := range files(t, root+"/logging") {
		ast.Inspect(f, func(n ast.Node) bool {
			for _, e := range keyed(n) {
				lit, ok := e.(*ast.BasicLit)
				if !ok || lit.Kind != token.STRING {
					continue
				}
				if s, err := strconv.Unquote(lit.Value); err == nil && key.MatchString(s) {
					lines = append(lines, "log key: "+s)
				}
			}
			return true
		})
	}
	slices.Sort(lines)
	lines = slices.Compact(lines)
	require.Contains(t, lines, "log key: outcome")
	require.Contains(t, lines, "log key: http.route")
	require.Contains(t, lines, "log key: http.server.request.duration")
	require.Contains(t, lines, "log key: event.duration")
	require.Contains(t, lines, "log key: httpRequest")
	return lines
}

// keyed returns the expressions of n that may be the key of an attribute: in a call of
// slog or of the budget of a record, in a table of names, and in a constant.
func keyed(n ast.Node) []ast.Expr {
	switch n := n.(type) {
	case *ast.CallExpr:
		if f, ok := n.Fun.(*ast.Ident); ok && f.Name == "otelNames" {
			return n.Args[:1]
		}
		f, ok := n.Fun.(*ast.SelectorExpr)
		if !ok {
			return nil
		}
		on, _ := f.X.(*ast.Ident)
		switch {
		case on == nil:
		case on.Name == "slog" && slices.Contains([]string{"String", "Int", "Int64", "Float64", "Bool", "Any", "Duration", "Time", "Group", "GroupAttrs"}, f.Sel.Name):
			return n.Args[:1]
		case on.Name == "m" && (f.Sel.Name == "string" || f.Sel.Name == "text" || f.Sel.Name == "stack"):
			return n.Args[1:2]
		}
	case *ast.CompositeLit:
		t, ok := n.Type.(*ast.Ident)
		if n.Type != nil && (!ok || t.Name != "names") && text(n.Type) != "slog.Attr" {
			return nil
		}
		return elements(n)
	case *ast.AssignStmt:
		if f, ok := n.Lhs[0].(*ast.SelectorExpr); ok {
			if on, ok := f.X.(*ast.Ident); ok && on.Name == "n" {
				return n.Rhs
			}
		}
	case *ast.ValueSpec:
		if strings.HasSuffix(n.Names[0].Name, "Key") {
			return n.Values
		}
	}
	return nil
}

func elements(c *ast.CompositeLit) (values []ast.Expr) {
	for _, e := range c.Elts {
		if kv, ok := e.(*ast.KeyValueExpr); ok {
			if name, ok := kv.Key.(*ast.Ident); ok && name.Name != "Value" {
				values = append(values, kv.Value)
			}
		}
	}
	return values
}

var metric = regexp.MustCompile(`^"(bulwark|http)[._][a-z0-9._]+"$`)

// metricNames are those of the adapters for metrics.
func metricNames(t *testing.T) (lines []string) {
	t.Helper()
	dirs, err := filepath.Glob(root + "/adapters/*")
	require.NoError(t, err)
	for _, dir := range dirs {
		for _, f := range files(t, dir) {
			ast.Inspect(f, func(n ast.Node) bool {
				kv, ok := n.(*ast.KeyValueExpr)
				if ok && text(kv.Key) == "Name" && metric.MatchString(text(kv.Value)) {
					lines = append(lines, "metric: "+strings.Trim(text(kv.Value), `"`))
				}
				return true
			})
		}
	}
	slices.Sort(lines)
	lines = slices.Compact(lines)
	require.NotEmpty(t, lines)
	return lines
}
