package logging_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/internal/exchange"
	"github.com/bulwark-go/bulwark/internal/testhttp"
	"github.com/bulwark-go/bulwark/logging"
	"github.com/bulwark-go/bulwark/timeout"
)

// faulty is a slog handler in which the methods that are set panic.
type faulty struct {
	*lines
	enabled, handle, withAttrs bool
}

func (f faulty) Enabled(ctx context.Context, l slog.Level) bool {
	if f.enabled {
		panic("Enabled")
	}
	return f.lines.Enabled(ctx, l)
}

func (f faulty) Handle(ctx context.Context, r slog.Record) error {
	if f.handle {
		f.wrote <- struct{}{}
		panic("Handle")
	}
	return f.lines.Handle(ctx, r)
}

func (f faulty) WithAttrs(a []slog.Attr) slog.Handler {
	if f.withAttrs {
		panic("WithAttrs")
	}
	return f.lines.WithAttrs(a)
}

// replacing is a log whose ReplaceAttr panics for one key.
func replacing(key string) *lines {
	b := &lockedBuffer{}
	return &lines{slog.NewJSONHandler(b, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == key {
			_ = a.Value.Any().(*slog.Source) // as if it were the place in the source
		}
		return a
	}}), b, make(chan struct{}, 1000)}
}

type hook struct {
	desc  string
	make  func(*logging.Config) *lines // sets the hook
	h     http.HandlerFunc             // nil: answers "hello"
	lost  bool                         // there is no record
	apart bool                         // only at a deadline: elsewhere runtime.Goexit ends the handler's goroutine
	want  map[string]any
}

// A hook that panics loses its own result, and neither the response nor the results of
// other hooks.
func hooks() []hook {
	plain := func(set func(*logging.Config)) func(*logging.Config) *lines {
		return func(c *logging.Config) *lines { set(c); l := newLines(); c.Logger = l.logger(); return l }
	}
	with := func(f faulty) func(*logging.Config) *lines {
		return func(c *logging.Config) *lines { f.lines = newLines(); c.Logger = slog.New(f); return f.lines }
	}
	return []hook{
		{desc: "Enabled", make: with(faulty{enabled: true}), want: map[string]any{"level": "INFO"}},
		{desc: "Handle", make: with(faulty{handle: true}), lost: true},
		{desc: "WithAttrs, for Logger", make: with(faulty{withAttrs: true}), h: func(w http.ResponseWriter, r *http.Request) {
			_ = logging.Logger(r.Context())
			_, _ = w.Write([]byte("hello"))
		}, want: map[string]any{"level": "INFO"}},
		{desc: "ReplaceAttr", make: func(c *logging.Config) *lines {
			l := replacing("url.path")
			c.Logger = l.logger()
			return l
		}, want: map[string]any{"url.path": nil, "outcome": "ok", "client.address": "127.0.0.1"}},
		{desc: "Level", make: plain(func(c *logging.Config) { c.Level = func(logging.Record) slog.Level { panic("x") } }), want: map[string]any{"level": "INFO"}},
		{desc: "Level of a nil LevelVar", make: plain(func(c *logging.Config) {
			var v *slog.LevelVar
			c.Level = func(logging.Record) slog.Level { return v.Level() }
		}), want: map[string]any{"level": "INFO"}},
		{desc: "a Problem's Level", make: plain(func(*logging.Config) {}), h: func(w http.ResponseWriter, r *http.Request) {
			var v *slog.LevelVar
			exchange.From(r.Context()).Notes.SetLevel(v)
			_, _ = w.Write([]byte("hello"))
		}, want: map[string]any{"level": "INFO"}},
		{desc: "Sample", make: plain(func(c *logging.Config) { c.Sample = func(logging.Record) float64 { panic("x") } }), want: map[string]any{"outcome": "ok"}},
		{desc: "OnRecord", make: plain(func(c *logging.Config) { c.OnRecord = func(context.Context, logging.Record) { panic("x") } }), want: map[string]any{"outcome": "ok"}},
		{desc: "a panic that must not be printed", make: plain(func(c *logging.Config) {
			cycle := map[string]any{}
			cycle["self"] = cycle
			c.OnRecord = func(context.Context, logging.Record) { panic(cycle) }
		}), want: map[string]any{"outcome": "ok"}},
		{desc: "Level that exits", apart: true, make: plain(func(c *logging.Config) {
			c.Level = func(logging.Record) slog.Level { runtime.Goexit(); return 0 }
		}), want: map[string]any{"level": "ERROR"}},
		{desc: "OnRecord that exits", apart: true, make: plain(func(c *logging.Config) {
			c.OnRecord = func(context.Context, logging.Record) { runtime.Goexit() }
		}), want: map[string]any{"level": "ERROR"}},
		{desc: "Sample that exits", apart: true, make: plain(func(c *logging.Config) {
			c.Sample = func(logging.Record) float64 { runtime.Goexit(); return 0 }
		}), want: map[string]any{"level": "ERROR"}},
		{desc: "LogValue", make: plain(func(*logging.Config) {}), h: func(w http.ResponseWriter, r *http.Request) {
			logging.Add(r.Context(), slog.Any("v", panickyValuer{}), slog.Int("n", 1))
			_, _ = w.Write([]byte("hello"))
		}, want: map[string]any{"v": "logging_test.panickyValuer, whose LogValue method panicked", "n": 1.0}},
		{desc: "MarshalJSON", make: plain(func(*logging.Config) {}), h: func(w http.ResponseWriter, r *http.Request) {
			logging.Add(r.Context(), slog.Any("v", panickyJSON{}), slog.Int("n", 1))
			_, _ = w.Write([]byte("hello"))
		}, want: map[string]any{"v": "logging_test.panickyJSON, which panics when it is encoded", "n": 1.0}},
	}
}

type panickyValuer struct{}

func (panickyValuer) LogValue() slog.Value { panic("no") }

type panickyJSON struct{}

func (panickyJSON) MarshalJSON() ([]byte, error) { panic("no") }

func TestAHookThatPanicsCostsItsOwnResult(t *testing.T) {
	for _, tt := range hooks() {
		if tt.apart {
			continue
		}
		t.Run(tt.desc, func(t *testing.T) {
			testhttp.Each(t, func(t *testing.T, p testhttp.Protocol) {
				var l *lines
				h := tt.h
				if h == nil {
					h = func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("hello")) }
				}
				s := start(t, p, h, func(_ *httptest.Server, c *logging.Config) { l = tt.make(c) })
				got := s.Get(t, "/p")
				require.NoError(t, got.Err)
				require.Equal(t, 200, got.Status)
				require.Equal(t, "5", got.Header.Get("Content-Length"))
				if tt.lost {
					<-l.wrote
					return
				}
				m := l.next(t)
				for k, v := range tt.want {
					require.Equal(t, v, m[k], "%s: %s", k, m["raw"])
				}
				require.EqualValues(t, 200, m["http.response.status_code"])
			})
		})
	}
}

// At a deadline hooks run on a timer's goroutine, where a panic would end the process.
func TestAHookThatPanicsAtADeadline(t *testing.T) {
	for _, tt := range hooks() {
		if tt.h != nil {
			continue // of the handler's goroutine
		}
		t.Run(tt.desc, func(t *testing.T) {
			testhttp.Each(t, func(t *testing.T, p testhttp.Protocol) {
				release := make(chan struct{})
				deadline := timeout.New(timeout.Config{Limit: 30 * time.Millisecond})
				open := opener(t, release)
				cfg := logging.Config{}
				l := tt.make(&cfg)
				srv := p.Start(t, logging.New(cfg)(deadline(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))))
				defer open()
				res, err := srv.Client().Get(srv.URL)
				require.NoError(t, err)
				_ = res.Body.Close()
				require.Equal(t, 504, res.StatusCode)
				if tt.lost {
					<-l.wrote
					return
				}
				require.Equal(t, "deadline", l.next(t)["outcome"])
			})
		})
	}
}

// slog's own handlers also call ReplaceAttr in WithAttrs, which prepares the attributes
// that log records share.
func TestAReplaceAttrThatPanicsWhileItIsPrepared(t *testing.T) {
	for _, key := range []string{"http.route", "outcome", "url.path", "request_id"} {
		t.Run(key, func(t *testing.T) {
			var b bytes.Buffer
			var panics atomic.Int32
			cfg := logging.Config{Logger: slog.New(slog.NewJSONHandler(&b, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
				if a.Key == key && a.Value.String() != "ReplaceAttr panicked" {
					panics.Add(1)
					panic("x")
				}
				return a
			}}))}
			r := httptest.NewRequest("GET", "/users/7", nil)
			srv := &http.Server{ErrorLog: quietServer.ErrorLog}
			r = r.WithContext(context.WithValue(r.Context(), http.ServerContextKey, srv))
			logging.New(cfg)(jsonMux()).ServeHTTP(httptest.NewRecorder(), r)
			m := map[string]any{}
			require.NoError(t, json.Unmarshal(b.Bytes(), &m), b.String())
			require.Positive(t, panics.Load())
			require.Equal(t, "ReplaceAttr panicked", m[key])
			require.Equal(t, "GET", m["http.request.method"])
		})
	}
}
