package bulwarkotel

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"

	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/bulwark-go/bulwark/logging"
	"github.com/bulwark-go/bulwark/timeout"
)

// identify puts the ids of the active span into the log record. A remote span is the
// caller's. Its ids are in the record already, unless they came in other headers than
// traceparent.
func identify(ctx context.Context, hasCallers bool) {
	sc := trace.SpanContextFromContext(ctx)
	if !sc.IsValid() || sc.IsRemote() && hasCallers {
		return
	}
	logging.Add(ctx,
		slog.String("trace_id", sc.TraceID().String()),
		slog.String("span_id", sc.SpanID().String()),
		slog.String("trace_flags", sc.TraceFlags().String()))
}

// settle sets the outcome of the request on the span that is active outside
// logging.
func settle(ctx context.Context, k *requestKey) {
	span := trace.SpanFromContext(ctx)
	if !span.IsRecording() {
		return
	}
	span.SetAttributes(outcomeKey.String(string(k.outcome)))
	setRoute(span, k.route)
	if k.status != 0 { // tracing middleware does not see the status of an incomplete response
		span.SetAttributes(semconv.HTTPResponseStatusCode(k.status))
	}
	mark(span, k)
}

// returned marks the span outside logging if the request has already ended. On
// HTTP/2, if a handler is abandoned, the span ends before the log record is
// written.
func returned(ctx context.Context, route string, cause error) {
	if cause == nil {
		return
	}
	if span := trace.SpanFromContext(ctx); span.IsRecording() {
		setRoute(span, route)
		early(span, cause)
	}
}

// setRoute sets http.route, if the route is known.
func setRoute(span trace.Span, route string) {
	if route != "" {
		span.SetAttributes(semconv.HTTPRoute(route))
	}
}

// early marks a span if the deadline or the client ended the request before the
// handler returned. It reports whether one of them did.
func early(span trace.Span, cause error) bool {
	var k requestKey
	var late *timeout.Error
	switch {
	case errors.As(cause, &late):
		k.outcome, k.status = logging.OutcomeDeadline, late.StatusCode()
	case errors.Is(cause, timeout.ErrClientGone):
		k.outcome = logging.OutcomeClientGone
	default:
		return false
	}
	span.SetAttributes(outcomeKey.String(string(k.outcome)))
	mark(span, &k)
	return true
}

// mark sets the status of a span. In the SDK, Ok cannot be replaced by Error, and
// Error cannot be unset. So tracing middleware that sets a status later can only
// replace the description.
func mark(span trace.Span, k *requestKey) {
	if failure := k.errorType(); failure != "" {
		span.SetStatus(codes.Error, failure)
		span.SetAttributes(semconv.ErrorTypeKey.String(failure))
	}
	if k.outcome == logging.OutcomeClientGone {
		span.SetStatus(codes.Ok, "")
	}
}

// path returns the path of a pattern of http.ServeMux: http.route has neither its
// method nor its host.
func path(pattern string) string {
	if i := strings.IndexByte(pattern, '/'); i >= 0 {
		return pattern[i:]
	}
	return ""
}

// Inside is for tracing middleware that is inside logging. Put it directly inside
// that middleware. It puts the ids of the span into the log record. It also sets
// the route there and on the span, because the router writes the route into a copy of the request
// that only the tracing middleware has. When the handler returns, Inside sets the
// status of the span. If the request's context has ended, the status depends on the
// cause.
//
// Without tracing middleware, or outside logging, Inside does nothing.
func Inside(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		span := trace.SpanFromContext(ctx)
		identify(ctx, true)
		back := false
		defer func() {
			logging.Add(ctx, slog.String("http.route", r.Pattern))
			setRoute(span, path(r.Pattern))
			if span.IsRecording() && !early(span, context.Cause(ctx)) && !back {
				// The handler panicked. The panic is not recovered here, because
				// its stack would be lost.
				mark(span, &requestKey{outcome: logging.OutcomeAborted})
			}
		}()
		next.ServeHTTP(w, r)
		back = true
	})
}
