package inspect_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/bulwark-go/bulwark"
	"github.com/bulwark-go/bulwark/inspect"
	"github.com/bulwark-go/bulwark/internal/testhttp"
	"github.com/bulwark-go/bulwark/logging"
	"github.com/bulwark-go/bulwark/timeout"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// report is the JSON as a program decodes it.
type report struct {
	InFlight   int            `json:"in_flight"`
	Unlisted   int            `json:"unlisted"`
	Abandoned  int            `json:"abandoned"`
	Goroutines int            `json:"goroutines"`
	Activities map[string]int `json:"activities"`
	Requests   []request      `json:"requests"`
	Interval   float64        `json:"interval"`
	Routes     []struct {
		Route     string         `json:"route"`
		InFlight  int            `json:"in_flight"`
		Abandoned int            `json:"abandoned"`
		Outcomes  map[string]int `json:"outcomes"`
		Rate      []float64      `json:"rate"`
		Failed    []float64      `json:"failed"`
		P50       []float64      `json:"p50"`
		P99       []float64      `json:"p99"`
	} `json:"routes"`
	Failures []failure `json:"failures"`
}

type described struct {
	ID       string `json:"id"`
	Method   string `json:"method"`
	Route    string `json:"route"`
	Path     string `json:"path"`
	Client   string `json:"client"`
	Agent    string `json:"user_agent"`
	Protocol string `json:"protocol"`
}

type request struct {
	described
	Key       string    `json:"key"`
	Start     time.Time `json:"start"`
	Age       float64   `json:"age"`
	Activity  string    `json:"activity"`
	Abandoned bool      `json:"abandoned"`
	Begun     bool      `json:"response_begun"`
	BytesIn   int64     `json:"bytes_in"`
	BytesOut  int64     `json:"bytes_out"`
	Left      *float64  `json:"left"`
}

type failure struct {
	described
	Outcome   string  `json:"outcome"`
	Status    int     `json:"status"`
	Duration  float64 `json:"duration"`
	Kind      string  `json:"error_type"`
	Message   string  `json:"error_message"`
	Abandoned bool    `json:"abandoned"`
	Stack     string  `json:"handler_stack"`
}

type detail struct {
	Request    *request `json:"request"`
	Goroutines []struct {
		Count   int  `json:"count"`
		Handler bool `json:"handler"`
		Frames  []struct {
			Function string `json:"function"`
			File     string `json:"file"`
			Line     int    `json:"line"`
		} `json:"frames"`
	} `json:"goroutines"`
}

// ask requests JSON from the inspector.
func ask(t *testing.T, in *inspect.Inspector, query string, status int, into any) {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, "/?"+query, nil)
	r.Header.Set("Accept", "application/json")
	w := httptest.NewRecorder()
	in.ServeHTTP(w, r)
	require.Equal(t, status, w.Code)
	require.Equal(t, "application/json", w.Header().Get("Content-Type"))
	decode(t, w, into)
}

func decode(tb testing.TB, w *httptest.ResponseRecorder, into any) {
	tb.Helper()
	require.NoError(tb, json.Unmarshal(w.Body.Bytes(), into), w.Body.String())
}

func look(t *testing.T, in *inspect.Inspector) (r report) {
	t.Helper()
	ask(t, in, "", http.StatusOK, &r)
	return r
}

func lookInto(t *testing.T, in *inspect.Inspector, key string) (d detail) {
	t.Helper()
	ask(t, in, "key="+url.QueryEscape(key), http.StatusOK, &d)
	return d
}

// eventually repeats a check until it succeeds.
func eventually(t *testing.T, in *inspect.Inspector, good func(report) bool) (r report) {
	t.Helper()
	require.Eventually(t, func() bool { r = look(t, in); return good(r) }, testhttp.Patience, 2*time.Millisecond)
	return r
}

func none(r report) bool { return r.InFlight == 0 }

// stack is the order that the documentation recommends.
func stack(in *inspect.Inspector, limit time.Duration, records io.Writer) func(http.Handler) http.Handler {
	return bulwark.Chain(logTo(records), in.Middleware, timeout.New(timeout.Config{Limit: limit}))
}

func logTo(w io.Writer) func(http.Handler) http.Handler {
	return logging.New(logging.Config{Logger: slog.New(slog.NewJSONHandler(w, nil))})
}

// send sends a request whose result does not matter, and returns a function that waits
// for its end.
func send(t *testing.T, s *testhttp.Server, method, path string, body io.Reader) (wait func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, method, s.URL+path, body)
	require.NoError(t, err)
	r.Header.Set("User-Agent", "tester/1")
	var wg sync.WaitGroup
	wg.Go(func() {
		res, err := s.Client().Do(r)
		if err == nil {
			_, _ = io.Copy(io.Discard, res.Body)
			_ = res.Body.Close()
		}
	})
	t.Cleanup(func() { cancel(); wg.Wait() })
	return wg.Wait
}

// gate blocks handlers until it is opened. Tests defer that, because servers wait for
// their handlers before the cleanups of a test are run.
type gate struct {
	c    chan struct{}
	open func()
}

func newGate() gate {
	c := make(chan struct{})
	return gate{c, sync.OnceFunc(func() { close(c) })}
}

func (g gate) wait(http.ResponseWriter, *http.Request) { <-g.c }
