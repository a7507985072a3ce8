package bulwarkotel_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/bulwark-go/bulwark/adapters/bulwarkotel"
	"github.com/bulwark-go/bulwark/logging"
)

const (
	traceID     = "4bf92f3577b34da6a3ce929d0e0e4736"
	callerSpan  = "00f067aa0ba902b7"
	traceparent = "00-" + traceID + "-" + callerSpan + "-01"
)

// span waits for the one span of a request, whose handler has returned.
func (s *service) span(t *testing.T) tracetest.SpanStub {
	t.Helper()
	receive(t, s.served)
	require.Len(t, s.spans.GetSpans(), 1)
	return s.spans.GetSpans()[0]
}

func attributesOf(span tracetest.SpanStub) map[attribute.Key]string {
	attrs := map[attribute.Key]string{}
	for _, a := range span.Attributes {
		attrs[a.Key] = a.Value.String()
	}
	return attrs
}

// The status of the span is Error for a failure of the server, and not for one of the
// client, wherever the tracing middleware is. Only the middleware outside knows what was
// sent and the outcome, and an error that came too late for its own response.
func TestSpanHasTheStatusOfTheOutcome(t *testing.T) {
	none := [2]string{"", ""}
	for _, tt := range []struct {
		path           string
		code, inner    codes.Code
		outside        [2]string // bulwark.outcome and error.type
		between        [2]string
		status, inside string // http.response.status_code
	}{
		{"/users/7", codes.Unset, codes.Unset, [2]string{"ok", ""}, none, "200", "200"},
		{"/.env", codes.Unset, codes.Unset, [2]string{"ok", ""}, none, "404", "404"},
		{"/broken", codes.Error, codes.Error, [2]string{"error", "502"}, none, "502", "502"},
		{"/panic", codes.Error, codes.Error, [2]string{"panic", "panic"}, none, "500", "500"},
		{"/slow", codes.Error, codes.Error, [2]string{"deadline", "deadline"}, [2]string{"deadline", "deadline"}, "504", "200"},
		{"/stuck", codes.Error, codes.Error, [2]string{"deadline", "deadline"}, [2]string{"deadline", "deadline"}, "504", "200"},
		{"/stream", codes.Error, codes.Error, [2]string{"deadline", "deadline"}, [2]string{"deadline", "deadline"}, "", ""},
		{"/report", codes.Ok, codes.Ok, [2]string{"client_gone", ""}, [2]string{"client_gone", ""}, "", ""},
		{"/upload", codes.Unset, codes.Unset, [2]string{"deadline", ""}, [2]string{"deadline", ""}, "408", ""},
		{"/cut", codes.Error, codes.Error, [2]string{"aborted", "aborted"}, [2]string{"", "aborted"}, "200", ""},
		{"/late", codes.Error, codes.Unset, [2]string{"error", "error"}, none, "200", ""},
	} {
		for _, at := range []order{outside, between} {
			t.Run(tt.path+", "+string(at), func(t *testing.T) {
				both(t, func(t *testing.T, h2 bool) {
					s := start(t, at, h2, endings)
					stuck := tt.path == "/stuck" && !h2 // its handler runs on the goroutine on which the span ends
					s.ask(t, tt.path)
					if stuck {
						s.late <- struct{}{}
					}
					span := s.span(t)
					got, code, want, status := attributesOf(span), tt.code, tt.outside, tt.status
					if at == between {
						code, want, status = tt.inner, tt.between, tt.inside
					}
					assert.Equal(t, code, span.Status.Code)
					assert.Equal(t, want, [2]string{got["bulwark.outcome"], got["error.type"]})
					if status != "" {
						assert.Equal(t, status, got["http.response.status_code"])
					}
					route, known := map[string]string{"/users/7": "/users/{id}", "/.env": ""}[tt.path]
					if !known {
						route = tt.path
					}
					assert.Equal(t, route, got["http.route"])
				})
			})
		}
	}
}

// ask makes the request to a path of endings.
func (s *service) ask(t *testing.T, path string) {
	t.Helper()
	switch path {
	case "/report":
		s.leave(t)
	case "/upload":
		body, w := io.Pipe()
		defer w.Close()
		assert.Equal(t, http.StatusRequestTimeout, s.do(t, http.MethodPost, path, body))
	default:
		s.do(t, http.MethodGet, path, nil)
	}
}

// The log record, the handler's own records, and the note of a handler that ended late
// have the ids of the span that the service made, and not the caller's.
func TestLogRecordHasTheIDsOfTheSpan(t *testing.T) {
	for _, at := range []order{outside, between} {
		t.Run(string(at), func(t *testing.T) {
			both(t, func(t *testing.T, h2 bool) {
				for _, parent := range []string{traceparent, ""} {
					s := start(t, at, h2, endings)
					s.do(t, http.MethodGet, "/users/7", nil, "Traceparent", parent)
					span := s.span(t)
					assert.Equal(t, parent != "", span.Parent.IsValid())
					assert.Equal(t, "GET /users/{id}", span.Name)
					lines := s.log.lines(t)
					require.Len(t, lines, 2)
					for _, line := range lines {
						assert.Equal(t, span.SpanContext.TraceID().String(), line["trace_id"])
						assert.Equal(t, span.SpanContext.SpanID().String(), line["span_id"])
						assert.NotContains(t, line, "trace_flags")
					}
					assert.Equal(t, "/users/{id}", lines[1]["http.route"])
				}
			})
		})
	}
}

func TestLateEndHasTheIDsOfTheSpan(t *testing.T) {
	for _, at := range []order{outside, between} {
		t.Run(string(at), func(t *testing.T) {
			both(t, func(t *testing.T, h2 bool) {
				s := start(t, at, h2, endings)
				s.do(t, http.MethodGet, "/stuck", nil, "Traceparent", traceparent)
				s.late <- struct{}{}
				span := s.span(t)
				require.Eventually(t, func() bool { return len(s.log.lines(t)) == 2 }, patience, 1e6)
				for i, msg := range []string{"http request", "http handler ended late"} {
					line := s.log.lines(t)[i]
					assert.Equal(t, msg, line["msg"])
					assert.Equal(t, traceID, line["trace_id"])
					assert.Equal(t, span.SpanContext.SpanID().String(), line["span_id"])
				}
			})
		})
	}
}

// Without a tracing middleware the record keeps the caller's ids, also if middleware
// outside has extracted them, and Inside does nothing.
func TestWithoutASpanTheIDsAreTheCallers(t *testing.T) {
	server, _, _ := hooks(t, bulwarkotel.Config{})
	var log buffer
	server.Logger = slog.New(slog.NewJSONHandler(&log, nil))
	h := logging.New(server)(bulwarkotel.Inside(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
	for _, extracted := range []bool{false, true} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Traceparent", traceparent)
		if extracted {
			r = r.WithContext(propagation.TraceContext{}.Extract(r.Context(), propagation.HeaderCarrier(r.Header)))
		}
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
	require.Len(t, log.lines(t), 2)
	for _, line := range log.lines(t) {
		assert.Equal(t, traceID, line["trace_id"])
		assert.Equal(t, callerSpan, line["span_id"])
	}
	bulwarkotel.Inside(h).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
}

// A recorded trace is an exemplar, wherever the tracing middleware is, and also without
// one. A trace that is not recorded is not.
func TestExemplars(t *testing.T) {
	for _, at := range []order{untraced, outside, between} {
		for parent, want := range map[string]bool{traceparent: true, "00-" + traceID + "-" + callerSpan + "-00": false} {
			s := start(t, at, false, endings)
			s.do(t, http.MethodGet, "/users/7", nil, "Traceparent", parent)
			points := metrics(t, s.reader)["http.server.request.duration"].Data.(metricdata.Histogram[float64]).DataPoints
			require.Len(t, points, 1)
			var ids []string
			for _, e := range points[0].Exemplars {
				ids = append(ids, string(traceIDOf(e.TraceID)))
			}
			if want {
				assert.Equal(t, []string{traceID}, ids, at)
			} else {
				assert.Empty(t, ids, at)
			}
		}
	}
}

func traceIDOf(raw []byte) []byte {
	const digits = "0123456789abcdef"
	var out []byte
	for _, b := range raw {
		out = append(out, digits[b>>4], digits[b&15])
	}
	return out
}

// A trace that came in other headers than traceparent is in the log record, too, and
// is an exemplar.
func TestTraceOfOtherHeaders(t *testing.T) {
	server, _, reader := hooks(t, bulwarkotel.Config{})
	server.Logger = slog.New(slog.DiscardHandler)
	var got logging.Record
	count := server.OnRecord
	server.OnRecord = func(ctx context.Context, r logging.Record) {
		got = r
		count(ctx, r)
	}
	id, err := trace.TraceIDFromHex(traceID)
	require.NoError(t, err)
	span, err := trace.SpanIDFromHex(callerSpan)
	require.NoError(t, err)
	caller := trace.NewSpanContext(trace.SpanContextConfig{TraceID: id, SpanID: span, TraceFlags: trace.FlagsSampled})
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r = r.WithContext(trace.ContextWithRemoteSpanContext(r.Context(), caller))

	logging.New(server)(http.NotFoundHandler()).ServeHTTP(httptest.NewRecorder(), r)
	assert.Equal(t, [2]string{traceID, callerSpan}, [2]string{got.TraceID, got.SpanID})
	points := metrics(t, reader)["http.server.request.duration"].Data.(metricdata.Histogram[float64]).DataPoints
	require.Len(t, points, 1)
	require.Len(t, points[0].Exemplars, 1)
	assert.Equal(t, traceID, string(traceIDOf(points[0].Exemplars[0].TraceID)))
}

// Ids that the application made up are ignored.
func TestOddIDsAreNotExemplars(t *testing.T) {
	server, _, reader := hooks(t, bulwarkotel.Config{})
	for _, ids := range [][2]string{{"", ""}, {"x", callerSpan}, {traceID, "x"}} {
		server.OnRecord(context.Background(), logging.Record{TraceSampled: true, TraceID: ids[0], SpanID: ids[1], Outcome: logging.OutcomeOK})
	}
	for _, p := range metrics(t, reader)["http.server.request.duration"].Data.(metricdata.Histogram[float64]).DataPoints {
		assert.EqualValues(t, 3, p.Count)
		assert.Empty(t, p.Exemplars)
	}
}
