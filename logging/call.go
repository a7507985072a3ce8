package logging

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bulwark-go/bulwark/internal/exchange"
)

// call is one outbound request on its way. It does not know the body's wrapper,
// so that this can be collected when everybody forgot it.
type call struct {
	*settings
	ctx    context.Context //nolint:containedctx // it lives as long as the body
	log    *slog.Logger
	within *line // of the request that the call is made for

	method, path, url, host, proto string
	port, status                   int
	length                         int64 // declared, -1 where unknown
	start                          time.Time
	ttfb                           time.Duration
	sent, received                 atomic.Int64

	once sync.Once
	mu   sync.Mutex
	stop func() bool // ends the watch of the context
	over bool
}

// errNotClosed is the cause of a call whose body nobody closed.
var errNotClosed = errors.New("the response body was never closed")

// errNotRead is the cause of a call whose body was still open when its context
// ended.
var errNotRead = errors.New("the context ended before the response body was read or closed")

// onContext keeps the function that ends the watch of the context; the call may
// have ended before.
func (c *call) onContext(stop func() bool) {
	c.mu.Lock()
	c.stop = stop
	over := c.over
	c.mu.Unlock()
	if over {
		stop()
	}
}

// contextEnded ends a call whose body is still open: nothing more will come
// through it.
func (c *call) contextEnded() {
	err := context.Cause(c.ctx)
	if err == context.Canceled { //nolint:errorlint // a cancellation that says nothing of itself
		err = errNotRead
	}
	c.end(err, false)
}

// forgotten is the cleanup of the body.
func (c *call) forgotten() { c.end(errNotClosed, false) }

// end writes the line, on the first call. whole tells that the response was
// seen to its end.
func (c *call) end(err error, whole bool) {
	c.once.Do(func() {
		c.mu.Lock()
		c.over = true
		stop := c.stop
		c.mu.Unlock()
		if stop != nil {
			stop()
		}
		c.write(c.record(err, whole))
	})
}

func (c *call) record(err error, whole bool) Record {
	r := Record{
		Method: c.method, Path: clean(c.path), Status: c.status, Cause: err,
		BytesIn: c.received.Load(), BytesOut: c.sent.Load(),
		Start: c.start, TTFB: c.ttfb, Duration: time.Since(c.start), Proto: c.proto,
	}
	r.Outcome = c.classify(err, whole)
	if !knownMethod(r.Method) {
		r.Method = otherMethod
	}
	if c.within != nil {
		tr := c.within.tracing()
		r.RequestID, r.TraceID, r.SpanID = c.within.id[0], tr.id, tr.span
	}
	return r
}

// classify says how a call ended.
func (c *call) classify(err error, whole bool) Outcome {
	var ne net.Error
	switch {
	case errors.Is(err, exchange.ErrClientGone), errors.Is(context.Cause(c.ctx), exchange.ErrClientGone) && err != nil:
		return ClientGone
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded),
		errors.As(err, &ne) && ne.Timeout():
		return Deadline
	case errors.Is(err, context.Canceled), errors.Is(err, errNotClosed), errors.Is(err, errNotRead):
		return Aborted
	case errors.Is(err, io.ErrUnexpectedEOF):
		return ShortBody
	case err != nil, c.status >= 500:
		return Error
	case c.status == http.StatusSwitchingProtocols:
		return Upgraded
	case !whole:
		return Aborted
	}
	return OK
}

// callLevel is the default of TransportConfig.Level.
func callLevel(r Record) slog.Level {
	switch r.Outcome {
	case Error, Deadline, ShortBody:
		return slog.LevelError
	}
	if errors.Is(r.Cause, errNotClosed) {
		return slog.LevelWarn
	}
	return slog.LevelInfo
}

// write hands the line on. The hooks run in the caller's goroutine, in that of
// a timer or of the garbage collector: what they panic with is reported and
// goes no further.
func (c *call) write(rec Record) {
	defer func() {
		if v := recover(); v != nil {
			slog.Error("bulwark: logging: a hook panicked", slog.Any("panic", v), slog.String("stack", string(debug.Stack())))
		}
	}()
	ctx := context.WithoutCancel(c.ctx)
	if c.OnRecord != nil {
		c.OnRecord(ctx, rec)
	}
	level := callLevel
	if c.Level != nil {
		level = c.Level
	}
	l := level(rec)
	if !c.log.Enabled(ctx, l) {
		return
	}
	r := slog.NewRecord(c.start.Add(rec.Duration), l, "http client request", 0)
	m := meter{left: maxLine - reserved}
	r.AddAttrs(c.attrs(&m, &rec)...)
	_ = c.log.Handler().Handle(ctx, r)
}

func (c *call) attrs(m *meter, rec *Record) []slog.Attr {
	n := c.names
	attrs := []slog.Attr{slog.String(n.method, rec.Method)}
	attrs = m.string(attrs, n.url, c.url)
	attrs = m.string(attrs, n.server, c.host)
	attrs = append(attrs, slog.Int(n.port, c.port))
	if rec.Status != 0 {
		attrs = append(attrs, slog.Int(n.status, rec.Status))
	}
	attrs = append(attrs, slog.Int64(n.bytesIn, rec.BytesOut), slog.Int64(n.bytesOut, rec.BytesIn))
	if c.Schema == ECS {
		attrs = append(attrs, slog.Int64(n.duration, int64(rec.Duration)))
	} else {
		attrs = append(attrs, slog.Float64("http.client.request.duration", rec.Duration.Seconds()))
	}
	if rec.Status != 0 {
		attrs = append(attrs, slog.Float64("ttfb", rec.TTFB.Seconds()))
	}
	if rec.Proto != "" {
		attrs = append(attrs, slog.String(n.proto, rec.Proto))
	}
	attrs = append(attrs, slog.String("outcome", string(rec.Outcome)))
	if c.within != nil {
		ids := c.settings
		if c.within.Schema == c.Schema {
			ids = c.within.settings // for GCPProject
		}
		attrs = ids.ids(attrs, rec.RequestID, c.within.tracing())
	}
	if rec.Outcome != OK && rec.Outcome != Upgraded {
		attrs = append(attrs, slog.String(n.errType, errorType(rec.Cause, nil, rec)))
	}
	if rec.Cause != nil {
		attrs = m.string(attrs, n.errMessage, errorText(rec.Cause, &c.query))
	}
	return m.addAll(attrs, nil)
}
