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
	"github.com/bulwark-go/bulwark/internal/uuid"
)

// requestLog collects the log record of one request. It copies what it needs from
// the request before the handler runs, because at a deadline the record is written
// while the handler still uses the request. A requestLog is never pooled, because
// slog handlers, the application and an abandoned handler may keep a reference to
// it.
type requestLog struct {
	*settings
	x        *exchange.Exchange
	log      *slog.Logger
	idHeader exchange.IDHeader // the header of the response that has the request's id
	idValues [1]string         // the value of idHeader, which the handler may change

	path, query, agent string
	client             string
	original           *http.Request // only its fields that no handler can change are read
	more               *extras
	disabled           bool        // there is no hook, and no level is enabled
	plainPath          bool        // there is a hook, and clean would return path unchanged
	sent               []slog.Attr // the listed headers of the response, as sent
	last               [2]slog.Attr

	mu      sync.Mutex
	dropped int32 // attributes that did not fit
	space   int32 // how many more bytes may be added
	trace   trace
	added   []slog.Attr
	child   *slog.Logger // what Logger returns
}

// extras holds the values that most requests do not have.
type extras struct {
	upstream string // the request id that was replaced
	peer     string // the address of the other end of the connection, if that is not the client
	escaped  string // the escaped path, if it differs
	parent   string // the traceparent of the request
	state    []string
	headers  []slog.Attr // the listed headers of the request

	// The context of the request that New got, if middleware between New and the
	// start of the exchange has added values. Otherwise nil.
	ctx context.Context //nolint:containedctx // for its values
}

// extras returns the extras for reading.
func (l *requestLog) extras() extras {
	if l.more == nil {
		return extras{}
	}
	return *l.more
}

// ensureExtras returns the extras for writing.
func (l *requestLog) ensureExtras() *extras {
	if l.more == nil {
		l.more = new(extras)
	}
	return l.more
}

// capture copies what the log record says about the request.
func (l *requestLog) capture(r *http.Request) {
	l.log, l.space = l.settings.logger(), maxAdded
	l.original = l.x.Original()
	if ctx := r.Context(); ctx != context.Context(l.x) {
		l.ensureExtras().ctx = ctx
	}
	l.identify(r.Header)
	if v := r.Header["Traceparent"]; len(v) == 1 {
		if t, ok := parseTraceparent(v[0]); ok {
			m := l.ensureExtras()
			l.trace, m.parent, m.state = t, v[0], r.Header["Tracestate"]
		}
	}
	if l.disabled = l.OnRecord == nil && l.OnStart == nil && !l.enabled(r.Context(), levelOff); l.disabled {
		return
	}
	l.path, l.query = l.settings.query.scrubPath(r.URL.Path), r.URL.RawQuery
	l.plainPath = l.hooks && len(l.path) <= maxValue && plain(l.path)
	if l.Schema == GCP {
		if escaped := r.URL.EscapedPath(); escaped != r.URL.Path {
			l.ensureExtras().escaped = l.settings.query.scrubPath(escaped)
		}
	}
	if v := r.Header["User-Agent"]; len(v) > 0 {
		l.agent = v[0]
	}
	client, peer := l.clients.Text(l.original)
	if l.client = client; peer != "" {
		l.ensureExtras().peer = peer
	}
	if len(l.requestHeaders) > 0 {
		l.ensureExtras().headers = l.pick(nil, l.requestHeaders, r.Header, r)
	}
	if len(l.responseHeaders) > 0 {
		l.x.Response().OnCommit(l.committed)
	}
}

// levelOff is above all other levels. A logger that is not enabled for levelOff
// logs nothing, such as one with slog.DiscardHandler.
const levelOff = slog.Level(math.MaxInt)

// identify takes the request's id from its header, or makes one.
func (l *requestLog) identify(h http.Header) {
	l.idHeader.Key = l.RequestIDHeader
	v := h[l.RequestIDHeader]
	if len(v) == 1 && validID(v[0]) {
		l.idHeader.Value = v[0]
	} else {
		l.idHeader.Value = uuid.New(l.x.Start())
		if len(v) > 0 {
			l.ensureExtras().upstream = v[0]
		}
	}
	l.idValues[0] = l.idHeader.Value
}

// protocol returns the version as OpenTelemetry writes it.
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
func (l *requestLog) ID() string { return l.idHeader.Value }

// Ended writes the log record. It implements exchange.Observer.
func (l *requestLog) Ended(x *exchange.Exchange, ending exchange.Ending) {
	e := &ending
	added, dropped, tr := l.takeAdded()
	if l.disabled {
		return
	}
	if e.Panic != nil && e.Stack == nil && e.Unanswered {
		e.Stack = debug.Stack() // the panic is still unwinding, so the stack contains its frames
	}
	if x.EndedEarly() {
		apart := ending // a copy, because ending should stay on the goroutine's stack
		l.endedEarly(x, &apart, added, dropped, tr)
		return
	}
	rec := l.record(x, e, tr)
	ctx := (*logContext)(l)
	l.observe(ctx, &rec)
	level := l.level(&rec)
	if !l.enabled(ctx, level) {
		return
	}
	share, keep := l.sampled(&rec)
	if !keep {
		return
	}
	m := budget{left: maxRecord - reserved, dropped: dropped}
	var room [16]slog.Attr
	h, attrs := l.assemble(room[:0], &m, e, &rec, tr, share)
	attrs = m.addAll(attrs, added, l.names)
	if h != l.log.Handler() {
		attrs = l.groupLast(attrs)
	}
	l.write(ctx, h, level, "http request", rec.Start.Add(rec.Duration), attrs)
}

// assemble chooses the handler and appends all attributes but the application's.
func (l *requestLog) assemble(attrs []slog.Attr, m *budget, e *exchange.Ending, rec *Record, tr trace, share float64) (slog.Handler, []slog.Attr) {
	h, attrs := l.chooseHandler(attrs, m, rec)
	attrs = l.attrs(attrs, m, e, rec, tr)
	if share < 1 {
		attrs = append(attrs, slog.Float64("sample_rate", share))
	}
	return h, attrs
}

// Late writes a second log record when an abandoned handler returns, with the
// attributes that were added in the meantime. It implements exchange.Observer.
func (l *requestLog) Late(x *exchange.Exchange, panicked any, stack []byte) {
	if l.disabled {
		return
	}
	added, dropped, tr := l.takeAdded()
	level, outcome := slog.LevelWarn, OutcomeOK
	if panicked != nil {
		level, outcome = slog.LevelError, OutcomePanic
		if panicked == http.ErrAbortHandler { //nolint:errorlint // as net/http compares it
			level, outcome = slog.LevelWarn, OutcomeAborted
		}
	}
	ctx := (*logContext)(l)
	if !l.enabled(ctx, level) {
		return
	}
	now := time.Now()
	m := budget{left: maxRecord - reserved, dropped: dropped}
	attrs := l.lateAttrs(&m, outcome, now.Sub(x.Start()), tr)
	if outcome == OutcomePanic {
		attrs = m.panicked(attrs, l.settings, panicked, stack)
	}
	attrs = m.addAll(attrs, added, l.names)
	l.write(ctx, l.log.Handler(), level, "http handler ended late", now, attrs)
}

// logContext is the context for hooks and the slog handler. It has the values of
// the request's context and never ends, because a slog handler may reject a context
// that has ended.
type logContext requestLog

func (c *logContext) Deadline() (time.Time, bool) { return time.Time{}, false }
func (c *logContext) Done() <-chan struct{}       { return nil }
func (c *logContext) Err() error                  { return nil }

func (c *logContext) Value(key any) any {
	if c.more != nil && c.more.ctx != nil {
		return c.more.ctx.Value(key)
	}
	return c.x.Value(key)
}

// String hides the request, because contexts get printed.
func (c *logContext) String() string { return "logging.Context" }
