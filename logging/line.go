package logging

import (
	"context"
	"log/slog"
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
	x    *exchange.Exchange
	echo [1]string // the value of the response's header
	log  *slog.Logger

	method, path, query string
	host, remote, agent string
	proto               string
	client, peer        string // peer only where it differs from client
	id, upstream        string
	tls                 bool
	quiet               bool   // nothing that is found out would be used
	parent              string // the traceparent the request came with
	state               []string
	headers             []slog.Attr // those of the request that may be logged

	mu      sync.Mutex
	trace   trace
	added   []slog.Attr
	space   int          // bytes left for added
	dropped int          // attributes that found no space
	child   *slog.Logger // what Logger returns
}

// capture takes from the request what the line will say of it.
func (l *line) capture(r *http.Request) {
	l.log = l.settings.logger()
	l.space = maxAdded
	l.method, l.path, l.query = r.Method, r.URL.Path, r.URL.RawQuery
	l.host, l.remote, l.tls = r.Host, r.RemoteAddr, r.TLS != nil
	l.agent, l.proto = r.UserAgent(), protocol(r)
	l.identify(r.Header)
	if v := r.Header["Traceparent"]; len(v) == 1 {
		var ok bool
		if l.trace, ok = parseTraceparent(v[0]); ok {
			l.parent, l.state = v[0], r.Header["Tracestate"]
		}
	}
	if l.quiet = l.OnRecord == nil && !l.log.Enabled(r.Context(), l.loudest); l.quiet {
		return
	}
	l.client, l.peer = l.clientAddress(r)
	l.headers = l.pick(nil, l.requestHeaders, r.Header)
}

// identify takes the request's id from its header, or makes one.
func (l *line) identify(h http.Header) {
	v := h[l.RequestIDHeader]
	if len(v) == 1 && cleanID(v[0]) {
		l.id = v[0]
	} else {
		l.id = newID(l.x.Start())
		if len(v) > 0 {
			l.upstream = v[0]
		}
	}
	l.echo[0] = l.id
}

// protocol is the version as OpenTelemetry writes it.
func protocol(r *http.Request) string {
	switch {
	case r.ProtoMajor == 1 && r.ProtoMinor == 1:
		return "1.1"
	case r.ProtoMajor == 1:
		return "1.0"
	case r.ProtoMajor == 2:
		return "2"
	case r.ProtoMajor == 3:
		return "3"
	}
	return ""
}

// Ended writes the line. It implements exchange.Observer.
func (l *line) Ended(x *exchange.Exchange, e *exchange.Ending) {
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
		level = l.Level(rec)
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
