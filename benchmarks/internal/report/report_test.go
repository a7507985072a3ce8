package report_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/benchmarks/internal/report"
)

var page = report.Page{
	Run: report.Run{
		Machine:  [][2]string{{"CPU", "a | b"}},
		Modules:  [][2]string{{"example.com/peer", "v1.2.3"}},
		Finished: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		Took:     90 * time.Second,
		Partial:  "only one",
	},
	Sections: []report.Section{{
		Name: "row", Title: "A row, of 1", About: "How.",
		Bounds: []report.Bound{report.AtMost("time", "%.1f", 1, 0.5), report.AtLeast("speed", "%.0f", 3, 2)},
		Tables: []report.Table{{Head: []string{"", "ns"}, Rows: [][]string{{"peer", "12\n13"}}}},
		Plots: []report.Bars{{File: "row.svg", Title: "Row", Unit: "ns", Highlight: "B", Pale: "less", Bars: []report.Bar{
			{Name: "Bulwark", Value: 1, Low: 0.5, High: 2}, {Name: "peer <1>", Value: 300, Low: 290, High: 305, Pale: true},
		}}},
	}},
}

const want = `# Results

Written by ` + "`go run ./benchmarks`" + `; nothing here is typed by hand, and the next run replaces it.

**Not the whole of it: only one.**

|  |  |
| --- | --- |
| date | 2026-01-02 03:04 UTC, after 1m30s |
| CPU | a \| b |
| example.com/peer | v1.2.3 |

## Bounds

1 of 2 held in this run.

| row | bound | at most / at least | this run |  |
| --- | --- | --- | --- | --- |
| [row](#a-row-of-1) | time | ≤ 1.0 | 0.5 | held |
| [row](#a-row-of-1) | speed | ≥ 3 | 2 | **missed** |

## A row, of 1

How.

![Row](row.svg)

|  | ns |
| --- | --- |
| peer | 12<br>13 |
`

// TestBound: a bound that is missed by little does not look as if it were held.
func TestBound(t *testing.T) {
	assert.Equal(t, report.Bound{What: "time", Want: "≤ 0.70", Got: "0.70", Held: true}, report.AtMost("time", "%.2f", 0.7, 0.7))
	assert.Equal(t, report.Bound{What: "time", Want: "≤ 0.70", Got: "0.702"}, report.AtMost("time", "%.2f", 0.7, 0.702))
	assert.Equal(t, report.Bound{What: "speed", Want: "≥ 2 s", Got: "3 s", Held: true}, report.AtLeast("speed", "%.0f s", 2, 3))
}

func TestWrite(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, page.Write(dir))
	got, err := os.ReadFile(filepath.Join(dir, "RESULTS.md"))
	require.NoError(t, err)
	assert.Equal(t, want, string(got))
	_, err = os.Stat(filepath.Join(dir, "row.svg"))
	assert.NoError(t, err)
	assert.Error(t, page.Write(filepath.Join(dir, "missing")))
}

// TestPlot: it is sound XML with every name and value in it, and no ground of its
// own that would be white on a dark page.
func TestPlot(t *testing.T) {
	var svg bytes.Buffer
	require.NoError(t, page.Sections[0].Plots[0].SVG(&svg))
	text := &strings.Builder{}
	for d := xml.NewDecoder(bytes.NewReader(svg.Bytes())); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		if chars, ok := token.(xml.CharData); ok {
			text.Write(chars)
		}
	}
	for _, s := range []string{"Row", "ns; pale: less", "Bulwark", "peer <1>", "1.0", "300"} {
		assert.Contains(t, text.String(), s)
	}
	assert.NotContains(t, svg.String(), "fill:#FFFFFF")
	assert.NotContains(t, svg.String(), "#000000")
}

// TestHere: the versions of the peers come from the binary.
func TestHere(t *testing.T) {
	here := report.Here()
	assert.NotEmpty(t, here.Machine)
	for _, m := range here.Machine {
		assert.NotEmpty(t, m[1], m[0])
	}
}
