package report

import (
	"bytes"
	"fmt"
	"html"
	"regexp"
	"strconv"

	"gonum.org/v1/plot/font"
)

// margin is space for names that are wider in another font, in points.
const margin = 50

var (
	textAt = regexp.MustCompile(`<text x="([\d.]+)"([^>]*)>([^<]*)</text>`)
	sizeOf = regexp.MustCompile(`font-size:(\d+)px`)
)

// anywhere makes a plot look right if its font is missing. The library has placed
// the left end of each text for its width in Liberation Sans. anywhere places the
// right end of names at their axis, and the middle of titles where it was.
func (b Bars) anywhere(svg []byte) []byte {
	names := make(map[string]bool)
	for _, bar := range b.Bars {
		names[bar.Name] = true
	}
	svg = textAt.ReplaceAllFunc(svg, func(element []byte) []byte {
		m := textAt.FindSubmatch(element)
		text := html.UnescapeString(string(m[3]))
		anchor, part := "end", 1.0 // the part of the width that is left of the anchor
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

// width returns the width of a text in Liberation Sans, in points.
func width(text string, size []byte) float64 {
	points, _ := strconv.ParseFloat(string(size), 64) // the expression matches only digits
	face := font.DefaultCache.Lookup(font.Font{Typeface: "Liberation", Variant: "Sans"}, font.Length(points))
	return face.Width(text).Points()
}
