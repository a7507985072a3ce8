package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"text/tabwriter"
	"time"
)

// results is the file for programs. It has the bounds, and the figures of a run.
type results struct {
	Finished time.Time         `json:"finished"`
	Seconds  float64           `json:"seconds"`
	Partial  string            `json:"partial,omitempty"` // why the results are incomplete
	Short    bool              `json:"short,omitempty"`   // the figures have no meaning
	Machine  map[string]string `json:"machine"`
	Modules  map[string]string `json:"modules"`
	Bounds   []bound           `json:"bounds"`
}

// bound is a Bound in that file. Either at_most or at_least is set.
type bound struct {
	Row     string   `json:"row"`
	What    string   `json:"what"`
	AtMost  *float64 `json:"at_most,omitempty"`
	AtLeast *float64 `json:"at_least,omitempty"`
	Figure  *float64 `json:"figure"` // null if it could not be measured
	Format  string   `json:"format"`
}

func (b Bound) in(row string) bound {
	j := bound{Row: row, What: b.What, Format: b.Format}
	if b.Least {
		j.AtLeast = &b.Limit
	} else {
		j.AtMost = &b.Limit
	}
	if !math.IsNaN(b.Figure) && !math.IsInf(b.Figure, 0) { // JSON cannot represent these
		j.Figure = &b.Figure
	}
	return j
}

func (j bound) read() (Bound, error) {
	b := Bound{What: j.What, Format: j.Format, Figure: math.NaN()}
	if (j.AtMost == nil) == (j.AtLeast == nil) {
		return b, fmt.Errorf("row %q, bound %q: want at_most or at_least", j.Row, j.What)
	}
	if b.Least = j.AtLeast != nil; b.Least {
		b.Limit = *j.AtLeast
	} else {
		b.Limit = *j.AtMost
	}
	if j.Figure != nil {
		b.Figure = *j.Figure
	}
	return b, nil
}

// JSON writes the bounds of the page and their figures.
func (p Page) JSON(w io.Writer) error {
	f := results{
		Finished: p.Run.Finished.UTC().Truncate(time.Second), Seconds: p.Run.Took.Round(time.Second).Seconds(),
		Partial: p.Run.Partial, Short: p.Run.Short, Machine: pairs(p.Run.Machine), Modules: pairs(p.Run.Modules),
		Bounds: []bound{}, // not null
	}
	for _, s := range p.Sections {
		for _, b := range s.Bounds {
			f.Bounds = append(f.Bounds, b.in(s.Name))
		}
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "\t")
	return e.Encode(f)
}

func pairs(of [][2]string) map[string]string {
	m := make(map[string]string, len(of))
	for _, p := range of {
		m[p[0]] = p[1]
	}
	return m
}

// Check reads a file that JSON has written. It prints each bound, its figure and
// whether the bound was held, and returns how many bounds were not held. A short
// run is an error, because its figures have no meaning.
func Check(r io.Reader, w io.Writer) (missed int, err error) {
	d := json.NewDecoder(r)
	d.DisallowUnknownFields()
	var f results
	if err := d.Decode(&f); err != nil {
		return 0, err
	}
	if len(f.Bounds) == 0 {
		return 0, errors.New("the file has no bounds")
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, j := range f.Bounds {
		b, err := j.read()
		if err != nil {
			return 0, err
		}
		verdict := "held"
		if !b.Held() {
			verdict = "MISSED"
			missed++
		}
		fmt.Fprintln(t, strings.Join([]string{j.Row, b.What, b.Got(), b.Want(), verdict}, "\t"))
	}
	if err := t.Flush(); err != nil {
		return missed, err
	}
	part := ""
	if f.Partial != "" {
		part = ", which is incomplete: " + f.Partial
	}
	fmt.Fprintf(w, "%d of %d bounds held in the run of %s%s\n", len(f.Bounds)-missed, len(f.Bounds), f.Finished.Format("2006-01-02 15:04 MST"), part)
	if f.Short {
		err = errors.New("a short run, whose figures have no meaning")
	}
	return missed, err
}
