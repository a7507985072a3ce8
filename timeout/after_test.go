package timeout_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/timeout"
)

// After the deadline every way of touching the response is refused, and none
// panics, blocks, or is logged.
func TestEverythingIsRefusedAfterTheDeadline(t *testing.T) {
	for _, tc := range []struct {
		desc string
		call func(http.ResponseWriter) error
	}{
		{"Write", func(w http.ResponseWriter) error { _, err := w.Write([]byte("late")); return err }},
		{"WriteString", func(w http.ResponseWriter) error { _, err := io.WriteString(w, "late"); return err }},
		{"io.Copy", func(w http.ResponseWriter) error {
			_, err := io.Copy(w, struct{ io.Reader }{strings.NewReader("late")})
			return err
		}},
		{"Flush", func(w http.ResponseWriter) error { return http.NewResponseController(w).Flush() }},
		{"SetReadDeadline", func(w http.ResponseWriter) error {
			return http.NewResponseController(w).SetReadDeadline(time.Time{})
		}},
		{"SetWriteDeadline", func(w http.ResponseWriter) error {
			return http.NewResponseController(w).SetWriteDeadline(time.Time{})
		}},
		{"EnableFullDuplex", func(w http.ResponseWriter) error { return http.NewResponseController(w).EnableFullDuplex() }},
		{"WriteHeader", func(w http.ResponseWriter) error {
			w.Header().Set("Content-Length", "1")
			w.WriteHeader(http.StatusEarlyHints)
			w.WriteHeader(http.StatusOK)
			w.WriteHeader(http.StatusOK)
			return http.ErrHandlerTimeout
		}},
		{"Push", func(w http.ResponseWriter) error {
			if p, ok := w.(http.Pusher); ok {
				return p.Push("/", nil)
			}
			return http.ErrHandlerTimeout
		}},
	} {
		t.Run(tc.desc, func(t *testing.T) {
			everywhere(t, func(t *testing.T, v variant) {
				t.Parallel()
				errs := make(chan error, 1)
				s := v.start(t, timeout.New(timeout.Config{Limit: limit})(http.HandlerFunc(
					func(w http.ResponseWriter, r *http.Request) {
						<-r.Context().Done()
						errs <- tc.call(w)
					})))
				g := s.get(t)
				assert.Equal(t, http.StatusGatewayTimeout, g.status)
				assert.Equal(t, gatewayTimeout, g.body)
				assert.ErrorIs(t, receive(t, errs, "the late call"), http.ErrHandlerTimeout)
				assert.Empty(t, s.log.String())
			})
		})
	}
}

// In time all of them work as without us.
func TestResponseControllerInTime(t *testing.T) {
	everywhere(t, func(t *testing.T, v variant) {
		s := v.start(t, timeout.New(timeout.Config{Limit: watchdog})(http.HandlerFunc(
			func(w http.ResponseWriter, r *http.Request) {
				rc := http.NewResponseController(w)
				assert.NoError(t, rc.SetReadDeadline(time.Now().Add(watchdog)))
				assert.NoError(t, rc.SetWriteDeadline(time.Now().Add(watchdog)))
				_, err := io.ReadAll(r.Body)
				assert.NoError(t, err)
				if v.major == 1 {
					assert.NoError(t, rc.EnableFullDuplex())
				}
				w.(http.Flusher).Flush()
				assert.NoError(t, rc.Flush())
			})))
		g := s.do(t, s.request(t, http.MethodPost, strings.NewReader("body")))
		assert.Equal(t, http.StatusOK, g.status)
		assert.NoError(t, g.err)
	})
}

// A WriteTimeout that passes before the limit does cancels nothing in net/http
// (golang/go #59602): the client gets an EOF. The deadline answers all the same
// on HTTP/1; on HTTP/2 the server has reset the stream by then.
func TestWriteTimeoutShorterThanTheLimit(t *testing.T) {
	hs := httptest.NewUnstartedServer(timeout.New(timeout.Config{Limit: 2 * limit})(untilDone))
	hs.Config.WriteTimeout = limit
	hs.Start()
	t.Cleanup(hs.Close)
	s := &server{hs.URL, hs.Client(), new(lines)}
	g := s.get(t)
	require.NoError(t, g.err)
	assert.Equal(t, http.StatusGatewayTimeout, g.status)
	assert.Equal(t, gatewayTimeout, g.body)
}

// recorder is the wrapper of a logging middleware: it reads after the handler
// what was written during it, without a lock.
type recorder struct {
	http.ResponseWriter
	status, bytes int
}

func (r *recorder) WriteHeader(code int) {
	r.status = code
	r.ResponseWriter.WriteHeader(code)
}

func (r *recorder) Write(p []byte) (int, error) {
	n, err := r.ResponseWriter.Write(p)
	r.bytes += n
	return n, err
}

func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// A recorder outside sees what went over the wire, and is not raced with, though
// the timer's goroutine has written it.
func TestRecorderOutside(t *testing.T) {
	everywhere(t, func(t *testing.T, v variant) {
		seen := make(chan recorder, 1)
		h := timeout.New(timeout.Config{Limit: limit})(untilDone)
		s := v.start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			rec := &recorder{ResponseWriter: w}
			h.ServeHTTP(rec, r)
			rec.Header().Set("X-Late", "touched")
			seen <- *rec
		}))
		s.get(t)
		rec := receive(t, seen, "what the recorder saw")
		assert.Equal(t, http.StatusGatewayTimeout, rec.status)
		assert.Equal(t, len(gatewayTimeout), rec.bytes)
	})
}

// A recorder inside must not be believed: it sees the handler's 200.
func TestRecorderInside(t *testing.T) {
	everywhere(t, func(t *testing.T, v variant) {
		seen := make(chan recorder, 1)
		s := v.start(t, timeout.New(timeout.Config{Limit: limit})(http.HandlerFunc(
			func(w http.ResponseWriter, r *http.Request) {
				rec := &recorder{ResponseWriter: w}
				<-r.Context().Done()
				_, _ = rec.Write([]byte("late"))
				rec.WriteHeader(http.StatusOK)
				seen <- *rec
			})))
		assert.Equal(t, http.StatusGatewayTimeout, s.get(t).status)
		rec := receive(t, seen, "what the recorder saw")
		assert.Equal(t, http.StatusOK, rec.status)
		assert.Zero(t, rec.bytes)
	})
}
