package logging

import (
	"log/slog"

	"github.com/bulwark-go/bulwark/internal/exchange"
)

// endedEarly is Ended for a request that ended before its handler returned. It runs
// on a timer's goroutine. The application's code is called on another goroutine,
// because runtime.Goexit cannot be recovered. If a call panics or exits, its result
// is left out.
func (l *requestLog) endedEarly(x *exchange.Exchange, e *exchange.Ending, added []slog.Attr, dropped int, tr trace) {
	var rec Record
	if !x.Contain("logging: an error of the request", func() { rec = l.record(x, e, tr) }) {
		e.WriteErr, e.Cause = nil, nil
		rec = l.record(x, e, tr)
	}
	ctx := (*logContext)(l)
	level, on, share, keep := defaultLevel(&rec), true, 1.0, true
	x.Contain("logging: Config.OnRecord", func() { l.observe(ctx, &rec) })
	x.Contain("logging: Config.Level", func() { level = l.level(&rec) })
	x.Contain("logging: the slog handler", func() { on = l.enabled(ctx, level) })
	x.Contain("logging: Config.Sample", func() { share, keep = l.sampled(&rec) })
	if !on || !keep {
		return
	}
	var h slog.Handler
	var attrs []slog.Attr
	m := budget{left: maxRecord - reserved, dropped: dropped}
	assemble := func() { h, attrs = l.assemble(nil, &m, e, &rec, tr, share) }
	if !x.Contain("logging: an error of the request", assemble) {
		e.Cause, e.First, e.WriteErr, e.Remarks = nil, nil, nil, nil
		if e.Panic != nil {
			e.Panic = "a value that cannot be printed"
		}
		m = budget{left: maxRecord - reserved, dropped: dropped}
		if !x.Contain("logging: the slog handler", assemble) {
			return
		}
	}
	attrs = m.addAll(attrs, added, l.names)
	x.Contain("logging: the slog handler", func() {
		l.write(ctx, h, level, "http request", rec.Start.Add(rec.Duration), attrs)
	})
}
