package interop_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/bulwark-go/bulwark"
	"github.com/bulwark-go/bulwark/errmap"
	"github.com/bulwark-go/bulwark/internal/testhttp"
	"github.com/bulwark-go/bulwark/internal/testpage"
	"github.com/bulwark-go/bulwark/logging"
	"github.com/bulwark-go/bulwark/timeout"
)

// The page shows exactly the code that these tests run.
func TestMiddlewarePageShowsThisCode(t *testing.T) {
	testpage.ShowsAll(t, `(?m)^func (\w+)\(`, "../../../docs/middleware.md", "placement_test.go")
}

// placed is a server of the page's code, and its log.
type placed struct {
	t   *testing.T
	log *testhttp.Lines
	srv *httptest.Server
}

func pageErrors() *errmap.Mapper {
	return errmap.New(errmap.Config{Rules: []errmap.Rule{
		errmap.Is(errUnauthorized, errmap.Problem{Status: http.StatusUnauthorized, Code: "unauthorized"}),
		errmap.Is(errCrossOrigin, errmap.Problem{Status: http.StatusForbidden, Code: "cross_origin"}),
	}})
}

func pageStack(log *testhttp.Lines, errs *errmap.Mapper) func(http.Handler) http.Handler {
	return bulwark.New(bulwark.Config{
		Logging: logging.Config{Logger: slog.New(slog.NewJSONHandler(log, nil)), Sample: withoutHealthChecks},
		Timeout: timeout.Config{Limit: 100 * time.Millisecond}, Errors: errs,
	})
}

func newPlaced(t *testing.T, log *testhttp.Lines, h http.Handler) placed {
	t.Helper()
	return placed{t, log, httptest.NewServer(h)}
}

// do sends a request, waits for the server to end, and returns the response and
// the log records.
func (p placed) do(method, path, body string, header ...string) (*http.Response, string, []map[string]any) {
	p.t.Helper()
	r, err := http.NewRequest(method, p.srv.URL+path, strings.NewReader(body))
	require.NoError(p.t, err)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	res, err := p.srv.Client().Do(r)
	require.NoError(p.t, err)
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	require.NoError(p.t, err)
	p.srv.Close()
	var records []map[string]any
	for dec := json.NewDecoder(strings.NewReader(p.log.String())); ; {
		var m map[string]any
		if err := dec.Decode(&m); errors.Is(err, io.EOF) {
			return res, string(b), records
		}
		records = append(records, m)
	}
}

// pageMux has a handler that is stuck in its context and one that answers.
func pageMux() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("/slow", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	mux.HandleFunc("/big", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, big) })
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.RawQuery == "ill" {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	return mux
}

func TestMiddlewarePage(t *testing.T) {
	t.Run("CORS is on the answer of a deadline", func(t *testing.T) {
		log := new(testhttp.Lines)
		mux := http.NewServeMux()
		mux.HandleFunc("/slow", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		res, _, records := newPlaced(t, log, withCORS(slog.New(slog.NewJSONHandler(log, nil)), pageErrors(), mux)).
			do("GET", "/slow", "", "Origin", "https://app.example.org")
		assert.Equal(t, 504, res.StatusCode)
		assert.Equal(t, "https://app.example.org", res.Header.Get("Access-Control-Allow-Origin"))
		require.Len(t, records, 1)
	})
	t.Run("authentication refuses inside and is logged", func(t *testing.T) {
		for _, tc := range []struct {
			token  string
			status int
			user   any
		}{{"", 401, nil}, {"ada", 200, "ada"}} {
			log, errs := new(testhttp.Lines), pageErrors()
			authenticate := func(r *http.Request) (string, bool) { return r.Header.Get("Token"), r.Header.Get("Token") != "" }
			res, _, records := newPlaced(t, log, pageStack(log, errs)(withAuth(errs, authenticate, pageMux()))).do("GET", "/big", "", "Token", tc.token)
			assert.Equal(t, tc.status, res.StatusCode)
			require.Len(t, records, 1)
			assert.EqualValues(t, tc.status, records[0]["http.response.status_code"])
			assert.Equal(t, tc.user, records[0]["user.id"])
		}
	})
	t.Run("compression inside has its size in the log", func(t *testing.T) {
		log := new(testhttp.Lines)
		res, body, records := newPlaced(t, log, withCompression(pageStack(log, pageErrors()), pageMux())).do("GET", "/big", "", "Accept-Encoding", "gzip")
		assert.Equal(t, "gzip", res.Header.Get("Content-Encoding"))
		require.Len(t, records, 1)
		assert.EqualValues(t, len(body), records[0]["http.response.body.size"])
		assert.Less(t, len(body), len(big)/4)
	})
	t.Run("a span outside has the status that was sent", func(t *testing.T) {
		spans := tracetest.NewSpanRecorder()
		before := otel.GetTracerProvider()
		otel.SetTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans)))
		defer otel.SetTracerProvider(before)
		log := new(testhttp.Lines)
		res, _, _ := newPlaced(t, log, withTracing(slog.New(slog.NewJSONHandler(log, nil)), pageErrors(), pageMux())).do("GET", "/slow", "")
		assert.Equal(t, 504, res.StatusCode)
		require.Len(t, spans.Ended(), 1)
		status := map[string]int64{}
		for _, a := range spans.Ended()[0].Attributes() {
			status[string(a.Key)] = a.Value.AsInt64()
		}
		assert.EqualValues(t, 504, status["http.response.status_code"])
	})
	t.Run("metrics have the route and the status", func(t *testing.T) {
		registerer, gatherer, reg := prometheus.DefaultRegisterer, prometheus.DefaultGatherer, prometheus.NewRegistry()
		prometheus.DefaultRegisterer, prometheus.DefaultGatherer = reg, reg
		defer func() { prometheus.DefaultRegisterer, prometheus.DefaultGatherer = registerer, gatherer }()
		log := new(testhttp.Lines)
		h := withMetrics(slog.New(slog.NewJSONHandler(log, nil)), pageErrors(), pageMux())
		_, _, records := newPlaced(t, log, h).do("GET", "/big", "")
		require.Len(t, records, 1)
		_, body, _ := newPlaced(t, log, h).do("GET", "/metrics", "")
		assert.Contains(t, body, `http_server_request_duration_seconds_count{bulwark_outcome="",error_type="",http_request_method="GET",http_response_status_code="200",http_route="/big",`)
	})
	t.Run("CSRF protection answers as every other error", func(t *testing.T) {
		log, errs := new(testhttp.Lines), pageErrors()
		res, body, records := newPlaced(t, log, withCSRF(pageStack(log, errs), errs, pageMux())).
			do("POST", "/big", "", "Sec-Fetch-Site", "cross-site")
		assert.Equal(t, 403, res.StatusCode)
		assert.Contains(t, body, `"code":"cross_origin"`)
		require.Len(t, records, 1)
		assert.Equal(t, errCrossOrigin.Error(), records[0]["error.message"])
	})
	t.Run("a session's cookie is on the response", func(t *testing.T) {
		log := new(testhttp.Lines)
		sessions := func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				http.SetCookie(w, &http.Cookie{Name: "session", Value: "1"})
				next.ServeHTTP(w, r)
			})
		}
		res, _, _ := newPlaced(t, log, withSessions(pageStack(log, pageErrors()), sessions, pageMux())).do("GET", "/big", "")
		require.Len(t, res.Cookies(), 1)
	})
	t.Run("a profile may last longer than the limit", func(t *testing.T) {
		log := new(testhttp.Lines)
		mux := pageMux()
		addProfile(mux)
		res, body, records := newPlaced(t, log, pageStack(log, pageErrors())(mux)).do("GET", "/debug/pprof/profile?seconds=1", "")
		assert.Equal(t, 200, res.StatusCode, body)
		assert.True(t, bytes.HasPrefix([]byte(body), []byte{0x1f, 0x8b}), "a profile is gzip")
		require.Len(t, records, 1)
		assert.Equal(t, "ok", records[0]["outcome"])
	})
	t.Run("health checks are not logged unless they fail", func(t *testing.T) {
		for path, want := range map[string]int{"/healthz": 0, "/healthz?ill": 1, "/big": 1} {
			log := new(testhttp.Lines)
			_, _, records := newPlaced(t, log, pageStack(log, pageErrors())(pageMux())).do("GET", path, "")
			assert.Len(t, records, want, path)
		}
	})
}
