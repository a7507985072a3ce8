package inspect

import (
	"cmp"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/bulwark-go/bulwark/internal/exchange"
)

// request is a request in flight.
type request struct {
	Key string `json:"key"`
	described

	Start     time.Time         `json:"start"`
	Age       float64           `json:"age"`
	Activity  exchange.Activity `json:"activity"`
	Abandoned bool              `json:"abandoned"`
	Begun     bool              `json:"response_begun"`
	BytesIn   int64             `json:"bytes_in"`
	BytesOut  int64             `json:"bytes_out"`
	Left      *float64          `json:"left"` // nil if there is no deadline
}

// described has the values that the log record has for a request.
type described struct {
	ID       string `json:"id"`
	Method   string `json:"method"`
	Route    string `json:"route"`
	Path     string `json:"path"`
	Client   string `json:"client"`
	Agent    string `json:"user_agent"`
	Protocol string `json:"protocol"`
}

// describe returns what the log record says about the request. If there is no log
// record, it returns nothing that the client has sent.
func describe(x *exchange.Exchange, pattern string) described {
	if d := x.Inspection().Describer(); d != nil {
		return described(d.Describe(pattern))
	}
	if i := strings.IndexAny(pattern, " \t/"); i >= 0 && pattern[i] != '/' { // the pattern begins with the method
		pattern = strings.TrimLeft(pattern[i:], " \t")
	}
	d := described{Method: "_OTHER", Route: pattern}
	switch m := x.Original().Method; m {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		d.Method = m
	}
	return d
}

// clone copies the strings, so they do not keep the memory of the request alive.
func (d described) clone() described {
	for _, s := range [...]*string{&d.ID, &d.Method, &d.Route, &d.Path, &d.Client, &d.Agent, &d.Protocol} {
		*s = strings.Clone(*s)
	}
	return d
}

// looked is a request in flight and what it was doing when we looked.
type looked struct {
	entry
	exchange.View
	pattern string
}

func look(e entry) *looked { return &looked{e, e.x.Inspection().View(), e.x.Inspection().RouteNow()} }

// left returns the time until the deadline. The time is negative if the deadline
// has passed.
func (l *looked) left(now time.Time) (d time.Duration, ok bool) {
	return l.Deadline.Sub(now), !l.Deadline.IsZero()
}

func (l *looked) request(now time.Time) request {
	r := request{
		Key: l.key(), described: describe(l.x, l.pattern),
		Start: l.x.Start(), Age: now.Sub(l.x.Start()).Seconds(),
		Activity: l.Activity, Abandoned: l.Abandoned, Begun: l.Begun, BytesIn: l.BytesIn, BytesOut: l.BytesOut,
	}
	if left, ok := l.left(now); ok {
		s := left.Seconds()
		r.Left = &s
	}
	return r
}

// key returns a name for the request that is valid while it is in flight.
func (e entry) key() string {
	return strconv.FormatUint(uint64(e.slot), 36) + "-" + strconv.FormatInt(e.x.Start().UnixNano(), 36)
}

// find returns the request in flight with the given key.
func (t *slots) find(key string) (e entry, ok bool) {
	slot, _, _ := strings.Cut(key, "-")
	n, err := strconv.ParseUint(slot, 36, 32)
	if err != nil || n >= uint64(t.size.Load()) {
		return e, false
	}
	e = entry{t.at(uint32(n)).x.Load(), uint32(n)}
	return e, e.x != nil && e.key() == key
}

// order compares requests for slices.SortFunc. The requests that an operator is
// most likely to look for come first.
type order func(now time.Time, a, b *looked) int

func byAge(_ time.Time, a, b *looked) int { return a.x.Start().Compare(b.x.Start()) }

// byLeft sorts requests without a deadline last.
func byLeft(now time.Time, a, b *looked) int {
	la, hasA := a.left(now)
	lb, hasB := b.left(now)
	switch {
	case hasA && hasB:
		return cmp.Compare(la, lb)
	case hasA:
		return -1
	case hasB:
		return 1
	}
	return 0
}

func byRoute(_ time.Time, a, b *looked) int { return strings.Compare(a.pattern, b.pattern) }

func byActivity(_ time.Time, a, b *looked) int {
	return strings.Compare(string(a.Activity), string(b.Activity))
}

func byBytes(_ time.Time, a, b *looked) int {
	return cmp.Compare(b.BytesIn+b.BytesOut, a.BytesIn+a.BytesOut)
}
