package inspect

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// routeView is the data of a route's row, with two small plots.
type routeView struct {
	*route

	Href                     string
	RatePath, FailedPath     string
	P50Path, P99Path         string
	Rate, MaxRate, MaxFailed string
	P50, P99, MaxP99         string
	Outcomes                 []named
}

func newRouteView(r *route) routeView {
	most, slowest := highest(r.Rate), highest(r.P99)
	v := routeView{
		route: r, Href: link(url.Values{"route": {r.Route}}),
		RatePath: area(r.Rate, most), FailedPath: area(r.Failed, most),
		P50Path: curve(r.P50, slowest), P99Path: curve(r.P99, slowest),
		Rate: "0", MaxRate: number(most), MaxFailed: number(highest(r.Failed)),
		P50: "–", P99: "–", MaxP99: seconds(slowest),
		Outcomes: outcomesOf(r),
	}
	if n := len(r.Rate); n > 0 {
		v.Rate = number(r.Rate[n-1])
	}
	if r.lately.total() > 0 {
		v.P50, v.P99 = seconds(r.lately.quantile(0.5).Seconds()), seconds(r.lately.quantile(0.99).Seconds())
	}
	return v
}

func highest(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	return slices.Max(values)
}

// A plot is 240 wide and 40 high. The newest interval is at its right edge.
const width, height = 240.0, 40.0

func x(i, n int) float64 { return width - float64(n-i)*width/(intervals-1) }

func y(v, most float64) float64 { return height - v/most*(height-2) }

// area returns an SVG path of bars without space between them.
func area(values []float64, most float64) string {
	if most == 0 {
		return ""
	}
	var b strings.Builder
	for i, v := range values {
		if v > 0 {
			fmt.Fprintf(&b, "M%.1f %.0fV%.1fH%.1fV%.0fZ", x(i, len(values)), height, y(v, most), x(i+1, len(values)), height)
		}
	}
	return b.String()
}

// curve returns an SVG path of a line with a gap at each missing value.
func curve(values []float64, most float64) string {
	var b strings.Builder
	step := "M"
	for i, v := range values {
		if v == 0 || most == 0 {
			step = "M"
			continue
		}
		fmt.Fprintf(&b, "%s%.1f %.1fH%.1f", step, x(i, len(values)), y(v, most), x(i+1, len(values)))
		step = "L"
	}
	return b.String()
}

// seconds formats a duration with two or three digits.
func seconds(s float64) string {
	d := time.Duration(s * float64(time.Second))
	sign := ""
	if d < 0 {
		sign, d = "−", -d
	}
	switch {
	case d >= time.Hour:
		return fmt.Sprintf("%s%d h %d min", sign, d/time.Hour, d%time.Hour/time.Minute)
	case d >= time.Minute:
		return fmt.Sprintf("%s%d min %d s", sign, d/time.Minute, d%time.Minute/time.Second)
	case d >= 10*time.Second:
		return fmt.Sprintf("%s%.0f s", sign, d.Seconds())
	case d >= time.Second:
		return fmt.Sprintf("%s%.1f s", sign, d.Seconds())
	case d >= time.Millisecond:
		return fmt.Sprintf("%s%d ms", sign, d/time.Millisecond)
	}
	return fmt.Sprintf("%s%d µs", sign, d/time.Microsecond)
}

// size formats a number of bytes.
func size(n int64) string {
	const kibi = 1024
	switch {
	case n >= kibi*kibi*kibi:
		return fmt.Sprintf("%.1f GiB", float64(n)/(kibi*kibi*kibi))
	case n >= kibi*kibi:
		return fmt.Sprintf("%.1f MiB", float64(n)/(kibi*kibi))
	case n >= kibi:
		return fmt.Sprintf("%.1f KiB", float64(n)/kibi)
	}
	return strconv.FormatInt(n, 10) + " B"
}

// number formats a rate with about two digits.
func number(v float64) string {
	if v >= 10 {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'f', 1, 64)
}

func clock(t time.Time) string { return t.Format("15:04:05") }
