package logging

import (
	"log/slog"
	"net/http"

	"github.com/bulwark-go/bulwark/internal/exchange"
)

// record returns the Record that hooks get and that the log record is made from.
func (l *requestLog) record(x *exchange.Exchange, e *exchange.Ending, tr trace) Record {
	r := Record{
		Route:  route(e.Route, l.original.Host),
		Status: e.Status, StatusIntended: e.Intended,
		Outcome: Outcome(e.Outcome), Cause: e.Cause, Remarks: e.Remarks, Panic: e.Panic, Abandoned: e.Abandoned, HandlerStack: e.Where,
		BytesIn: e.BytesIn, BytesOut: e.BytesOut,
		Start: x.Start(), TTFB: e.FirstByte, Duration: e.Duration,
		Truncated: truncated(e), QueueWait: e.Queued, headSent: e.HeadSent,
	}
	l.setRequest(&r, tr)
	return r
}

// setRequest sets the fields that are known before the handler runs.
func (l *requestLog) setRequest(r *Record, tr trace) {
	r.Method, r.Client, r.RequestID = l.original.Method, l.client, l.idHeader.Value
	r.Proto, r.Scheme = protocol(l.original.ProtoMajor, l.original.ProtoMinor), "http"
	r.TraceID, r.SpanID, r.TraceSampled = tr.id, tr.span, tr.sampled
	if l.original.TLS != nil {
		r.Scheme = "https"
	}
	switch {
	case l.plainPath:
		r.Path = l.path
	case l.hooks:
		r.Path = clean(l.path)
	}
	if !l.knows(r.Method) {
		r.Method = otherMethod
	}
}

// truncated reports whether the client can see that the response is incomplete.
func truncated(e *exchange.Ending) bool {
	switch e.Outcome {
	case exchange.Gone, exchange.Upgraded:
		return false
	case exchange.ShortBody, exchange.WriteTimeout, exchange.WriteError:
		return e.Status != 0
	}
	return e.Status != 0 && (e.Cut || e.Unanswered && !e.Complete) // in these cases a status means that the header was sent
}

// defaultLevel returns ERROR if the service is at fault: a 5xx, a response that was
// not sent as intended, or an error that no rule matched.
func defaultLevel(r *Record) slog.Level {
	switch r.Outcome {
	case OutcomeError, OutcomePanic, OutcomeAborted, OutcomeWriteError, OutcomeWriteTimeout, OutcomeShortBody:
		return slog.LevelError
	case OutcomeDeadline:
		if r.Status != http.StatusRequestTimeout { // with 408 the client was late
			return slog.LevelError
		}
	}
	if r.Status >= 500 {
		return slog.LevelError
	}
	return slog.LevelInfo
}
