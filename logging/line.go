package logging

import (
	"context"
	"log/slog"
	"math"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	"github.com/bulwark-go/bulwark/internal/exchange"
)

// line is the one line of a request. What it needs of the request it takes
// before the handler runs: at a deadline it is written while the handler still
// has the request in its hands. It is never pooled, for slog handlers, the
// application and a handler left behind may all hold on to it.
type line struct {
	*settings
	x   *exchange.Exchange
	log *slog.Logger
	id  [1]string // the value of the response's header

	path, query, agent string
	client             string
	asked              *http.Request // for what no handler can change
	rare               *rare
	quiet              bool        // nothing that is found out would be used
	sent               []slog.Attr // the headers of the response that may be logged

	mu      sync.Mutex
	dropped int32 // attributes that found no space
	space   int32 // bytes left for added
	trace   trace
	added   []slog.Attr
	child   *slog.Logger // what Logger returns
}

// rare is what most requests do not have.
type rare struct {
	upstream string // the request id that was not taken
	peer     string // where the client is not the peer
	parent   string // the traceparent the request came with
	state    []string
	headers  []slog.Attr // those of the request that may be logged
}

// nothing is the rare of most requests.
var nothing rare

// more is l.rare to be written to.
func (l *line) more() *rare {
	if l.rare == &nothing {
		l.rare = new(rare)
	}
	return l.rare
}

// capture takes from the request what the line will say of it.
func (l *line) capture(r *http.Request) {
	l.log, l.rare, l.space = l.settings.logger(), &nothing, maxAdded
	l.asked = l.x.Original()
	l.path, l.query = r.URL.Path, r.URL.RawQuery
	if v := r.Header["User-Agent"]; len(v) > 0 {
		l.agent = v[0]
	}
	l.identify(r.Header)
	if v := r.Header["Traceparent"]; len(v) == 1 {
		if t, ok := parseTraceparent(v[0]); ok {
			m := l.more()
			l.trace, m.parent, m.state = t, v[0], r.Header["Tracestate"]
		}
	}
	if l.quiet = l.OnRecord == nil && !l.log.Enabled(r.Context(), loudest); l.quiet {
		return
	}
	client, peer := l.clientAddress(l.asked.RemoteAddr, r.Header)
	if l.client = client; peer != "" {
		l.more().peer = peer
	}
	if len(l.requestHeaders) > 0 {
		l.more().headers = l.pick(nil, l.requestHeaders, r.Header)
	}
	if len(l.responseHeaders) > 0 {
		l.x.OnCommit(l.committed)
	}
}

// loudest is a level above which there is none: a logger that is off there has
// been switched off.
const loudest = slog.Level(math.MaxInt)

// identify takes the request's id from its header, or makes one.
func (l *line) identify(h http.Header) {
	v := h[l.RequestIDHeader]
	if len(v) == 1 && cleanID(v[0]) {
		l.id[0] = v[0]
		return
	}
	l.id[0] = exchange.NewID(l.x.Start())
	if len(v) > 0 {
		l.more().upstream = v[0]
	}
}

// protocol is the version as OpenTelemetry writes it.
func protocol(major, minor int) string {
	switch {
	case major == 1 && minor == 1:
		return "1.1"
	case major == 1:
		return "1.0"
	case major == 2:
		return "2"
	case major == 3:
		return "3"
	}
	return ""
}

// ID implements exchange.Observer.
func (l *line) ID() string { return l.id[0] }

// Ended writes the line. It implements exchange.Observer.
func (l *line) Ended(x *exchange.Exchange, ending exchange.Ending) {
	e := &ending
	added, dropped, tr := l.close()
	if l.quiet {
		return
	}
	if e.Panic != nil && e.Stack == nil && e.Unanswered {
		e.Stack = debug.Stack() // the panic is still on its way, and its frames below us
	}
	rec := l.record(x, e, tr)
	ctx := (*lineContext)(l)
	l.observe(ctx, rec)
	level := l.level(rec)
	if !l.log.Enabled(ctx, level) {
		return
	}
	share, keep := l.sampled(&rec)
	if !keep {
		return
	}
	m := meter{left: maxLine - reserved, dropped: dropped}
	var room [24]slog.Attr
	attrs := l.attrs(room[:0], &m, e, &rec, tr)
	if share < 1 {
		attrs = append(attrs, slog.Float64("sample_rate", share))
	}
	attrs = m.addAll(attrs, added)
	l.write(ctx, level, "http request", rec.Start.Add(rec.Duration), attrs)
}

// Late notes the end of a handler that outlived its request: a second record,
// with what was added in the meantime.
func (l *line) Late(x *exchange.Exchange, panicked any, stack []byte) {
	if l.quiet {
		return
	}
	added, dropped, tr := l.close()
	level, outcome := slog.LevelWarn, OK
	if panicked != nil {
		level, outcome = slog.LevelError, Panic
		if panicked == http.ErrAbortHandler { //nolint:errorlint // as net/http compares it
			level, outcome = slog.LevelWarn, Aborted
		}
	}
	ctx := (*lineContext)(l)
	if !l.log.Enabled(ctx, level) {
		return
	}
	now := time.Now()
	m := meter{left: maxLine - reserved, dropped: dropped}
	attrs := l.late(&m, outcome, now.Sub(x.Start()), tr)
	if outcome == Panic {
		attrs = m.panicked(attrs, l.names, &l.settings.query, panicked, stack)
	}
	attrs = m.addAll(attrs, added)
	l.write(ctx, level, "http handler ended late", now, attrs)
}

// write hands a record to the handler. Without a program counter: the line's
// place in the source is always this one.
func (l *line) write(ctx context.Context, level slog.Level, msg string, t time.Time, attrs []slog.Attr) {
	defer l.survive("the slog handler")
	rec := slog.NewRecord(t, level, msg, 0)
	rec.AddAttrs(attrs...)
	_ = l.log.Handler().Handle(ctx, rec) // as slog.Logger: nobody is left to tell
}

// survive keeps a panic of somebody's hook from ending the request, or on the
// timer's goroutine the process. To be deferred.
func (l *line) survive(what string) {
	if v := recover(); v != nil {
		l.x.Logf("bulwark: logging: %s panicked: %v\n%s", what, v, debug.Stack())
	}
}

func (l *line) observe(ctx context.Context, rec Record) {
	if l.OnRecord != nil {
		defer l.survive("OnRecord")
		l.OnRecord(ctx, rec)
	}
}

func (l *line) level(rec Record) (level slog.Level) {
	level = defaultLevel(rec)
	if l.Level != nil {
		defer l.survive("Level")
		return l.Level(rec)
	}
	return l.mapped(rec, level)
}

// mapped is the level that the mapping of the error asks for, where the error
// is what the line is about.
func (l *line) mapped(rec Record, level slog.Level) slog.Level {
	switch rec.Outcome {
	case OK, Error, Refused:
		if m := l.x.Level(); m != nil {
			return m.Level()
		}
	}
	return level
}

// lineContext is the context that goes with the records: the request's values
// without its end, since handlers may refuse a context that has ended.
type lineContext line

func (c *lineContext) Deadline() (time.Time, bool) { return time.Time{}, false }
func (c *lineContext) Done() <-chan struct{}       { return nil }
func (c *lineContext) Err() error                  { return nil }
func (c *lineContext) Value(key any) any           { return c.x.Value(key) }
