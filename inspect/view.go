package inspect

import (
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/bulwark-go/bulwark/internal/exchange"
)

// reportPage is the data of the template for a report.
type reportPage struct {
	common

	InFlight   int64
	Abandoned  int
	Activities []named
	Goroutines int
	Only       string // the route that was asked for
	Hidden     int64
	Columns    []column
	Requests   []requestView
	Minutes    int
	Routes     []routeView
	Failures   []failureView
	Self       string
}

// named is a count and, for outcomes, a class.
type named struct {
	Name, Class string
	Count       uint64
}

// column is a column of the table of requests. If it has a link, the link sorts the
// requests by it.
type column struct {
	Name, Href string
	Sorted     bool
}

func newReportPage(r *report, q url.Values) *reportPage {
	p := &reportPage{
		common:   newCommon(strconv.FormatInt(r.InFlight, 10)+" in flight", clock(r.Time)+r.Time.Format(" MST")),
		InFlight: r.InFlight, Abandoned: r.Abandoned, Goroutines: r.Goroutines,
		Hidden: r.Unlisted, Self: link(q), Minutes: int(intervals * interval / time.Minute),
	}
	if q.Has("route") {
		p.Only = orNone(q.Get("route"))
	} else {
		p.Hidden = r.InFlight - int64(len(r.Requests))
	}
	for _, a := range [...]exchange.Activity{exchange.Handling, exchange.Reading, exchange.Writing, exchange.Queued, exchange.Hijacked} {
		p.Activities = append(p.Activities, named{Name: doing[a], Count: uint64(r.Activities[a])})
	}
	p.Columns = columns(q)
	for i := range r.Requests {
		p.Requests = append(p.Requests, newRequestView(&r.Requests[i]))
	}
	for _, one := range r.Routes {
		p.Routes = append(p.Routes, newRouteView(one))
	}
	for i := range r.Failures {
		p.Failures = append(p.Failures, newFailureView(&r.Failures[i]))
	}
	return p
}

// doing has a description of each activity.
var doing = map[exchange.Activity]string{
	exchange.Handling: "in the handler",
	exchange.Reading:  "reading the body",
	exchange.Writing:  "writing",
	exchange.Queued:   "queued",
	exchange.Hijacked: "hijacked",
}

// columns returns the columns of the table, each with the link that sorts by it.
func columns(q url.Values) (all []column) {
	by := q.Get("sort")
	if orders[by] == nil {
		by = "age"
	}
	for _, c := range [...]struct{ name, order string }{
		{"age", "age"}, {"left", "left"}, {"doing", "activity"}, {"route", "route"}, {"bytes", "bytes"}, {"client", ""}, {"id", ""},
	} {
		one := column{Name: c.name, Sorted: c.order == by}
		if c.order != "" {
			sorted := url.Values{"sort": {c.order}}
			if q.Has("route") {
				sorted.Set("route", q.Get("route"))
			}
			one.Href = link(sorted)
		}
		all = append(all, one)
	}
	return all
}

// link returns a link to this page with another query.
func link(q url.Values) string { return "?" + q.Encode() }

// requestView is the data of a request's row.
type requestView struct {
	*request

	Href, Age, Left, Doing, In, Out string
	Late                            bool
}

func newRequestView(r *request) requestView {
	v := requestView{
		request: r, Href: link(url.Values{"key": {r.Key}}),
		Age: seconds(r.Age), Left: "none", Doing: doing[r.Activity], In: size(r.BytesIn), Out: size(r.BytesOut),
	}
	if r.Left != nil {
		v.Left, v.Late = seconds(*r.Left), *r.Left < 0
	}
	if r.Begun && !r.Abandoned && r.Activity == exchange.Handling { // otherwise the response is the one at the deadline
		v.Doing += ", the response has begun"
	}
	return v
}

// failureView is the data of a failure's row.
type failureView struct {
	*ended

	Time, After, Class, Fold string
}

func newFailureView(e *ended) failureView {
	return failureView{
		ended: e, Time: clock(e.Time), After: seconds(e.Duration), Class: class(e.Outcome),
		Fold: "f-" + strconv.FormatInt(e.Time.UnixNano(), 36),
	}
}

// class returns the CSS class of an outcome. Outcomes that the client caused, and
// refusals, are marked less than failures of the service.
func class(o exchange.Outcome) string {
	switch o {
	case exchange.OK, exchange.Upgraded:
		return "o-ok"
	case exchange.Gone, exchange.Refused, exchange.ShortBody:
		return "o-warn"
	}
	return "o-bad"
}

// detailPage is the data of the template for one request.
type detailPage struct {
	common

	Key        string
	Request    *requestView
	Error      string
	Goroutines []goroutineView
}

type goroutineView struct {
	Name   string
	Frames []frameView
}

type frameView struct {
	frame

	Own bool // the frame belongs to the application
}

func newDetailPage(d *detail, app application, q url.Values) *detailPage {
	p := &detailPage{common: newCommon("The request has ended", clock(d.Time)+d.Time.Format(" MST")), Key: q.Get("key"), Error: d.Error}
	if d.Request == nil {
		return p
	}
	v := newRequestView(d.Request)
	p.Request, p.Title = &v, d.Request.Method+" "+orNone(d.Request.Route)
	for _, g := range d.Goroutines {
		view := goroutineView{Name: "The handler"}
		if !g.Handler {
			view.Name = strconv.Itoa(g.Count) + " with its labels: started by this handler, or by an earlier one in the same slot"
		}
		for _, f := range g.Frames {
			view.Frames = append(view.Frames, frameView{f, app.has(f.Function)})
		}
		p.Goroutines = append(p.Goroutines, view)
	}
	return p
}

// orNone returns the route, or a text if it is unknown.
func orNone(route string) string {
	if route == "" {
		return "(no route)"
	}
	return route
}

// outcomesOf returns the outcomes of a route that are not zero, in the order of
// outcomes.
func outcomesOf(r *route) (all []named) {
	for _, o := range outcomes {
		if n := r.Outcomes[o]; n > 0 {
			all = append(all, named{string(o), class(o), n})
		}
	}
	return slices.Clip(all)
}
