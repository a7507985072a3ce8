package logging_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/internal/testhttp"
	"github.com/bulwark-go/bulwark/logging"
	"github.com/bulwark-go/bulwark/timeout"
)

// breaking is a slog handler that fails in one of its methods.
type breaking struct {
	slog.Handler
	enabled, handle func()
}

func (b breaking) Enabled(ctx context.Context, l slog.Level) bool {
	if b.enabled != nil && l < 1<<20 {
		b.enabled()
	}
	return b.Handler.Enabled(ctx, l)
}

func (b breaking) Handle(ctx context.Context, r slog.Record) error {
	if b.handle != nil {
		b.handle()
	}
	return b.Handler.Handle(ctx, r)
}

// A panic at the deadline is on a timer's goroutine, where it would end the process,
// and runtime.Goexit would skip the rest of the work. The client gets its 504 all the
// same, and the record is written unless the slog handler cannot write it.
func TestPanicOfALogHandlerAtTheDeadline(t *testing.T) {
	cycle := map[string]any{} // to print it would end the process
	cycle["self"] = cycle
	breaks := map[string]func(){
		"panic": func() { panic("boom") }, "panic with a cycle": func() { panic(cycle) }, "Goexit": runtime.Goexit,
	}
	for how, f := range breaks {
		for _, tc := range []struct {
			desc string
			cfg  logging.Config
			slog func(slog.Handler) slog.Handler
			tout timeout.Config
			none bool // no record can be written
		}{
			{desc: "Enabled", slog: func(h slog.Handler) slog.Handler { return breaking{Handler: h, enabled: f} }},
			{desc: "Handle", slog: func(h slog.Handler) slog.Handler { return breaking{Handler: h, handle: f} }, none: true},
			{desc: "Level", cfg: logging.Config{Level: func(logging.Record) slog.Level { f(); return 0 }}},
			{desc: "nil LevelVar", cfg: logging.Config{Level: func(logging.Record) slog.Level { return (*slog.LevelVar)(nil).Level() }}},
			{desc: "Sample", cfg: logging.Config{Sample: func(logging.Record) float64 { f(); return 1 }}},
			{desc: "OnRecord", cfg: logging.Config{OnRecord: func(context.Context, logging.Record) { f() }}},
			{desc: "ErrorHandler", tout: timeout.Config{ErrorHandler: func(http.ResponseWriter, *http.Request, error) { f() }}},
			{desc: "WriteHeader(1000)", tout: timeout.Config{ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(1000) }}},
			{desc: "WriteHeader(-1)", tout: timeout.Config{ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(-1) }}},
			{desc: "headers, then", tout: timeout.Config{ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) {
				w.Header().Set("Content-Encoding", "gzip")
				_, _ = io.WriteString(w, "half")
				f()
			}}},
		} {
			t.Run(how+"/"+tc.desc, func(t *testing.T) {
				testhttp.Each(t, func(t *testing.T, p testhttp.Protocol) {
					got := newLines()
					tc.cfg.Logger = got.logger()
					if tc.slog != nil {
						tc.cfg.Logger = slog.New(tc.slog(got))
					}
					tc.tout.Limit = 50 * time.Millisecond
					stuck := make(chan struct{})
					s := p.Start(t, logging.New(tc.cfg)(timeout.New(tc.tout)(http.HandlerFunc(
						func(http.ResponseWriter, *http.Request) { <-stuck }))))
					defer close(stuck)
					res := s.Get(t, "/")
					require.NoError(t, res.Err)
					assert.Equal(t, http.StatusGatewayTimeout, res.Status)
					assert.Equal(t, "Gateway Timeout\n", res.Body)
					assert.Empty(t, res.Header.Get("Content-Encoding"))
					if !tc.none {
						assert.Equal(t, "deadline", got.next(t)["outcome"])
					}
				})
			})
		}
	}
}

// Without an http.Server, for example below net/http/fcgi, nothing recovers the panic
// that aborts a response, and it would end the process.
// net/http/httputil.ReverseProxy checks for a server, too.
func TestAbortPanicsOnlyBelowAServer(t *testing.T) {
	mw := timeout.New(timeout.Config{Limit: 20 * time.Millisecond})
	h := mw(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "begun")
		<-r.Context().Done()
	}))
	r := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
	assert.NotPanics(t, func() { h.ServeHTTP(httptest.NewRecorder(), r) })
	below := r.WithContext(context.WithValue(r.Context(), http.ServerContextKey, &http.Server{ReadHeaderTimeout: time.Second}))
	assert.PanicsWithValue(t, http.ErrAbortHandler, func() { h.ServeHTTP(httptest.NewRecorder(), below) })
}
