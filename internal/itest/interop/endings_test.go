package interop_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	chi "github.com/go-chi/chi/v5/middleware"
	"github.com/klauspost/compress/gzhttp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/rs/cors"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"

	"github.com/bulwark-go/bulwark/logging"
	"github.com/bulwark-go/bulwark/timeout"
)

// guest is a middleware of another project.
type guest struct {
	name  string
	wraps bool // the writer or the request
	make  func() wrapper
}

var guests = []guest{
	{"gzhttp", true, func() wrapper {
		return func(h http.Handler) http.Handler { return gzhttp.GzipHandler(h) }
	}},
	{"otelhttp", true, func() wrapper { return otelhttp.NewMiddleware("server") }},
	{"promhttp", true, func() wrapper {
		codes := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "requests_total", Help: "Requests by status."}, []string{"code"})
		return func(h http.Handler) http.Handler { return promhttp.InstrumentHandlerCounter(codes, h) }
	}},
	{"chi Compress", true, func() wrapper { return chi.Compress(5) }},
	{"rs/cors", false, func() wrapper { return cors.Default().Handler }},
}

const half = "half of it, "

// ending is a way in which a handler ends, and the required result for any position of
// the other middleware.
type ending struct {
	desc    string
	handler func(release <-chan struct{}, w http.ResponseWriter, r *http.Request) error
	body    string // of the request
	chunked bool
	status  int
	outcome logging.Outcome
	want    string // the body; "": a problem document
	stuck   bool   // it does not follow its context
	broken  bool
}

var big = strings.Repeat("0123456789abcdef", 4096)

var endings = []ending{
	{desc: "small", want: half, status: 200, outcome: logging.OutcomeOK,
		handler: func(_ <-chan struct{}, w http.ResponseWriter, _ *http.Request) error {
			_, err := io.WriteString(w, half)
			return err
		}},
	{desc: "big", want: big, status: 200, outcome: logging.OutcomeOK,
		handler: func(_ <-chan struct{}, w http.ResponseWriter, _ *http.Request) error {
			_, err := io.WriteString(w, big)
			return err
		}},
	{desc: "mapped error", status: 404, outcome: logging.OutcomeOK,
		handler: func(<-chan struct{}, http.ResponseWriter, *http.Request) error { return errNotFound }},
	{desc: "panic", status: 500, outcome: logging.OutcomePanic,
		handler: func(<-chan struct{}, http.ResponseWriter, *http.Request) error { panic("boom") }},
	{desc: "panic in the response", status: 200, outcome: logging.OutcomePanic, broken: true, want: half,
		handler: func(_ <-chan struct{}, w http.ResponseWriter, _ *http.Request) error {
			flush(w, half)
			panic("boom")
		}},
	{desc: "error in the response", status: 200, outcome: logging.OutcomeError, broken: true, want: half,
		handler: func(_ <-chan struct{}, w http.ResponseWriter, _ *http.Request) error {
			flush(w, half)
			return errNotFound
		}},
	{desc: "deadline", status: 504, outcome: logging.OutcomeDeadline,
		handler: func(_ <-chan struct{}, _ http.ResponseWriter, r *http.Request) error {
			<-r.Context().Done()
			return r.Context().Err()
		}},
	{desc: "deadline of a stuck handler", status: 504, outcome: logging.OutcomeDeadline, stuck: true,
		handler: func(release <-chan struct{}, _ http.ResponseWriter, _ *http.Request) error {
			<-release
			return nil
		}},
	{desc: "deadline in the response", status: 200, outcome: logging.OutcomeDeadline, broken: true, want: half,
		handler: func(_ <-chan struct{}, w http.ResponseWriter, r *http.Request) error {
			flush(w, half)
			ctx, err := timeout.Reset(r.Context(), limit)
			if err != nil {
				return err
			}
			<-ctx.Done()
			return ctx.Err()
		}},
	{desc: "declared too large", status: 413, outcome: logging.OutcomeRefused, body: big,
		handler: reads},
	{desc: "too large", status: 413, outcome: logging.OutcomeOK, body: big, chunked: true,
		handler: reads},
}

func reads(_ <-chan struct{}, _ http.ResponseWriter, r *http.Request) error {
	_, err := io.Copy(io.Discard, r.Body)
	return err
}

func flush(w http.ResponseWriter, text string) {
	_, _ = io.WriteString(w, text)
	_ = http.NewResponseController(w).Flush()
}

// TestEndings: for any position the client sees the same ending, and the log record
// agrees. The one exception is HTTP/2 with other middleware around the whole stack, or
// around timeout. A stuck
// handler cannot be left behind there: the answer at the deadline is complete, but the
// stream ends with a reset.
func TestEndings(t *testing.T) {
	for _, g := range guests {
		t.Run(g.name, func(t *testing.T) {
			each(t, places, func(t *testing.T, at place) {
				each(t, []protocol{http1, http2}, func(t *testing.T, p protocol) {
					release := make(chan struct{})
					st := stack{errs: mapper(), body: 1 << 10, at: at, mw: []wrapper{g.make()}}
					s := st.serve(t, p, st.endings(release))
					reset := p == http2 && (at == outside || at == behind)
					for _, e := range endings {
						t.Run(e.desc, func(t *testing.T) { e.run(t, p, s, reset) })
					}
					close(release)
				})
			})
		})
	}
}

// endings serves each ending under its path.
func (st stack) endings(release <-chan struct{}) http.Handler {
	mux := http.NewServeMux()
	for _, e := range endings {
		h := st.errs.Handler(func(w http.ResponseWriter, r *http.Request) error { return e.handler(release, w, r) })
		if e.status == http.StatusGatewayTimeout {
			h = timeout.Override(limit)(h)
		}
		mux.Handle(e.path(), h)
	}
	return mux
}

func (e ending) path() string { return "/" + strings.ReplaceAll(e.desc, " ", "-") }

func (e ending) request(t *testing.T, s *server, header ...string) *http.Request {
	t.Helper()
	method, body := http.MethodGet, io.Reader(nil)
	if e.body != "" {
		method, body = http.MethodPost, strings.NewReader(e.body)
	}
	if e.chunked {
		body = onlyReader(e.body)
	}
	return s.request(t, method, e.path(), body, header...)
}

func (e ending) run(t *testing.T, p protocol, s *server, reset bool) {
	res := s.do(e.request(t, s))
	l := s.logged(t, e.status, e.outcome)
	assert.Equal(t, p.version(), l.Proto)
	if e.broken || reset && e.stuck {
		require.Error(t, res.err)
	} else {
		require.NoError(t, res.err)
	}
	e.check(t, res)
}

// check checks what the client got.
func (e ending) check(t *testing.T, res got) {
	t.Helper()
	assert.Equal(t, e.status, res.status)
	switch {
	case e.want != "":
		assert.Equal(t, e.want, res.body)
	default:
		assert.Contains(t, res.header.Get("Content-Type"), "problem+json")
		var problem struct{ Status int }
		require.NoError(t, json.Unmarshal([]byte(res.body), &problem), "not whole: %s", res.body)
		assert.Equal(t, e.status, problem.Status)
	}
}
