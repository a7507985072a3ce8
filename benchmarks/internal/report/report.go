// Package report writes down what was measured: a page of Markdown, and plots.
package report

import (
	"fmt"
	"io"
	"strings"
)

// Section is what one row of the cost table came to.
type Section struct {
	Name   string // as it is chosen on the command line
	Title  string
	About  string // how it was measured
	Bounds []Bound
	Tables []Table
	Plots  []Bars
}

// Bound is a promise of the design and what became of it in this run.
type Bound struct {
	What, Want, Got string
	Held            bool
}

// AtMost is the bound that got is no more than want. format is that of both, in
// the manner of package fmt; where it hides by how much a bound is missed, more
// digits are shown.
func AtMost(what, format string, want, got float64) Bound {
	return bound(what, "≤ ", format, want, got, got <= want)
}

// AtLeast is the bound that got is no less than want.
func AtLeast(what, format string, want, got float64) Bound {
	return bound(what, "≥ ", format, want, got, got >= want)
}

func bound(what, sign, format string, want, got float64, held bool) Bound {
	b := Bound{what, sign + fmt.Sprintf(format, want), fmt.Sprintf(format, got), held}
	if !held && b.Want == sign+b.Got {
		b.Got = fmt.Sprintf("%g", got)
	}
	return b
}

// Table is one of text; the first column holds names.
type Table struct {
	Head []string
	Rows [][]string
}

// Page is all of it.
type Page struct {
	Run      Run
	Sections []Section
}

// Markdown writes the page.
func (p Page) Markdown(w io.Writer) error {
	var b strings.Builder
	b.WriteString("# Results\n\nWritten by `go run ./benchmarks`; nothing here is typed by hand, and the next run replaces it.\n")
	p.Run.markdown(&b)
	p.bounds(&b)
	for _, s := range p.Sections {
		s.markdown(&b)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// bounds is the table of all bounds, in front.
func (p Page) bounds(b *strings.Builder) {
	t := Table{Head: []string{"row", "bound", "at most / at least", "this run", ""}}
	held, all := 0, 0
	for _, s := range p.Sections {
		for _, bound := range s.Bounds {
			verdict := "**missed**"
			if all++; bound.Held {
				verdict = "held"
				held++
			}
			t.Rows = append(t.Rows, []string{"[" + s.Name + "](#" + anchor(s.Title) + ")", bound.What, bound.Want, bound.Got, verdict})
		}
	}
	if all == 0 {
		return
	}
	fmt.Fprintf(b, "\n## Bounds\n\n%d of %d held in this run.\n\n", held, all)
	t.markdown(b)
}

// anchor is what GitHub calls a heading in links.
func anchor(title string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case r == '-' || r == '_' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z':
			return r
		default:
			return -1
		}
	}, strings.ToLower(title))
}

func (s Section) markdown(b *strings.Builder) {
	fmt.Fprintf(b, "\n## %s\n\n%s\n", s.Title, s.About)
	for _, plot := range s.Plots {
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
