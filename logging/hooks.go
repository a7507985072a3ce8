package logging

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/bulwark-go/bulwark/internal/errtree"
)

// The hooks of Config and the slog handler with its ReplaceAttr are the
// application's code. If one panics, only its own result is lost. Some run on a
// goroutine, such as a timer's, on which a panic would end the process.

// reportPanic recovers a panic and reports it. It must be deferred.
func (l *requestLog) reportPanic(what string) {
	if v := recover(); v != nil {
		l.report(what, v)
	}
}

// report writes to the server's ErrorLog, which may panic as well.
func (l *requestLog) report(what string, panicked any) {
	defer func() { _ = recover() }()
	l.x.Logf("bulwark: logging: %s panicked: %s\n%s", what, l.panicText(panicked), debug.Stack())
}

// enabled returns true if the handler's Enabled panics.
func (l *requestLog) enabled(ctx context.Context, level slog.Level) (on bool) {
	on = true //nolint:wastedassign // the result if the handler panics
	defer l.reportPanic("the slog handler's Enabled")
	return l.log.Enabled(ctx, level)
}

// begin observes the exchange and calls OnStart, which may replace the ids through
// Add. The Record is made before another goroutine can find l and call Add, so the
// ids are read without the lock.
func (l *requestLog) begin() {
	if l.OnStart == nil {
		l.x.Observe(l)
		return
	}
	rec := Record{Start: l.x.Start()}
	l.setRequest(&rec, l.trace)
	l.x.Observe(l)
	defer l.reportPanic("Config.OnStart")
	l.OnStart((*logContext)(l), rec)
}

// returned calls OnReturn.
func (l *requestLog) returned(r *http.Request) {
	defer l.reportPanic("Config.OnReturn")
	var pattern string
	var cause error
	if l.x.EndedEarly() {
		pattern, cause = route(l.x.Route(), l.original.Host), context.Cause(r.Context())
	}
	l.OnReturn((*logContext)(l), pattern, cause)
}

func (l *requestLog) observe(ctx context.Context, rec *Record) {
	if l.OnRecord != nil {
		defer l.reportPanic("Config.OnRecord")
		l.OnRecord(ctx, *rec)
	}
}

func (l *requestLog) level(rec *Record) (level slog.Level) {
	level = defaultLevel(rec)
	if l.Level == nil {
		return l.problemLevel(rec, level)
	}
	defer l.reportPanic("Config.Level")
	return l.Level(*rec)
}

// problemLevel returns the Level of the errmap.Problem that the request's error was
// mapped to, if it is set. Otherwise it returns unmapped.
func (l *requestLog) problemLevel(rec *Record, unmapped slog.Level) (level slog.Level) {
	level = unmapped
	switch rec.Outcome {
	case OutcomeOK, OutcomeError, OutcomeRefused:
		if m := l.x.Notes.Level(); m != nil {
			defer l.reportPanic("the Level of a Problem")
			return m.Level()
		}
	}
	return level
}

// write passes a record to the handler. The record has no program counter, because
// it would always point to this line.
func (l *requestLog) write(ctx context.Context, h slog.Handler, level slog.Level, msg string, t time.Time, attrs []slog.Attr) {
	rec := slog.NewRecord(t, level, msg, 0)
	rec.AddAttrs(attrs...)
	if l.handle(ctx, h, rec) {
		return
	}
	// ReplaceAttr may have panicked for some of the attributes. WithAttrs finds out
	// which, because it calls ReplaceAttr without writing a record.
	rec = slog.NewRecord(t, level, msg, 0)
	for _, a := range attrs {
		rec.AddAttrs(l.encodable(h, a))
	}
	if !l.handle(ctx, h, rec) {
		l.x.Logf("bulwark: logging: the log record of request %s was lost", l.idHeader.Value)
	}
}

// handle reports whether the handler returned without a panic. Its error is
// ignored, as slog.Logger does.
func (l *requestLog) handle(ctx context.Context, h slog.Handler, rec slog.Record) (ok bool) {
	defer l.reportPanic("the slog handler")
	_ = h.Handle(ctx, rec)
	return true
}

// encodable returns a. If ReplaceAttr panics for a, it returns a note with the same
// name. If ReplaceAttr panics for the note as well, it returns the zero Attr, which
// is not written.
func (l *requestLog) encodable(h slog.Handler, a slog.Attr) slog.Attr {
	if l.tryAttr(h, a) {
		return a
	}
	if a.Value = slog.StringValue("ReplaceAttr panicked"); l.tryAttr(h, a) {
		return a
	}
	return slog.Attr{}
}

func (l *requestLog) tryAttr(h slog.Handler, a slog.Attr) (ok bool) {
	defer func() { ok = recover() == nil }()
	h.WithAttrs([]slog.Attr{a})
	return
}

// panicText returns the text of a panic's value. Only basic values are printed with
// package fmt: it would follow a cycle without end, and it would print the
// credentials of a request.
func (s *settings) panicText(v any) string {
	switch v := v.(type) {
	case string:
		return s.query.scrub(v)
	case context.Context:
		return note(v, "which is not logged").String()
	case error, fmt.Stringer:
		return s.query.scrub(errtree.Printed(v))
	}
	f := s.freezer()
	frozen := f.any(v)
	if raw, ok := frozen.Any().(json.RawMessage); ok {
		return string(raw)
	}
	return frozen.String()
}
