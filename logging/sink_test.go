package logging_test

import (
	"context"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/bulwark-go/bulwark/internal/testhttp"
	"github.com/bulwark-go/bulwark/logging"
	"github.com/bulwark-go/bulwark/timeout"
)

// sink hangs in Handle until it is released.
type sink struct {
	slog.Handler
	hangs, release chan struct{}
}

func (s sink) Handle(context.Context, slog.Record) error {
	s.hangs <- struct{}{}
	<-s.release
	return nil
}

// A log record is written before the request's last bytes are flushed, so what the
// server still buffers waits for the sink. The answer at a deadline has been sent
// before.
func TestSlowLogHandler(t *testing.T) {
	for _, tt := range []struct {
		desc  string
		h     http.HandlerFunc
		waits bool
	}{
		{"a small response", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("hello")) }, true},
		{"a response that was flushed", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "5")
			_, _ = w.Write([]byte("hello"))
			_ = http.NewResponseController(w).Flush()
		}, false},
		{"the answer of a deadline, the handler stuck", nil, false},
		{"the answer of a deadline, the handler back", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, false},
	} {
		t.Run(tt.desc, func(t *testing.T) {
			testhttp.Each(t, func(t *testing.T, p testhttp.Protocol) {
				stuck := make(chan struct{})
				h := tt.h
				if h == nil {
					h = func(http.ResponseWriter, *http.Request) { <-stuck }
				}
				sk := sink{slog.DiscardHandler, make(chan struct{}, 10), make(chan struct{})}
				s := p.Start(t, logging.New(logging.Config{Logger: slog.New(enabledSink{sk})})(
					timeout.New(timeout.Config{Limit: 300 * time.Millisecond})(h)))
				defer close(stuck)
				open := opener(t, sk.release)
				defer open()
				answered := make(chan time.Time, 1)
				go func() {
					res, err := s.Client().Get(s.URL)
					if err == nil {
						_ = res.Body.Close()
					}
					answered <- time.Now()
				}()
				<-sk.hangs
				if !tt.waits {
					<-answered // while the sink hangs
					return
				}
				select {
				case <-answered: // HTTP/2 resets the stream at its deadline
					assert.Equal(t, testhttp.HTTP2, p, "the documentation says that the response waits")
					return
				case <-time.After(600 * time.Millisecond): // past the deadline
				}
				assert.Equal(t, testhttp.HTTP1, p)
				open()
				<-answered
			})
		})
	}
}

type enabledSink struct{ sink }

func (enabledSink) Enabled(context.Context, slog.Level) bool { return true }
