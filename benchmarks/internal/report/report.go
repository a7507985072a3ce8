// Package report writes the results: a Markdown page, plots, and a file with the
// bounds, which Check reads.
package report

import (
	"cmp"
	"fmt"
	"io"
	"strings"
)

// Section is the result of one row of the cost table.
type Section struct {
	Name   string // the name for the command line
	Title  string
	About  string // how it was measured
	Bounds []Bound
	Tables []Table
	Plots  []Bars
	Lines  []Lines
}

// Table is a table of text. The first column has the names.
type Table struct {
	Head []string
	Rows [][]string
}

// Page has all sections.
type Page struct {
	Name     string // of the files; default RESULTS, for RESULTS.md and results.json
	Title    string // default Results
	Command  string // the command that writes the page; default go run ./benchmarks
	Run      Run
	Sections []Section
	Appendix string // Markdown that follows the sections, if any
}

// Markdown writes the page.
func (p Page) Markdown(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\nWritten by `%s`; do not edit it, because the next run replaces it.\n", cmp.Or(p.Title, "Results"), cmp.Or(p.Command, "go run ./benchmarks"))
	p.Run.markdown(&b)
	for _, s := range p.Sections {
		s.markdown(&b)
	}
	b.WriteString(p.Appendix)
	_, err := io.WriteString(w, b.String())
	return err
}

func (s Section) markdown(b *strings.Builder) {
	fmt.Fprintf(b, "\n## %s\n\n%s\n", s.Title, s.About)
	for _, plot := range s.Plots {
		fmt.Fprintf(b, "\n![%s](%s)\n", plot.Title, plot.File)
	}
	for _, plot := range s.Lines {
		fmt.Fprintf(b, "\n![%s](%s)\n", plot.Title, plot.File)
	}
	for _, t := range s.Tables {
		b.WriteByte('\n')
		t.markdown(b)
	}
}

func (t Table) markdown(b *strings.Builder) {
	line(b, t.Head)
	rule := make([]string, len(t.Head))
	for i := range rule {
		rule[i] = "---"
	}
	line(b, rule)
	for _, r := range t.Rows {
		line(b, r)
	}
}

var inCell = strings.NewReplacer("|", `\|`, "\n", "<br>")

func line(b *strings.Builder, cells []string) {
	for _, c := range cells {
		b.WriteString("| " + inCell.Replace(c) + " ")
	}
	b.WriteString("|\n")
}
