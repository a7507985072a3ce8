// Command diagram draws docs/request.svg, which shows how a request passes through
// the stack.
package main

//go:generate go run . ../../docs/request.svg

import (
	"bytes"
	"fmt"
	"html"
	"log"
	"os"
)

// layer is a middleware of the stack, or what is inside the stack.
type layer struct {
	name     string
	does     string
	response string // the statuses of its own responses; "" if there are none
	yours    bool   // not a part of Bulwark
}

// layers are from the outermost to the innermost.
var layers = []layer{
	{"logging", "chooses the request id, writes one log record at the end", "", false},
	{"timeout", "starts the timer, ends the context at the deadline", "504 slow handler · 408 slow client", false},
	{"limits", "checks target, header and body, waits for a permit", "400 · 408 · 413 · 414 · 415 · 431 · 503", false},
	{"errs.Recover", "recovers panics", "500 panic", false},
	{"your middleware", "authentication, compression, sessions, CSRF", "401 · 403 …", true},
	{"mux", "chooses the route", "404 · 405", true},
	{"handler", "returns nil, or an error for the rules of errmap", "200 …, or the status of a rule, or 500", true},
}

const (
	width   = 860
	margin  = 24
	top     = 96  // the top of the outermost layer
	header  = 58  // the height of a layer's header
	inset   = 7   // the distance between the bottoms of two layers
	railIn  = 44  // distance of the two arrows from the margins
	bottom  = 106 // from the innermost layer's top to the outermost one's bottom
	caption = 12  // from the request's arrow to the text of a layer
)

// style has the colors of the light and the dark scheme. The background is drawn,
// so that the text can be read on pages that ignore the scheme.
const style = `
.page { fill: #ffffff }
.ours { fill: #dbeafe; fill-opacity: .55; stroke: #2563eb }
.yours { fill: #f1f5f9; stroke: #94a3b8 }
.name { font: 600 15px system-ui, sans-serif; fill: #0f172a }
.text { font: 13px system-ui, sans-serif; fill: #334155 }
.code { font: 13px ui-monospace, monospace; fill: #1d4ed8 }
.way { stroke: #0f172a; stroke-width: 2; fill: none }
.exit { stroke: #1d4ed8; stroke-width: 1.5; fill: none }
.tip { fill: #0f172a }
.exittip { fill: #1d4ed8 }
@media (prefers-color-scheme: dark) {
.page { fill: #0d1117 }
.ours { fill: #1e3a8a; fill-opacity: .35; stroke: #60a5fa }
.yours { fill: #1f2937; stroke: #6b7280 }
.name { fill: #f8fafc }
.text { fill: #cbd5e1 }
.code { fill: #93c5fd }
.way { stroke: #f8fafc }
.exit { stroke: #93c5fd }
.tip { fill: #f8fafc }
.exittip { fill: #93c5fd }
}`

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: diagram FILE")
	}
	if err := os.WriteFile(os.Args[1], draw(), 0o644); err != nil { //nolint:gosec // a committed file
		log.Fatal(err)
	}
}

// picture collects the elements of an SVG.
type picture struct{ bytes.Buffer }

func (p *picture) addf(format string, args ...any) { fmt.Fprintf(p, format+"\n", args...) }

func (p *picture) text(class string, x, y int, s string) {
	p.addf(`<text class="%s" x="%d" y="%d">%s</text>`, class, x, y, html.EscapeString(s))
}

// right adds a text that ends at x.
func (p *picture) right(class string, x, y int, s string) {
	p.addf(`<text class="%s" x="%d" y="%d" text-anchor="end">%s</text>`, class, x, y, html.EscapeString(s))
}

// draw returns the SVG.
func draw() []byte {
	in := margin + railIn
	out := width - margin - railIn
	last := top + (len(layers)-1)*header
	height := last + bottom + 92

	p := &picture{}
	p.addf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" aria-labelledby="title">`, width, height)
	p.addf(`<title id="title">The way of a request through the stack</title>`)
	p.addf(`<style>%s`+"\n"+`</style>`, style)
	p.addf(`<defs>`)
	for _, tip := range []struct{ id, class string }{{"tip", "tip"}, {"exittip", "exittip"}} {
		p.addf(`<marker id="%s" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" orient="auto-start-reverse"><path class="%s" d="M0 0L10 5L0 10z"/></marker>`, tip.id, tip.class)
	}
	p.addf(`</defs>`)
	p.addf(`<rect class="page" width="%d" height="%d" rx="8"/>`, width, height)
	p.text("name", in-30, 40, "request")
	p.right("name", out+36, 40, "response")
	p.text("text", in-30, 60, "from net/http's server")
	p.right("text", out+36, 60, "what the client gets, and what is logged")

	for i, l := range layers {
		p.layer(i, l, last)
	}
	p.addf(`<path class="way" marker-end="url(#tip)" d="M%d 70V%d"/>`, in, last+46)
	p.addf(`<path class="way" marker-end="url(#tip)" d="M%d %dH%dV74"/>`, out-26, last+30, out)
	for i, l := range layers[:len(layers)-1] {
		if l.response == "" {
			continue
		}
		y := top + i*header + 30
		p.addf(`<path class="exit" marker-end="url(#exittip)" d="M%d %dH%d"/>`, out-26, y, out-3)
	}
	for i, s := range []string{
		"All layers of Bulwark (blue) share one exchange, which is the state of the request.",
		"The exchange observes how the response ends, so the log record has what the client got.",
		"A response that fails after it has started is aborted, so that it never looks complete.",
	} {
		p.text("text", margin, height-66+i*22, s)
	}
	p.addf(`</svg>`)
	return p.Bytes()
}

// layer draws the box of a layer with its texts.
func (p *picture) layer(i int, l layer, last int) {
	class := "ours"
	if l.yours {
		class = "yours"
	}
	x, y := margin+i*3, top+i*header
	h := last + bottom - i*inset - y
	p.addf(`<rect class="%s" x="%d" y="%d" width="%d" height="%d" rx="8"/>`, class, x, y, width-2*x, h)
	left := margin + railIn + caption
	p.text("name", left, y+24, l.name)
	p.text("text", left, y+44, l.does)
	p.right("code", width-margin-railIn-32, y+34, l.response)
}
