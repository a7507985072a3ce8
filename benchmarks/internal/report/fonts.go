package report

import (
	"bytes"
	"fmt"
	"html"
	"regexp"
	"strconv"

	"gonum.org/v1/plot/font"
)

// margin is room for names that are wider where the font is another, in points.
const margin = 50

var (
	textAt = regexp.MustCompile(`<text x="([\d.]+)"([^>]*)>([^<]*)</text>`)
	sizeOf = regexp.MustCompile(`font-size:(\d+)px`)
)

// anywhere makes a plot look right for those who do not have its font: the
// library has placed each text by its left end, as wide as it is in Liberation
// Sans. Names end at their axis, and titles have their middle where it was.
func (b Bars) anywhere(svg []byte) []byte {
	names := make(map[string]bool)
	for _, bar := range b.Bars {
		names[bar.Name] = true
	}
	svg = textAt.ReplaceAllFunc(svg, func(element []byte) []byte {
		m := textAt.FindSubmatch(element)
		text := html.UnescapeString(string(m[3]))
		anchor, part := "end", 1.0 // of the width that is left of the anchor
		if text == b.Title || text == b.label() {
			anchor, part = "middle", 0.5
		} else if !names[text] {
			return element
		}
		x, err := strconv.ParseFloat(string(m[1]), 64)
		size := sizeOf.FindSubmatch(m[2])
		if err != nil || size == nil {
			return element
		}
		x += part * width(text, size[1])
		return fmt.Appendf(nil, `<text x="%.2f" text-anchor="%s"%s>%s</text>`, x, anchor, m[2], m[3])
	})
	svg = bytes.ReplaceAll(svg, []byte("font-family:Liberation Sans;"), []byte("font-family:Liberation Sans,Arial,Helvetica,sans-serif;"))
	return bytes.Replace(svg, fmt.Appendf(nil, `viewBox="0 0 %g `, plotWidth.Points()), fmt.Appendf(nil, `viewBox="-%d 0 %g `, margin, plotWidth.Points()+margin), 1)
}

// width is that of a text in Liberation Sans, in points.
func width(text string, size []byte) float64 {
	points, _ := strconv.ParseFloat(string(size), 64) // digits by the expression
	face := font.DefaultCache.Lookup(font.Font{Typeface: "Liberation", Variant: "Sans"}, font.Length(points))
	return face.Width(text).Points()
}
