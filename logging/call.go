package logging

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bulwark-go/bulwark/internal/exchange"
)

// call is one outbound request. It implements roundtrip.Call. It has no reference
// to the response's body, so the body can be garbage collected while the call waits
// for its end.
type call struct {
	*settings
	ctx      context.Context
	canceled <-chan struct{} // Request.Cancel
	log      *slog.Logger
	within   *requestLog // the request that the call is made for, or nil

	method, path, url, scheme, host, proto string
	port, status                           int
	length                                 int64 // declared, -1 if unknown
	tunnel                                 bool  // the body is a connection
	start                                  time.Time
	ttfb                                   time.Duration
	sent, received                         atomic.Int64
	knownLength                            int64       // the length of a body that is not counted, because net/http sends it at once
	sendFailed                             atomic.Bool // the last attempt to send that body failed

	ended atomic.Bool // the record has been or is being written
	mu    sync.Mutex
	stop  func() bool // stops watching the context
}

// errNotClosed is the cause if the response's body was garbage collected unclosed.
var errNotClosed = errors.New("logging: the response body was never closed")

// errNotRead is the cause if the context ended while the response's body was open.
var errNotRead = errors.New("logging: the context ended before the response body was read or closed")

// onContext stores the function that stops watching the context. The call may
// have ended already.
func (c *call) onContext(stop func() bool) {
	c.mu.Lock()
	c.stop = stop
	c.mu.Unlock()
	if c.ended.Load() {
		stop()
	}
}

// contextEnded ends a call whose body is still open: no more can be read from it.
func (c *call) contextEnded() {
	err := context.Cause(c.ctx)
	if err == context.Canceled { //nolint:errorlint // without this, only the cause says that the body was not read
		err = errNotRead
	}
	c.end(err, false)
}

// end writes the record when it is first called. whole is true if the response was
// read to its end. No lock may be held, because hooks run here.
func (c *call) end(err error, whole bool) {
	if !c.ended.CompareAndSwap(false, true) {
		return
	}
	c.mu.Lock()
	stop := c.stop
	c.mu.Unlock()
	if stop != nil {
		stop()
	}
	c.write(c.record(err, whole))
}

func (c *call) record(err error, whole bool) Record {
	r := c.startRecord()
	r.Status, r.Cause, r.Proto = c.status, err, c.proto
	r.BytesIn, r.BytesOut = c.received.Load(), c.sent.Load()
	r.TTFB, r.Duration = c.ttfb, time.Since(c.start)
	r.Outcome = OutcomeError
	c.contain("a method of an error", func() { r.Outcome = c.classify(err, whole) })
	return r
}

// startRecord returns a Record with what is known before the call is made.
func (c *call) startRecord() Record {
	r := Record{
		Method: c.method, Path: clean(c.path), Start: c.start,
		Scheme: c.scheme, Server: clean(c.host), Port: c.port,
	}
	if !c.knows(r.Method) {
		r.Method = otherMethod
	}
	if c.within != nil {
		tr := c.within.tracing()
		r.RequestID, r.TraceID, r.SpanID, r.TraceSampled = c.within.ID(), tr.id, tr.span, tr.sampled
	}
	return r
}

// classify returns how a call ended.
func (c *call) classify(err error, whole bool) Outcome {
	var ne net.Error
	switch {
	case errors.Is(err, exchange.ErrClientGone), errors.Is(context.Cause(c.ctx), exchange.ErrClientGone) && err != nil:
		return OutcomeClientGone
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded),
		errors.As(err, &ne) && ne.Timeout(), err != nil && c.pastDeadline():
		return OutcomeDeadline
	case errors.Is(err, context.Canceled), errors.Is(err, errNotClosed), errors.Is(err, errNotRead),
		err != nil && c.wasCanceled():
		return OutcomeAborted
	case errors.Is(err, io.ErrUnexpectedEOF):
		return OutcomeShortBody
	case err != nil, c.status >= 500:
		return OutcomeError
	case c.tunnel:
		return OutcomeUpgraded
	case !whole:
		return OutcomeAborted
	}
	return OutcomeOK
}

// pastDeadline reports whether the deadline of the request has passed.
// http.Client.Timeout sets a deadline in the context and also closes
// Request.Cancel. So the error may say only that the request was canceled.
// http.Client treats every error after its deadline as a timeout.
func (c *call) pastDeadline() bool {
	at, ok := c.ctx.Deadline()
	return ok && !time.Now().Before(at)
}

func (c *call) wasCanceled() bool {
	select {
	case <-c.canceled:
		return true
	default:
		return false
	}
}

// callLevel is the default TransportConfig.Level.
func callLevel(r Record) slog.Level {
	switch r.Outcome {
	case OutcomeError, OutcomeDeadline, OutcomeShortBody:
		return slog.LevelError
	}
	if errors.Is(r.Cause, errNotClosed) {
		return slog.LevelWarn
	}
	return slog.LevelInfo
}

// write calls the hooks and the slog handler, on the caller's goroutine or on one
// that this package started. If one of them panics, only its result is lost.
func (c *call) write(rec Record) {
	ctx := context.WithoutCancel(c.ctx)
	if c.OnRecord != nil {
		c.contain("OnRecord", func() { c.OnRecord(ctx, rec) })
	}
	level := callLevel(rec)
	if c.Level != nil {
		c.contain("Level", func() { level = c.Level(rec) })
	}
	c.contain("the slog handler", func() {
		if !c.log.Enabled(ctx, level) {
			return
		}
		r := slog.NewRecord(c.start.Add(rec.Duration), level, "http client request", 0)
		m := budget{left: maxRecord - reserved}
		r.AddAttrs(c.attrs(&m, &rec)...)
		_ = c.log.Handler().Handle(ctx, r)
	})
}

// contain calls the application's code. A panic is recovered, and its text is
// reported; see panicText. If the report panics as well, that panic is dropped.
func (s *settings) contain(what string, f func()) {
	defer func() {
		if v := recover(); v != nil {
			defer func() { _ = recover() }()
			slog.Error("bulwark: logging: panic", slog.String("in", what),
				slog.String("panic", s.panicText(v)), slog.String("stack", string(debug.Stack())))
		}
	}()
	f()
}

func (c *call) attrs(m *budget, rec *Record) []slog.Attr {
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
	if rec.Outcome != OutcomeOK && rec.Outcome != OutcomeUpgraded {
		attrs = append(attrs, slog.String(n.errType, errorType(rec.Cause, nil, rec)))
	}
	if rec.Cause != nil {
		attrs = m.string(attrs, n.errMessage, errorText(rec.Cause, &c.query))
	}
	return m.addAll(attrs, nil, n)
}
