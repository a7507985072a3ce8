package report_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"math"
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
		Bounds: []report.Bound{report.AtMost("time", "%.1f", 1, 0.5), report.AtLeast("speed", "%.0f", 3, 2), report.AtMost("wait", "%.0f ms", 3, math.Inf(1))},
		Tables: []report.Table{{Head: []string{"", "ns"}, Rows: [][]string{{"peer", "12\n13"}}}},
		Plots: []report.Bars{{File: "row.svg", Title: "Row", Unit: "ns", Highlight: "B", Pale: "less", Bars: []report.Bar{
			{Name: "Bulwark", Value: 1, Low: 0.5, High: 2}, {Name: "peer <1>", Value: 300, Low: 290, High: 305, Pale: true},
		}}},
	}},
}

const want = `# Results

Written by ` + "`go run ./benchmarks`" + `; do not edit it, because the next run replaces it.

**Incomplete: only one.**

|  |  |
| --- | --- |
| date | 2026-01-02 03:04 UTC, after 1m30s |
| CPU | a \| b |
| example.com/peer | v1.2.3 |

## A row, of 1

How.

![Row](row.svg)

|  | ns |
| --- | --- |
| peer | 12<br>13 |
`

// TestBound: a bound that is just missed does not look as if it were held.
func TestBound(t *testing.T) {
	for desc, c := range map[string]struct {
		bound     report.Bound
		want, got string
		held      bool
	}{
		"at the limit":     {report.AtMost("time", "%.2f", 0.7, 0.7), "≤ 0.70", "0.70", true},
		"missed by little": {report.AtMost("time", "%.2f", 0.7, 0.702), "≤ 0.70", "0.702", false},
		"missed by much":   {report.AtMost("time", "%.0f ms", 10, 110), "≤ 10 ms", "110 ms", false},
		"at least":         {report.AtLeast("speed", "%.0f s", 2, 3), "≥ 2 s", "3 s", true},
		"too little":       {report.AtLeast("speed", "%.0f s", 2, 1), "≥ 2 s", "1 s", false},
		"no figure":        {report.AtMost("time", "%.0f", 1, math.NaN()), "≤ 1", "none", false},
		"none, at least":   {report.AtLeast("time", "%.0f", 1, math.NaN()), "≥ 1", "none", false},
	} {
		t.Run(desc, func(t *testing.T) {
			assert.Equal(t, c.want, c.bound.Want())
			assert.Equal(t, c.got, c.bound.Got())
			assert.Equal(t, c.held, c.bound.Held())
		})
	}
}

const wantJSON = `{
	"finished": "2026-01-02T03:04:05Z",
	"seconds": 90,
	"partial": "only one",
	"machine": {
		"CPU": "a | b"
	},
	"modules": {
		"example.com/peer": "v1.2.3"
	},
	"bounds": [
		{
			"row": "row",
			"what": "time",
			"at_most": 1,
			"figure": 0.5,
			"format": "%.1f"
		},
		{
			"row": "row",
			"what": "speed",
			"at_least": 3,
			"figure": 2,
			"format": "%.0f"
		},
		{
			"row": "row",
			"what": "wait",
			"at_most": 3,
			"figure": null,
			"format": "%.0f ms"
		}
	]
}
`

const wantCheck = `row  time   0.5   ≤ 1.0   held
row  speed  2     ≥ 3     MISSED
row  wait   none  ≤ 3 ms  MISSED
1 of 3 bounds held in the run of 2026-01-02 03:04 UTC, which is incomplete: only one
`

// TestCheck: what was written is judged as it was measured.
func TestCheck(t *testing.T) {
	var file, said bytes.Buffer
	require.NoError(t, page.JSON(&file))
	assert.Equal(t, wantJSON, file.String())
	missed, err := report.Check(&file, &said)
	require.NoError(t, err)
	assert.Equal(t, 2, missed)
	assert.Equal(t, wantCheck, said.String())
}

// TestCheckRefuses: an empty file is not taken for one in which every bound is held.
func TestCheckRefuses(t *testing.T) {
	for desc, c := range map[string]struct{ file, want string }{
		"empty":        {"", "EOF"},
		"no bounds":    {`{"bounds":[]}`, "the file has no bounds"},
		"no limit":     {`{"bounds":[{"row":"r","what":"w","figure":1}]}`, `row "r", bound "w": want at_most or at_least`},
		"two limits":   {`{"bounds":[{"row":"r","what":"w","figure":1,"at_most":1,"at_least":1}]}`, "want at_most or at_least"},
		"other member": {`{"limits":[]}`, `unknown field "limits"`},
		"short":        {`{"short":true,"bounds":[{"row":"r","what":"w","figure":1,"at_most":1,"format":"%.0f"}]}`, "a short run, whose figures have no meaning"},
	} {
		t.Run(desc, func(t *testing.T) {
			_, err := report.Check(strings.NewReader(c.file), io.Discard)
			assert.ErrorContains(t, err, c.want)
		})
	}
}

func TestWrite(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, page.Write(dir))
	got, err := os.ReadFile(filepath.Join(dir, "RESULTS.md"))
	require.NoError(t, err)
	assert.Equal(t, want, string(got))
	got, err = os.ReadFile(filepath.Join(dir, "results.json"))
	require.NoError(t, err)
	assert.Equal(t, wantJSON, string(got))
	assert.FileExists(t, filepath.Join(dir, "row.svg"))
	assert.Error(t, page.Write(filepath.Join(dir, "missing")))
}

// TestPlot: it is valid XML with every name and value in it, and has no background,
// which would be white on a dark page.
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
