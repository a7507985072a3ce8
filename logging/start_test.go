package logging_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/errmap"
	"github.com/bulwark-go/bulwark/internal/exchange"
	"github.com/bulwark-go/bulwark/internal/testhttp"
	"github.com/bulwark-go/bulwark/logging"
	"github.com/bulwark-go/bulwark/timeout"
)

// observed is what the two hooks saw, in order.
type observed struct {
	mu      sync.Mutex
	started []logging.Record
	ended   chan logging.Record
}

// watch sets both hooks.
func watch(cfg *logging.Config) *observed {
	o := &observed{ended: make(chan logging.Record, 10)}
	cfg.OnStart = func(_ context.Context, r logging.Record) {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.started = append(o.started, r)
	}
	cfg.OnRecord = func(_ context.Context, r logging.Record) { o.ended <- r }
	return o
}

func (o *observed) starts() []logging.Record {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.started
}

func (o *observed) next(t *testing.T) logging.Record {
	t.Helper()
	select {
	case r := <-o.ended:
		return r
	case <-time.After(10 * time.Second):
		require.FailNow(t, "no record")
		panic("unreachable")
	}
}

func TestOnStartKnowsTheRequest(t *testing.T) {
	testhttp.Each(t, func(t *testing.T, p testhttp.Protocol) {
		var o *observed
		s := start(t, p, func(w http.ResponseWriter, _ *http.Request) {
			assert.Len(t, o.starts(), 1, "before the handler")
			assert.Empty(t, o.ended)
			w.WriteHeader(http.StatusAccepted)
		}, func(_ *httptest.Server, cfg *logging.Config) { o = watch(cfg) })
		req, err := http.NewRequestWithContext(t.Context(), "BREW", s.URL+"/pot", nil)
		require.NoError(t, err)
		req.Header.Set("Traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
		req.Header.Set("X-Request-Id", "abc")
		res, err := s.Client().Do(req)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())

		end := o.next(t)
		proto, scheme := "1.1", "http"
		if p == testhttp.HTTP2 {
			proto, scheme = "2", "https"
		}
		want := logging.Record{
			Method: "_OTHER", Path: "/pot", Start: end.Start, Client: "127.0.0.1", Proto: proto, Scheme: scheme,
			RequestID: "abc", TraceID: "4bf92f3577b34da6a3ce929d0e0e4736", SpanID: "00f067aa0ba902b7", TraceSampled: true,
		}
		assert.Equal(t, []logging.Record{want}, o.starts())
		assert.Equal(t, 202, end.Status)
		assert.Equal(t, scheme, end.Scheme)
		assert.True(t, end.TraceSampled)
	})
}

// The path in both Records is shortened and escaped, as in the log record.
func TestHooksGetThePathAsItIsLogged(t *testing.T) {
	long := "/" + strings.Repeat("x", 2<<10)
	for path, want := range map[string]string{
		"/users/7": "/users/7",
		`/"a"`:     `/"a"`,
		"/a\nb":    `/a\nb`,
		"/a\x1b":   `/a\x1b`,
		"/\u202e":  `/\u202e`,
		long:       long[:1<<10-len("…")] + "…",
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.URL.Path = path
		var cfg logging.Config
		o := watch(&cfg)
		m, _ := serve(t, cfg, r, func(http.ResponseWriter, *http.Request) {})
		require.Len(t, o.starts(), 1)
		assert.Equal(t, want, o.starts()[0].Path)
		assert.Equal(t, want, o.next(t).Path)
		assert.Equal(t, want, m["url.path"])
	}
}

// Attributes that OnStart adds are in the log record, and in all that is logged for the
// request.
func TestOnStartMayAdd(t *testing.T) {
	const id, span = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
	for flags, want := range map[string]bool{"01": true, "00": false, "ff": true, "": true, "1": true, "0x": true, "1x": true} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
		var end logging.Record
		m, _ := serve(t, logging.Config{
			OnStart: func(ctx context.Context, _ logging.Record) {
				logging.Add(ctx, slog.String("trace_id", id), slog.String("span_id", span), slog.String("trace_flags", flags), slog.Int("n", 1))
			},
			OnRecord: func(_ context.Context, r logging.Record) { end = r },
		}, r, func(http.ResponseWriter, *http.Request) {})
		assert.Equal(t, id, m["trace_id"])
		assert.Equal(t, span, m["span_id"])
		assert.EqualValues(t, 1, m["n"])
		assert.NotContains(t, m, "trace_flags")
		assert.Equal(t, want, end.TraceSampled, flags)
	}
}

// OnStart loses only its own result if it panics, and a request that is not logged is
// observed all the same.
func TestOnStartPanics(t *testing.T) {
	var o *observed
	s := start(t, testhttp.HTTP1, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusAccepted) },
		func(_ *httptest.Server, cfg *logging.Config) {
			o = watch(cfg)
			cfg.OnStart = func(context.Context, logging.Record) { panic("boom") }
			cfg.Logger = slog.New(slog.DiscardHandler)
		})
	got := s.Get(t, "/")
	require.NoError(t, got.Err)
	assert.Equal(t, 202, got.Status)
	assert.Equal(t, 202, o.next(t).Status)
}

// Truncated means that the client sees a body that broke off.
func TestTruncated(t *testing.T) {
	half := func(w http.ResponseWriter) {
		_, _ = io.WriteString(w, "half")
		_ = http.NewResponseController(w).Flush()
	}
	errs := errmap.New(errmap.Config{})
	deadline := timeout.New(timeout.Config{Limit: 30 * time.Millisecond})
	for _, tt := range []struct {
		desc    string
		handler http.Handler
		outcome logging.Outcome
		want    bool
	}{
		{"complete", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { half(w) }), logging.OutcomeOK, false},
		{"a 5xx", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }), logging.OutcomeError, false},
		{"a deadline with its own response", deadline(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
		})), logging.OutcomeDeadline, false},
		{"a deadline in the response", deadline(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			half(w)
			<-r.Context().Done()
		})), logging.OutcomeDeadline, true},
		{"a panic that is answered", errs.Recover(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("boom") })), logging.OutcomePanic, false},
		{"a panic in the response", errs.Recover(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			half(w)
			panic("boom")
		})), logging.OutcomePanic, true},
		{"a panic without Recover, nothing sent", http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("boom") }), logging.OutcomePanic, false},
		{"a panic without Recover", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			half(w)
			panic("boom")
		}), logging.OutcomePanic, true},
		{"a late error", errs.Handler(func(w http.ResponseWriter, _ *http.Request) error {
			half(w)
			return errors.New("late")
		}), logging.OutcomeError, true},
		{"aborted", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			half(w)
			panic(http.ErrAbortHandler)
		}), logging.OutcomeAborted, true},
		{"shorter than declared", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "10")
			half(w)
		}), logging.OutcomeShortBody, true},
	} {
		t.Run(tt.desc, func(t *testing.T) {
			testhttp.Each(t, func(t *testing.T, p testhttp.Protocol) {
				var o *observed
				s := start(t, p, tt.handler.ServeHTTP, func(_ *httptest.Server, cfg *logging.Config) { o = watch(cfg) })
				res, err := s.Client().Get(s.URL)
				if err == nil {
					_, err = io.Copy(io.Discard, res.Body)
					_ = res.Body.Close()
				}
				r := o.next(t)
				assert.Equal(t, tt.outcome, r.Outcome)
				assert.Equal(t, tt.want, r.Truncated)
				if r.Status != 0 {
					assert.Equal(t, tt.want, err != nil, "what the client sees: %v", err)
				}
			})
		})
	}
}

// A panic after a complete response does not make it a part of one.
func TestNotTruncatedIfComplete(t *testing.T) {
	for _, tt := range []struct {
		method string
		begin  func(http.ResponseWriter)
		http1  bool // on HTTP/2 the stream is reset before its end
	}{
		{http.MethodHead, func(http.ResponseWriter) {}, false},
		{http.MethodGet, func(w http.ResponseWriter) { w.WriteHeader(204) }, true},
		{http.MethodGet, func(w http.ResponseWriter) {
			w.Header().Set("Content-Length", "4")
			_, _ = io.WriteString(w, "full")
		}, true},
	} {
		testhttp.Each(t, func(t *testing.T, p testhttp.Protocol) {
			var o *observed
			s := start(t, p, func(w http.ResponseWriter, _ *http.Request) {
				tt.begin(w)
				_ = http.NewResponseController(w).Flush()
				panic(http.ErrAbortHandler)
			}, func(_ *httptest.Server, cfg *logging.Config) { o = watch(cfg) })
			got := s.Do(s.Request(t, tt.method, "/", http.NoBody))
			r := o.next(t)
			want := tt.http1 && p.String() == "HTTP/2"
			assert.Equal(t, logging.OutcomeAborted, r.Outcome)
			assert.Equal(t, want, r.Truncated)
			assert.Equal(t, want, got.Err != nil, "what the client sees: %v", got.Err)
		})
	}
}

// A client that disconnects in the middle of a response does not see that it broke off.
func TestNotTruncatedForAClientThatLeft(t *testing.T) {
	testhttp.Each(t, func(t *testing.T, p testhttp.Protocol) {
		var o *observed
		begun := make(chan struct{})
		s := start(t, p, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, "half")
			_ = http.NewResponseController(w).Flush()
			close(begun)
			<-r.Context().Done()
		}, func(_ *httptest.Server, cfg *logging.Config) { o = watch(cfg) })
		s.leave(t, begun)
		r := o.next(t)
		assert.Equal(t, logging.OutcomeClientGone, r.Outcome)
		assert.False(t, r.Truncated)
	})
}

func TestQueueWaitIsSummedUp(t *testing.T) {
	var end logging.Record
	cfg := logging.Config{OnRecord: func(_ context.Context, r logging.Record) { end = r }}
	serve(t, cfg, httptest.NewRequest(http.MethodGet, "/", nil), func(_ http.ResponseWriter, r *http.Request) {
		x := exchange.From(r.Context())
		x.Notes.Queued(time.Second)
		x.Notes.Queued(time.Minute)
	})
	assert.Equal(t, time.Minute+time.Second, end.QueueWait)
}

func TestOnStartOfACall(t *testing.T) {
	srv := testhttp.HTTP1.Start(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusAccepted) }))
	var cfg logging.Config
	o := watch(&cfg)
	client := &http.Client{Transport: logging.NewTransport(logging.TransportConfig{
		Base: srv.Transport(), Logger: slog.New(slog.DiscardHandler), OnStart: cfg.OnStart, OnRecord: cfg.OnRecord,
	})}
	for _, url := range []string{srv.URL + "/pot", "https://[::1]:1/", "http://[::1%25x]:1/", "https://xn--nothing.invalid/"} {
		req, err := http.NewRequestWithContext(t.Context(), "BREW", url, nil)
		require.NoError(t, err)
		if res, err := client.Do(req); err == nil {
			require.NoError(t, res.Body.Close())
		}
		start, end := o.starts()[len(o.starts())-1], o.next(t)
		want := logging.Record{Method: "_OTHER", Path: req.URL.Path, Start: end.Start, Scheme: req.URL.Scheme, Server: req.URL.Hostname(), Port: start.Port}
		assert.Equal(t, want, start)
		assert.Equal(t, start.Port, end.Port)
		assert.Equal(t, start.Server, end.Server)
		assert.NotZero(t, end.Port)
		assert.Equal(t, end.Status != 0, end.Outcome == logging.OutcomeOK)
	}
	assert.Len(t, o.starts(), 4)
	assert.Equal(t, 443, o.starts()[3].Port)
}

// OnReturn is called when New's handler returns for any reason, and knows how the
// request has ended before.
func TestOnReturn(t *testing.T) {
	for _, tt := range []struct {
		desc  string
		do    func(w http.ResponseWriter, r *http.Request, late <-chan struct{})
		cause error
	}{
		{"in time", func(w http.ResponseWriter, _ *http.Request, _ <-chan struct{}) { w.WriteHeader(http.StatusAccepted) }, nil},
		{"a panic", func(http.ResponseWriter, *http.Request, <-chan struct{}) { panic("boom") }, nil},
		{"the deadline", func(_ http.ResponseWriter, r *http.Request, _ <-chan struct{}) { <-r.Context().Done() }, context.DeadlineExceeded},
		{"the deadline, and a panic", func(_ http.ResponseWriter, r *http.Request, _ <-chan struct{}) {
			<-r.Context().Done()
			panic("boom")
		}, context.DeadlineExceeded},
		{"a handler that is stuck", func(_ http.ResponseWriter, _ *http.Request, late <-chan struct{}) { <-late }, context.DeadlineExceeded},
	} {
		t.Run(tt.desc, func(t *testing.T) {
			testhttp.Each(t, func(t *testing.T, p testhttp.Protocol) {
				late, causes, routes := make(chan struct{}), make(chan error, 10), make(chan string, 10)
				mux := http.NewServeMux()
				mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) { tt.do(w, r, late) })
				s := start(t, p, timeout.New(timeout.Config{Limit: 30 * time.Millisecond, Detach: true})(mux).ServeHTTP,
					func(_ *httptest.Server, cfg *logging.Config) {
						cfg.OnReturn = func(_ context.Context, route string, cause error) {
							causes <- cause
							routes <- route
							panic("what it does itself costs nothing")
						}
					})
				opener(t, late)
				s.Get(t, "/")
				if p == testhttp.HTTP1 && tt.desc == "a handler that is stuck" {
					late <- struct{}{}
				}
				select {
				case cause := <-causes:
					require.ErrorIs(t, cause, tt.cause)
					assert.Equal(t, tt.cause != nil, cause != nil)
					assert.Equal(t, tt.cause != nil, <-routes == "/")
				case <-time.After(10 * time.Second):
					assert.Fail(t, "it was not called")
				}
				s.Close()
				assert.Empty(t, causes, "once")
			})
		})
	}
}

func TestOnReturnKnowsThatTheClientLeft(t *testing.T) {
	begun, ended, causes := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	s := start(t, testhttp.HTTP2, func(_ http.ResponseWriter, r *http.Request) {
		close(begun)
		<-r.Context().Done()
		<-ended // on HTTP/2 the record does not wait for a handler that is stuck
	}, func(_ *httptest.Server, cfg *logging.Config) {
		cfg.OnRecord = func(context.Context, logging.Record) { close(ended) }
		cfg.OnReturn = func(_ context.Context, _ string, cause error) { causes <- cause }
	})
	s.leave(t, begun)
	select {
	case cause := <-causes:
		assert.ErrorIs(t, cause, timeout.ErrClientGone)
	case <-time.After(10 * time.Second):
		assert.Fail(t, "it was not called")
	}
}

// KnownMethods replaces the list of the conventions, for requests and calls.
func TestKnownMethods(t *testing.T) {
	known := []string{"GET", "PROPFIND"}
	cfg := logging.Config{KnownMethods: known}
	for method, want := range map[string]string{"GET": "GET", "PROPFIND": "PROPFIND", "propfind": "_OTHER", "POST": "_OTHER"} {
		var end logging.Record
		cfg.OnRecord = func(_ context.Context, r logging.Record) { end = r }
		m, _ := serve(t, cfg, httptest.NewRequest(method, "/", nil), func(http.ResponseWriter, *http.Request) {})
		assert.Equal(t, want, end.Method)
		assert.Equal(t, want, m["http.request.method"])
		if want == "_OTHER" {
			assert.Equal(t, method, m["http.request.method_original"])
		}
	}
	var call logging.Record
	rt := logging.NewTransport(logging.TransportConfig{
		Base: unreachable{}, Logger: slog.New(slog.DiscardHandler), KnownMethods: known,
		OnRecord: func(_ context.Context, r logging.Record) { call = r },
	})
	_, err := rt.RoundTrip(httptest.NewRequest("PROPFIND", "http://x/", nil))
	require.Error(t, err)
	assert.Equal(t, "PROPFIND", call.Method)
	assert.PanicsWithValue(t, `logging: KnownMethods: "a b" is not a method`, func() { logging.New(logging.Config{KnownMethods: []string{"a b"}}) })
}

type unreachable struct{}

func (unreachable) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, errors.New("it fails")
}
