package report

import (
	"fmt"
	"math"
	"strings"
)

// Bound is a limit for a figure, and the figure of this run.
type Bound struct {
	What   string
	Least  bool   // the figure must be at least Limit, instead of at most
	Format string // the verb of package fmt for Limit and Figure, with the unit
	Limit  float64
	Figure float64 // NaN: it could not be measured, so the bound is not held
}

// AtMost returns the bound that the figure is no more than the limit. format is the
// verb of package fmt for both, followed by the unit.
func AtMost(what, format string, limit, figure float64) Bound {
	return Bound{What: what, Format: format, Limit: limit, Figure: figure}
}

// AtLeast returns the bound that the figure is no less than the limit.
func AtLeast(what, format string, limit, figure float64) Bound {
	return Bound{What: what, Least: true, Format: format, Limit: limit, Figure: figure}
}

// Held reports whether the figure is within the limit.
func (b Bound) Held() bool {
	if b.Least {
		return b.Figure >= b.Limit
	}
	return b.Figure <= b.Limit
}

// Want describes the limit.
func (b Bound) Want() string {
	if b.Least {
		return "≥ " + fmt.Sprintf(b.Format, b.Limit)
	}
	return "≤ " + fmt.Sprintf(b.Format, b.Limit)
}

// Got returns the figure. If the bound is missed by so little that the format would
// hide it, Got has more digits.
func (b Bound) Got() string {
	if math.IsNaN(b.Figure) {
		return "none"
	}
	got := fmt.Sprintf(b.Format, b.Figure)
	if !b.Held() && strings.HasSuffix(b.Want(), " "+got) {
		return fmt.Sprintf("%g", b.Figure)
	}
	return got
}
