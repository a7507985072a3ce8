package logging

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"

	"github.com/bulwark-go/bulwark/internal/exchange"
)

// maxAdded is how many bytes the application may add to a line.
const maxAdded = 8 << 10

// find returns the line of the request that ctx belongs to, nil where there is
// none. Also through an exchange that a buffering middleware made necessary:
// it is the same request.
func find(ctx context.Context) *line {
	for x := exchange.From(ctx); x != nil; x = exchange.From(x.Parent()) {
		for _, o := range x.Observers() {
			if l, ok := o.(*line); ok {
				return l
			}
		}
	}
	return nil
}

// Add puts attributes onto the line of the request that ctx belongs to. It is
// safe from any goroutine, and does nothing without a request. The values are
// read before it returns, so that the caller may go on changing what they point
// to; strings are capped and cleaned like everything else in the line.
//
// After the line is written attributes go to the note that ends a handler which
// outlived its request, and where there is no such handler they are lost. The
// keys of the line's own attributes are left out, with three exceptions, as
// strings: a trace_id and span_id replace those of the traceparent, and an
// http.route is the route, also in [Record], where a middleware hands the router
// a request of its own (that of WithContext, say) and so keeps it from New.
func Add(ctx context.Context, attrs ...slog.Attr) {
	l := find(ctx)
	if l == nil {
		return
	}
	for _, a := range attrs {
		if l.reroute(a) || l.retrace(a) || l.quiet {
			continue
		}
		l.add(l.settle(a))
	}
}

// retrace takes the ids of a span that a tracing library has made: it is nearer
// to what the handler logs than the caller's, which the traceparent names.
func (l *line) retrace(a slog.Attr) bool {
	if a.Value.Kind() != slog.KindString || a.Key != "trace_id" && a.Key != "span_id" {
		return false
	}
	v := clean(a.Value.String())
	l.mu.Lock()
	defer l.mu.Unlock()
	if a.Key == "trace_id" {
		l.trace.id = v
	} else {
		l.trace.span = v
	}
	l.child = nil
	return true
}

func (l *line) reroute(a slog.Attr) bool {
	if a.Value.Kind() != slog.KindString || a.Key != "http.route" {
		return false
	}
	l.x.SawRoute(clean(a.Value.String()))
	return true
}

func (l *line) add(a slog.Attr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := size(a); n <= int(l.space) {
		l.space -= int32(n)
		l.added = append(l.added, a)
		return
	}
	l.dropped++
}

// close ends the time of adding to one record, and returns what was added.
func (l *line) close() (added []slog.Attr, dropped int, tr trace) {
	l.mu.Lock()
	defer l.mu.Unlock()
	added, dropped = l.added, int(l.dropped)
	l.added, l.dropped, l.space = nil, 0, maxAdded
	return added, dropped, l.trace
}

func (l *line) tracing() trace {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.trace
}

// settle makes of an attribute one that does not change any more and is
// harmless to write.
func (l *line) settle(a slog.Attr) slog.Attr {
	v := a.Value.Resolve()
	a.Key = cleanTo(a.Key, maxID, false)
	switch v.Kind() {
	case slog.KindString:
		v = slog.StringValue(clean(v.String()))
	case slog.KindGroup:
		group := make([]slog.Attr, 0, len(v.Group()))
		for _, g := range v.Group() {
			group = append(group, l.settle(g))
		}
		v = slog.GroupValue(group...)
	case slog.KindAny:
		v = l.settleAny(v.Any())
	}
	return slog.Attr{Key: a.Key, Value: v}
}

func (l *line) settleAny(v any) slog.Value {
	if err, ok := v.(error); ok {
		return slog.StringValue(clean(errorText(err, &l.settings.query)))
	}
	if b, ok := marshal(v); ok && len(b) <= maxValue && printable(string(b)) {
		return slog.AnyValue(json.RawMessage(b))
	}
	return slog.StringValue(clean(fmt.Sprintf("%+v", v)))
}

// marshal survives what MarshalJSON methods do.
func marshal(v any) (b []byte, ok bool) {
	defer func() { ok = recover() == nil && ok }()
	b, err := json.Marshal(v)
	return b, err == nil
}

// size is what an attribute takes in a line at most.
func size(a slog.Attr) int {
	const quotes, number = 8, 32
	n := len(a.Key) + quotes
	switch v := a.Value; v.Kind() {
	case slog.KindString:
		return n + cost(v.String())
	case slog.KindGroup:
		for _, g := range v.Group() {
			n += size(g)
		}
		return n
	case slog.KindAny:
		if raw, ok := v.Any().(json.RawMessage); ok {
			return n + len(raw)
		}
		return n
	default:
		return n + number
	}
}

// RequestID is the id of the request that ctx belongs to, "" without one.
func RequestID(ctx context.Context) string {
	if l := find(ctx); l != nil {
		return l.id[0]
	}
	return ""
}

// Logger returns the line's logger with the request's request_id, trace_id and
// span_id, and slog.Default() without a request. The names are those of the
// Schema.
func Logger(ctx context.Context) *slog.Logger {
	l := find(ctx)
	if l == nil {
		return slog.Default()
	}
	l.mu.Lock()
	tr, logger := l.trace, l.child
	l.mu.Unlock()
	if logger == nil { // WithAttrs is somebody's code, so not under the lock
		logger = slog.New(l.log.Handler().WithAttrs(l.ids(nil, l.id[0], tr)))
		l.mu.Lock()
		if l.trace == tr {
			l.child = logger
		}
		l.mu.Unlock()
	}
	return logger
}
