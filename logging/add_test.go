package logging_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/logging"
)

type user struct {
	Name string
	Tags map[string]string
}

type valuer struct{}

func (valuer) LogValue() slog.Value { return slog.GroupValue(slog.Int("n", 7)) }

type hostile struct{}

func (hostile) MarshalJSON() ([]byte, error) { panic("no") }

func TestAdd(t *testing.T) {
	m, _ := serve(t, logging.Config{}, httptest.NewRequest("GET", "/", nil), func(_ http.ResponseWriter, r *http.Request) {
		u := user{"Ann", map[string]string{"a": "b"}}
		logging.Add(r.Context(),
			slog.String("text", "line\nbreak\x1b[31m"),
			slog.Any("user", u),
			slog.Any("err", fmt.Errorf("get: %w", errors.New(`Get "https://u:p@host/x?token=t": refused`))),
			slog.Any("valuer", valuer{}),
			slog.Any("hostile", hostile{}),
			slog.Group("g", slog.Int("i", 1), slog.Bool("b", true)),
			slog.String("outcome", "everything is fine"),
			slog.String("long", strings.Repeat("x", 5000)),
		)
		u.Tags["a"] = "changed"
	})
	require.Equal(t, `line\nbreak\x1b[31m`, m["text"])
	require.Equal(t, map[string]any{"Name": "Ann", "Tags": map[string]any{"a": "b"}}, m["user"])
	require.Equal(t, `get: Get "https://REDACTED:REDACTED@host/x?token=REDACTED": refused`, m["err"])
	require.Equal(t, map[string]any{"n": 7.0}, m["valuer"])
	require.Contains(t, m, "hostile")
	require.Equal(t, map[string]any{"i": 1.0, "b": true}, m["g"])
	require.Equal(t, "ok", m["outcome"], "the record's own keys are not replaced")
	require.EqualValues(t, 1, m["dropped_attributes"])
	require.Len(t, m["long"], 1024)
	require.True(t, strings.HasSuffix(m["long"].(string), "x…"))
}

// Reported elsewhere: adding attributes races, https://github.com/go-chi/httplog/issues/65
func TestAddFromManyGoroutines(t *testing.T) {
	m, _ := serve(t, logging.Config{}, httptest.NewRequest("GET", "/", nil), func(_ http.ResponseWriter, r *http.Request) {
		var wg sync.WaitGroup
		for i := range 50 {
			wg.Go(func() {
				logging.Add(r.Context(), slog.Int(fmt.Sprint("k", i), i))
				logging.Logger(r.Context()).Enabled(r.Context(), slog.LevelInfo)
			})
		}
		wg.Wait()
	})
	for i := range 50 {
		require.EqualValues(t, i, m[fmt.Sprint("k", i)])
	}
}

// Added attributes are in the request's log record and in no other.
//
// Reported elsewhere: the request is on every line of the handler, https://github.com/go-chi/httplog/issues/50
func TestAddedAttributesAreLoggedOnce(t *testing.T) {
	l := newLines()
	h := logging.New(logging.Config{Logger: l.logger()})(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		logging.Add(r.Context(), slog.String("tenant", "t1"))
		logging.Logger(r.Context()).Info("working")
		m := l.next(t)
		assert.NotContains(t, m, "tenant")
		assert.NotContains(t, m, "http.request.method")
		assert.Equal(t, logging.RequestID(r.Context()), m["request_id"])
		assert.Equal(t, "0af7651916cd43dd8448eb211c80319c", m["trace_id"])
		assert.Equal(t, "b7ad6b7169203331", m["span_id"])
	}))
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	h.ServeHTTP(httptest.NewRecorder(), r)
	require.Equal(t, "t1", l.next(t)["tenant"])
}

// The ids of a tracing library's span win over those of the caller's.
func TestAddedTraceIDsWin(t *testing.T) {
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	m, _ := serve(t, logging.Config{}, r, func(_ http.ResponseWriter, r *http.Request) {
		logging.Logger(r.Context()) // once before, so that it may not be kept
		logging.Add(r.Context(), slog.String("trace_id", "4bf92f3577b34da6a3ce929d0e0e4736"), slog.String("span_id", "00f067aa0ba902b7"))
	})
	require.Equal(t, "4bf92f3577b34da6a3ce929d0e0e4736", m["trace_id"])
	require.Equal(t, "00f067aa0ba902b7", m["span_id"])
}

func TestWithoutARequest(t *testing.T) {
	logging.Add(context.Background(), slog.String("k", "v"))
	require.Empty(t, logging.RequestID(context.Background()))
	require.Same(t, slog.Default(), logging.Logger(context.Background()))
}

func TestAnAddedFlood(t *testing.T) {
	m, _ := serve(t, logging.Config{}, httptest.NewRequest("GET", "/", nil), func(_ http.ResponseWriter, r *http.Request) {
		for i := range 100 {
			logging.Add(r.Context(), slog.String(fmt.Sprint("k", i), strings.Repeat(`"`, 1000)))
		}
	})
	require.Less(t, len(m["raw"].(string)), 16<<10)
	require.Greater(t, m["dropped_attributes"], 90.0)
}

// A name is what the application makes of it: a count for each URL, for example.
func TestAddedNamesAreRedacted(t *testing.T) {
	m, _ := serve(t, logging.Config{}, httptest.NewRequest("GET", "/", nil), func(_ http.ResponseWriter, r *http.Request) {
		logging.Add(r.Context(), slog.Int("https://u:s3cr3t@h/?k=s3cr3t", 1))
	})
	require.EqualValues(t, 1, m["https://REDACTED:REDACTED@h/?k=REDACTED"])
}

// A value that is replaced gives back its space, so the last value is logged.
func TestAddedAgainAndAgain(t *testing.T) {
	const times = 1000
	m, _ := serve(t, logging.Config{}, httptest.NewRequest("GET", "/", nil), func(_ http.ResponseWriter, r *http.Request) {
		for i := range times {
			logging.Add(r.Context(), slog.Int("rows", i+1), slog.String("state", strings.Repeat("x", i)),
				slog.Group("job", slog.Int("done", i+1), slog.String("name", "import")))
		}
	})
	require.EqualValues(t, times, m["rows"])
	require.Len(t, m["state"], times-1)
	require.Equal(t, map[string]any{"done": float64(times), "name": "import"}, m["job"])
	require.NotContains(t, m, "dropped_attributes")
}

// Two logging middlewares make one log record, by the Config of the outer one.
//
// Reported elsewhere: a request is logged twice, https://github.com/samber/slog-chi/issues/3
func TestSecondMiddlewareAddsNoRecord(t *testing.T) {
	l := newLines()
	inner := logging.New(logging.Config{Logger: l.logger(), RequestIDHeader: "X-Inner"})
	outer := logging.New(logging.Config{Logger: l.logger()})
	w := httptest.NewRecorder()
	h := outer(inner(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(500)
		_, _ = io.WriteString(w, "x")
	})))
	h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	require.EqualValues(t, 500, l.next(t)["http.response.status_code"])
	l.none(t)
	require.Empty(t, w.Header().Get("X-Inner"))
	// It also holds behind a writer for which the inner one makes its own exchange.
	h = outer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		inner(http.NotFoundHandler()).ServeHTTP(httptest.NewRecorder(), r)
	}))
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
	require.EqualValues(t, 200, l.next(t)["http.response.status_code"])
	l.none(t)
}

// A request that a handler's goroutine makes when its own has ended, in the context
// of that, has a log record as every other.
func TestRequestInTheContextOfOneThatEnded(t *testing.T) {
	l := newLines()
	var ended context.Context
	h := logging.New(logging.Config{Logger: l.logger()})(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { ended = r.Context() }))
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/first", nil))
	require.Equal(t, "/first", l.next(t)["url.path"])
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/second", nil).WithContext(ended))
	require.Equal(t, "/second", l.next(t)["url.path"])
	l.none(t)
}

// A handler that serves its own request again, with the stack that it is in, has
// one log record.
func TestRequestThatIsServedAgain(t *testing.T) {
	l := newLines()
	var h http.Handler
	again := false
	h = logging.New(logging.Config{Logger: l.logger()})(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !again {
			again = true
			h.ServeHTTP(w, r)
		}
	}))
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
	require.EqualValues(t, 200, l.next(t)["http.response.status_code"])
	l.none(t)
}

// keeper keeps the records that it gets, as asynchronous handlers do.
type keeper struct {
	mu   sync.Mutex
	kept []slog.Record
}

func (k *keeper) Enabled(context.Context, slog.Level) bool { return true }
func (k *keeper) WithAttrs([]slog.Attr) slog.Handler       { return k }
func (k *keeper) WithGroup(string) slog.Handler            { return k }
func (k *keeper) Handle(_ context.Context, r slog.Record) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.kept = append(k.kept, r)
	return nil
}

func TestKeptRecordDoesNotChange(t *testing.T) {
	k := &keeper{}
	h := logging.New(logging.Config{Logger: slog.New(k)})(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		logging.Add(r.Context(), slog.String("path", r.URL.Path), slog.Any("list", []string{r.URL.Path}))
	}))
	for i := range 100 {
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", fmt.Sprintf("/%d", i), nil))
	}
	for i, r := range k.kept {
		seen := 0
		r.Attrs(func(a slog.Attr) bool {
			if a.Key == "url.path" || a.Key == "path" {
				seen++
				require.Equal(t, fmt.Sprintf("/%d", i), a.Value.String())
			}
			return true
		})
		require.Equal(t, 2, seen)
	}
}

// The context of a log record has the request's values and is never done. A slog
// handler that refuses a canceled context would lose every record of a client that
// disconnected.
func TestTheRecordsContext(t *testing.T) {
	type key struct{}
	var got context.Context
	h := logging.New(logging.Config{Logger: slog.New(slog.DiscardHandler), OnRecord: func(ctx context.Context, _ logging.Record) {
		got = ctx
	}})(http.NotFoundHandler())
	ctx, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "v"))
	cancel()
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, "GET", "/", nil))
	require.NoError(t, got.Err())
	require.Equal(t, "v", got.Value(key{}))
	require.NotEmpty(t, logging.RequestID(got))
}

func TestHooksThatPanic(t *testing.T) {
	l := newLines()
	h := logging.New(logging.Config{
		Logger:   l.logger(),
		Level:    func(logging.Record) slog.Level { panic("level") },
		Sample:   func(logging.Record) float64 { panic("sample") },
		OnRecord: func(context.Context, logging.Record) { panic("record") },
	})(http.NotFoundHandler())
	r := httptest.NewRequest("GET", "/", nil)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), http.ServerContextKey, quietServer)))
	require.Equal(t, 404, w.Code)
	m := l.next(t)
	require.Equal(t, "INFO", m["level"])
}
