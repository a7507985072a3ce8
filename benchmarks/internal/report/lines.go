package report

import (
	"bytes"
	"cmp"
	"image/color"
	"io"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
)

// Lines is a plot of named series.
type Lines struct {
	File, Title, X, Y string
	Highlight         string // the name of the series that stands out
	series            []series
}

type series struct {
	name   string
	points plotter.XYs
}

// Add adds a point to the series of that name.
func (l *Lines) Add(name string, x, y float64) {
	i := slices.IndexFunc(l.series, func(s series) bool { return s.name == name })
	if i < 0 {
		i = len(l.series)
		l.series = append(l.series, series{name: name})
	}
	l.series[i].points = append(l.series[i].points, plotter.XY{X: x, Y: y})
}

// lineColors have middle lightness, like ink.
var lineColors = []color.NRGBA{
	{0xd2, 0x6a, 0x2e, 0xff}, {0x2d, 0x9c, 0x6f, 0xff}, {0xa8, 0x5f, 0xc4, 0xff},
	{0xb8, 0x92, 0x1f, 0xff}, {0xc9, 0x4f, 0x6d, 0xff}, {0x4f, 0x9d, 0xb0, 0xff}, grey,
}

// SVG draws the plot.
func (l Lines) SVG(w io.Writer) error {
	p := plot.New()
	p.BackgroundColor = nil
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = l.Title, l.X, l.Y
	p.Title.Padding = vg.Length(8)
	for _, s := range []*text.Style{
		&p.Title.TextStyle, &p.X.Label.TextStyle, &p.Y.Label.TextStyle,
		&p.X.Tick.Label, &p.Y.Tick.Label, &p.Legend.TextStyle,
	} {
		align := *s
		sans(s)
		s.XAlign, s.YAlign, s.Rotation = align.XAlign, align.YAlign, align.Rotation
	}
	p.Title.TextStyle.Font.Size = fontSize + 2
	p.X.Color, p.X.Tick.Color, p.Y.Color, p.Y.Tick.Color = faint, faint, faint, faint
	p.X.Min, p.Y.Min = 0, 0
	p.Legend.Top = true
	for i, s := range l.series {
		if err := l.add(p, s, lineColors[i%len(lineColors)]); err != nil {
			return err
		}
	}
	p.X.Max *= 1.45 // room for the legend
	writer, err := p.WriterTo(plotWidth, plotWidth/2, "svg")
	if err != nil {
		return err
	}
	var svg bytes.Buffer
	if _, err := writer.WriteTo(&svg); err != nil {
		return err
	}
	_, err = io.WriteString(w, strings.ReplaceAll(svg.String(), "font-family:Liberation Sans;", "font-family:Liberation Sans,Arial,Helvetica,sans-serif;"))
	return err
}

// add draws a series. Its points are in order.
func (l Lines) add(p *plot.Plot, s series, c color.NRGBA) error {
	points := slices.SortedFunc(slices.Values(s.points), func(a, b plotter.XY) int { return cmp.Compare(a.X, b.X) })
	line, dots, err := plotter.NewLinePoints(plotter.XYs(points))
	if err != nil {
		return err
	}
	line.Width, dots.Radius = vg.Points(1.5), vg.Points(2)
	if s.name == l.Highlight {
		c, line.Width = highlight, vg.Points(3)
	}
	line.Color, dots.Color = c, c
	p.Add(line, dots)
	p.Legend.Add(s.name, line)
	return nil
}
