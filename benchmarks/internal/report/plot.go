package report

import (
	"bytes"
	"cmp"
	"fmt"
	"image/color"
	"io"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Bars is a plot of named values. The first bar is on top.
type Bars struct {
	File, Title, Unit string
	Highlight         string // the prefix of the names that stand out
	Pale              string // what a pale bar means
	Bars              []Bar
}

// Bar is a value and its quartiles.
type Bar struct {
	Name             string
	Value, Low, High float64
	Pale             bool
}

// The colors have middle lightness and the background is transparent, because the
// page may be light or dark.
var (
	ink       = color.NRGBA{0x76, 0x80, 0x8d, 0xff}
	faint     = color.NRGBA{0x76, 0x80, 0x8d, 0x50}
	grey      = color.NRGBA{0x8c, 0x95, 0xa1, 0xff}
	highlight = color.NRGBA{0x2f, 0x81, 0xf7, 0xff}
)

const (
	plotWidth = vg.Length(820)
	barHeight = vg.Length(13)
	fontSize  = vg.Length(11)
)

// SVG draws the plot, with the smallest value on top.
func (b Bars) SVG(w io.Writer) error {
	p := plot.New()
	p.BackgroundColor = nil
	p.Title.Text = b.Title
	p.X.Label.Text = b.label()
	p.X.Min = 0
	p.Title.Padding = vg.Length(8)
	for _, s := range []*text.Style{&p.Title.TextStyle, &p.X.Label.TextStyle, &p.X.Tick.Label, &p.Y.Tick.Label} {
		sans(s)
	}
	p.Title.TextStyle.Font.Size = fontSize + 2
	p.X.Color, p.X.Tick.Color = faint, faint
	p.Y.LineStyle.Width, p.Y.Tick.Length = 0, 0

	bars := slices.Clone(b.Bars)
	slices.SortStableFunc(bars, func(a, b Bar) int { return cmp.Compare(b.Value, a.Value) }) // from below
	if err := b.add(p, bars); err != nil {
		return err
	}
	writer, err := p.WriterTo(plotWidth, vg.Length(len(bars))*(barHeight+9)+70, "svg")
	if err != nil {
		return err
	}
	var svg bytes.Buffer
	if _, err := writer.WriteTo(&svg); err != nil {
		return err
	}
	_, err = w.Write(b.anywhere(svg.Bytes()))
	return err
}

// label returns the text below the plot.
func (b Bars) label() string {
	if b.Pale == "" {
		return b.Unit
	}
	return b.Unit + "; pale: " + b.Pale
}

func sans(s *text.Style) {
	s.Font = font.Font{Typeface: "Liberation", Variant: "Sans", Size: fontSize}
	s.Color = ink
}

// add draws each bar, its value beside it and its quartiles over it.
func (b Bars) add(p *plot.Plot, bars []Bar) error {
	var names []string
	var spread quartiles
	labels := plotter.XYLabels{}
	for i, bar := range bars {
		chart, err := plotter.NewBarChart(plotter.Values{bar.Value}, barHeight)
		if err != nil {
			return err
		}
		chart.Horizontal, chart.XMin, chart.LineStyle.Width, chart.Color = true, float64(i), 0, grey
		if b.Highlight != "" && strings.HasPrefix(bar.Name, b.Highlight) {
			chart.Color = highlight
		}
		if bar.Pale {
			chart.Color = faint
		}
		p.Add(chart)
		names = append(names, bar.Name)
		spread.XYs = append(spread.XYs, plotter.XY{X: bar.Value, Y: float64(i)})
		spread.XErrors = append(spread.XErrors, struct{ Low, High float64 }{bar.Value - bar.Low, bar.High - bar.Value})
		labels.XYs = append(labels.XYs, plotter.XY{X: max(bar.Value, bar.High), Y: float64(i)})
		labels.Labels = append(labels.Labels, short(bar.Value))
		p.X.Max = max(p.X.Max, max(bar.Value, bar.High)*1.08) // room for the label
	}
	p.NominalY(names...)
	p.Y.LineStyle.Width, p.Y.Tick.Length = 0, 0
	whiskers, err := plotter.NewXErrorBars(spread)
	if err != nil {
		return err
	}
	whiskers.Color = ink
	values, err := plotter.NewLabels(labels)
	if err != nil {
		return err
	}
	values.Offset = vg.Point{X: 5}
	for i := range values.TextStyle {
		sans(&values.TextStyle[i])
		values.TextStyle[i].YAlign = draw.YCenter
	}
	p.Add(whiskers, values)
	return nil
}

type quartiles struct {
	plotter.XYs
	plotter.XErrors
}

func short(v float64) string {
	if v < 100 {
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.0f", v)
}
