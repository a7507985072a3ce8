package logging

import (
	"context"
	"encoding/json"
	"log/slog"

	"github.com/bulwark-go/bulwark/internal/exchange"
)

// maxAdded is how many bytes the application may add to a log record.
const maxAdded = 8 << 10

// fromContext returns the requestLog of the request that ctx belongs to, or nil. If
// middleware buffers the response, a request has a second exchange inside it, so
// the outer exchanges are searched, too.
func fromContext(ctx context.Context) *requestLog {
	for x := exchange.From(ctx); x != nil; x = x.Outer() {
		for _, o := range x.Observers() {
			if l, ok := o.(*requestLog); ok {
				return l
			}
		}
	}
	return nil
}

// Add adds attributes to the log record of the request that ctx belongs to. It is
// safe for concurrent use, and does nothing if ctx belongs to no request. Values
// are read before Add returns. The caller may change them afterwards.
//
// Strings are shortened and escaped like everything else in the log record. Other
// values are encoded by encoding/json. A note replaces a value that cannot be
// encoded, is too large, or is a request, a response or a context. In an
// http.Header, the values of headers that are not listed in Config are REDACTED.
// URLs are redacted, also inside errors and strings.
//
// Names are unique. A later attribute replaces an earlier one with the same name,
// groups with the same name are merged, and the members of a group without a name
// are added by themselves. An attribute is left out and counted in
// dropped_attributes if its name is one that the log record or slog (time, level,
// msg, source) uses. There are exceptions for strings: trace_id and span_id replace
// those of the traceparent unless they are all zeros; trace_flags ("01" if the
// trace is recorded) replaces its flags; and http.route sets the route, also in
// [Record]. Set http.route if your middleware gives the router a copy of the
// request (with WithContext, for example), because New cannot see the route there.
//
// If attributes are added after the log record was written, they are in the second
// record, which is written when an abandoned handler returns. If the handler was
// not abandoned, they are lost.
func Add(ctx context.Context, attrs ...slog.Attr) {
	l := fromContext(ctx)
	if l == nil {
		return
	}
	f := l.freezer()
	var room [8]slog.Attr
	frozen := room[:0]
	for _, a := range attrs {
		frozen = f.attr(frozen, a, 0)
	}
	tr := spanIDs{}
	for _, a := range frozen {
		if !l.setRoute(a) && !tr.take(a) && !l.disabled {
			l.add(a)
		}
	}
	l.setTrace(tr)
	if f.dropped > 0 {
		l.mu.Lock()
		l.dropped += int32(f.dropped)
		l.mu.Unlock()
	}
}

// spanIDs identify a span that a tracing library has started. The handler's log
// records belong to that span, not to the caller's span in the traceparent.
type spanIDs struct{ id, span, flags string }

func (t *spanIDs) take(a slog.Attr) bool {
	if a.Value.Kind() != slog.KindString {
		return false
	}
	switch a.Key {
	case "trace_id":
		t.id = a.Value.String()
	case "span_id":
		t.span = a.Value.String()
	case "trace_flags":
		t.flags = a.Value.String()
	default:
		return false
	}
	return true
}

// setTrace replaces the ids. Ids of zeros are ignored: a tracing library that is
// switched off sets them.
func (l *requestLog) setTrace(t spanIDs) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !zeros(t.id) && t.id != l.trace.id {
		l.trace.id, l.child = t.id, nil
		if !l.trace.local { // the caller's span is not part of the new trace
			l.trace.span = ""
		}
	}
	if !zeros(t.span) {
		l.trace.span, l.trace.local, l.child = t.span, true, nil
	}
	if len(t.flags) == flagsEnd-flagsAt && lowerHex(t.flags) {
		l.trace.sampled, l.child = hexDigit(t.flags[1])&1 != 0, nil
	}
}

func (l *requestLog) setRoute(a slog.Attr) bool {
	if a.Value.Kind() != slog.KindString || a.Key != "http.route" {
		return false
	}
	l.x.SetRoute(a.Value.String())
	return true
}

// add keeps an attribute if there is space for it. An attribute that replaces
// another takes only the difference, because the handler may add a count again and
// again.
func (l *requestLog) add(a slog.Attr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n, i := 0, named(l.added, a.Key)
	if i >= 0 {
		a, n = mergedWith(l.added[i], a), -size(l.added[i])
	}
	if n += size(a); n > int(l.space) {
		l.dropped++
		return
	}
	l.space -= int32(n)
	if i >= 0 {
		l.added[i] = a
	} else {
		l.added = append(l.added, a)
	}
}

// takeAdded returns what was added, and resets it for the next record.
func (l *requestLog) takeAdded() (added []slog.Attr, dropped int, tr trace) {
	l.mu.Lock()
	defer l.mu.Unlock()
	added, dropped = l.added, int(l.dropped)
	l.added, l.dropped, l.space = nil, 0, maxAdded
	return added, dropped, l.trace
}

func (l *requestLog) tracing() trace {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.trace
}

// size returns the maximum number of bytes of an attribute in a log record.
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
			return n + cost(string(raw))
		}
		return n
	default:
		return n + number
	}
}

// RequestID returns the id of the request that ctx belongs to, or "" if ctx belongs
// to no request.
func RequestID(ctx context.Context) string {
	if l := fromContext(ctx); l != nil {
		return l.idHeader.Value
	}
	return ""
}

// Logger returns the logger of Config with the request_id, trace_id and span_id of
// the request. The attributes have the names that the Schema gives them. It returns
// slog.Default() if ctx belongs to no request.
func Logger(ctx context.Context) *slog.Logger {
	l := fromContext(ctx)
	if l == nil {
		return slog.Default()
	}
	l.mu.Lock()
	tr, logger := l.trace, l.child
	l.mu.Unlock()
	if logger == nil { // WithAttrs is the application's code, so it is called without the lock
		logger = l.withIDs(tr)
		l.mu.Lock()
		if l.trace == tr {
			l.child = logger
		}
		l.mu.Unlock()
	}
	return logger
}

// withIDs returns the logger with the ids, or without them if its handler panics.
func (l *requestLog) withIDs(tr trace) (logger *slog.Logger) {
	logger = l.log //nolint:wastedassign // the result if the handler panics
	defer l.reportPanic("the slog handler's WithAttrs")
	return slog.New(l.log.Handler().WithAttrs(l.ids(nil, l.idHeader.Value, tr)))
}
