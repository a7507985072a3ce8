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

	"github.com/bulwark-go/bulwark/internal/testhttp"
	"github.com/bulwark-go/bulwark/timeout"
)

// After the deadline every use of the response is refused. None panics, blocks, or is
// logged.
//
// Reported elsewhere:
//   - wrote more than the declared Content-Length, https://github.com/gin-contrib/timeout/issues/1
//   - Write called after Handler finished, https://github.com/labstack/echo/issues/1794
//   - a late panic is dropped, a late Push panics, https://github.com/golang/go/issues/34608
func TestWritesAfterTheDeadlineAreRefused(t *testing.T) {
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
				g := s.Get(t, "/")
				assert.Equal(t, http.StatusGatewayTimeout, g.Status)
				assert.Equal(t, gatewayTimeout, g.Body)
				assert.ErrorIs(t, testhttp.Await(t, errs, "the late call"), http.ErrHandlerTimeout)
				assert.Empty(t, s.Log.String())
			})
		})
	}
}

// Before the deadline all of them work as without the middleware.
//
// Reported elsewhere:
//   - Flush panics, https://github.com/labstack/echo/issues/2592
//   - deadlines are not supported below the wrapper, https://github.com/zeromicro/go-zero/issues/5094
func TestResponseControllerInTime(t *testing.T) {
	everywhere(t, func(t *testing.T, v variant) {
		s := v.start(t, timeout.New(timeout.Config{Limit: testhttp.Patience})(http.HandlerFunc(
			func(w http.ResponseWriter, r *http.Request) {
				rc := http.NewResponseController(w)
				assert.NoError(t, rc.SetReadDeadline(time.Now().Add(testhttp.Patience)))
				assert.NoError(t, rc.SetWriteDeadline(time.Now().Add(testhttp.Patience)))
				_, err := io.ReadAll(r.Body)
				assert.NoError(t, err)
				if v.p == testhttp.HTTP1 {
					assert.NoError(t, rc.EnableFullDuplex())
				}
				w.(http.Flusher).Flush()
				assert.NoError(t, rc.Flush())
			})))
		g := s.Do(s.Request(t, http.MethodPost, "/", strings.NewReader("body")))
		assert.Equal(t, http.StatusOK, g.Status)
		assert.NoError(t, g.Err)
	})
}

// A WriteTimeout that passes before the limit cancels nothing in net/http
// (golang/go #59602), and the client gets an EOF. With the deadline, the client still
// gets the response on HTTP/1. On HTTP/2 the server has reset the stream by then.
//
// Reported elsewhere: WriteTimeout gives an EOF and no cancellation, https://github.com/golang/go/issues/59602
func TestWriteTimeoutShorterThanTheLimit(t *testing.T) {
	s := testhttp.HTTP1.Start(t, timeout.New(timeout.Config{Limit: 2 * limit})(untilDone), func(s *httptest.Server) { s.Config.WriteTimeout = limit })
	g := s.Get(t, "/")
	require.NoError(t, g.Err)
	assert.Equal(t, http.StatusGatewayTimeout, g.Status)
	assert.Equal(t, gatewayTimeout, g.Body)
}

// recorder is the writer of a logging middleware. The middleware reads it after the
// handler has returned, without a lock.
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

// A recorder outside sees the response that was sent, without a data race, although
// the timer's goroutine has written it.
//
// Reported elsewhere:
//   - it must be the first middleware or it races with the logger, https://github.com/labstack/echo/issues/1947
//   - wrappers race with the timeout's goroutine, https://github.com/kubernetes/kubernetes/issues/117052
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
		s.Get(t, "/")
		rec := testhttp.Await(t, seen, "what the recorder saw")
		assert.Equal(t, http.StatusGatewayTimeout, rec.status)
		assert.Equal(t, len(gatewayTimeout), rec.bytes)
	})
}

// A recorder inside is wrong: it sees the handler's 200.
//
// Reported elsewhere: it must be the first middleware or it races with the logger, https://github.com/labstack/echo/issues/1947
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
		assert.Equal(t, http.StatusGatewayTimeout, s.Get(t, "/").Status)
		rec := testhttp.Await(t, seen, "what the recorder saw")
		assert.Equal(t, http.StatusOK, rec.status)
		assert.Zero(t, rec.bytes)
	})
}
