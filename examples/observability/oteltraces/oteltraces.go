// Package oteltraces puts the span of OpenTelemetry's otelhttp into the log
// line, which knows of itself only the caller's, from the traceparent.
//
//	stack := bulwark.Chain(
//		logging.New(logging.Config{}),
//		otelhttp.NewMiddleware(""),
//		oteltraces.Line,
//		timeout.New(timeout.Config{Limit: time.Second}),
//	)
//
// logging stays outermost, for it is the line that says what went over the
// wire. The span says what passed through otelhttp: a handler that was
// abandoned has its 504 in the line, and in its span how long it really ran.
package oteltraces

import (
	"log/slog"
	"net/http"

	"go.opentelemetry.io/otel/trace"

	"github.com/bulwark-go/bulwark/logging"
)

// Line belongs right inside otelhttp. From here on [logging.Logger] has the
// span's ids, too. otelhttp hands on a request of its own, so that the route,
// which the mux writes into that, has to be told as well.
func Line(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if sc := trace.SpanContextFromContext(r.Context()); sc.IsValid() {
			logging.Add(r.Context(),
				slog.String("trace_id", sc.TraceID().String()),
				slog.String("span_id", sc.SpanID().String()))
		}
		defer func() { logging.Add(r.Context(), slog.String("http.route", r.Pattern)) }()
		next.ServeHTTP(w, r)
	})
}
