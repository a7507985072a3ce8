package logging_test

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/internal/testhttp"
	"github.com/bulwark-go/bulwark/logging"
	"github.com/bulwark-go/bulwark/timeout"
)

// The log record is the same whether timeout is inside logging or outside.
//
// Reported elsewhere: 503 at the client, 200 in the log, https://github.com/labstack/echo/issues/1953
func TestDeadlineInsideAndOutside(t *testing.T) {
	deadline := timeout.New(timeout.Config{Limit: 30 * time.Millisecond})
	for _, tt := range []struct {
		desc string
		nest func(log, h func(http.Handler) http.Handler) func(http.Handler) http.Handler
	}{
		{"logging outermost", func(log, d func(http.Handler) http.Handler) func(http.Handler) http.Handler {
			return func(h http.Handler) http.Handler { return log(d(h)) }
		}},
		{"timeout outermost", func(log, d func(http.Handler) http.Handler) func(http.Handler) http.Handler {
			return func(h http.Handler) http.Handler { return d(log(h)) }
		}},
	} {
		testhttp.Each(t, func(t *testing.T, p testhttp.Protocol) {
			t.Run(tt.desc, func(t *testing.T) {
				l := newLines()
				release := make(chan struct{})
				h := tt.nest(logging.New(logging.Config{Logger: l.logger(), ResponseHeaders: []string{"Content-Type"}}), deadline)(http.HandlerFunc(
					func(w http.ResponseWriter, r *http.Request) {
						w.Header().Set("X-Mine", "1")
						<-release
						r.Header.Set("User-Agent", "changed")
						r.URL.Path = "/changed"
						r.Method = "CHANGED"
						logging.Add(r.Context(), logAttr("late", "yes"))
						_, _ = io.WriteString(w, "late")
					}))
				s := p.Start(t, h)
				res, err := s.Client().Get(s.URL + "/slow")
				require.NoError(t, err)
				_ = res.Body.Close()
				require.Equal(t, 504, res.StatusCode)
				m := l.next(t)
				require.Equal(t, "deadline", m["outcome"], "%s", m["raw"])
				require.EqualValues(t, 504, m["http.response.status_code"])
				require.Equal(t, true, m["abandoned"])
				require.Equal(t, "/slow", m["url.path"])
				require.Equal(t, "timeout.Error", m["error.type"])
				require.Equal(t, "ERROR", m["level"])
				require.Equal(t, res.Header.Get("X-Request-Id"), m["request_id"])
				require.NotContains(t, m, "late")
				require.NotEmpty(t, m["http.response.header.content-type"], "the answer's, although HTTP/2 has its writer back")
				close(release)
				late := l.next(t)
				require.Equal(t, "http handler ended late", late["msg"])
				require.Equal(t, m["request_id"], late["request_id"])
				require.Equal(t, "yes", late["late"])
				require.Equal(t, "WARN", late["level"])
			})
		})
	}
}

func TestALatePanicIsInTheNote(t *testing.T) {
	testhttp.Each(t, func(t *testing.T, p testhttp.Protocol) {
		release := make(chan struct{})
		h := timeout.New(timeout.Config{Limit: 20 * time.Millisecond, Detach: true})(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			<-release
			thePlace()
		}))
		s := start(t, p, h.ServeHTTP)
		open := opener(t, release)
		got := s.Get(t, "/")
		require.NoError(t, got.Err)
		require.Equal(t, 504, got.Status)
		require.Equal(t, "deadline", s.lines.next(t)["outcome"])
		open()
		late := s.lines.next(t)
		require.Equal(t, "panic", late["outcome"])
		require.Contains(t, late["exception.message"], "boom")
		require.Contains(t, late["exception.stacktrace"], "thePlace")
		require.Equal(t, "ERROR", late["level"])
	})
}

// A body that the client withholds is the client's fault.
func TestWithheldBodyIs408(t *testing.T) {
	l := newLines()
	h := logging.New(logging.Config{Logger: l.logger()})(timeout.New(timeout.Config{Limit: 30 * time.Millisecond})(
		http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.ReadAll(r.Body) })))
	s := testhttp.HTTP1.Start(t, h)
	got := s.Misbehaving().Stall(t, s.Request(t, http.MethodPost, "/", strings.NewReader("abcdefghij")), 3)
	require.Equal(t, 408, got.Status)
	m := l.next(t)
	require.Equal(t, "deadline", m["outcome"])
	require.EqualValues(t, 408, m["http.response.status_code"])
	require.Equal(t, "INFO", m["level"])
	require.EqualValues(t, 3, m["http.request.body.size"])
	if m["abandoned"] == true {
		l.next(t)
	}
}

// A response that the handler has written completely, but net/http has not sent yet,
// is sent at the deadline, and the log record agrees.
func TestADeadlineBeforeTheBuffersRanOver(t *testing.T) {
	for _, size := range []int{100, 3000, 100_000} {
		release := make(chan struct{})
		s := start(t, testhttp.HTTP1, timeout.New(timeout.Config{Limit: 200 * time.Millisecond})(http.HandlerFunc(
			func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Length", strconv.Itoa(size))
				_, _ = w.Write(make([]byte, size))
				<-release
			})).ServeHTTP)
		open := opener(t, release)
		c := s.Dial(t)
		c.Send(t, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		got, _ := io.ReadAll(c)
		require.Greater(t, len(got), size)
		m := s.lines.next(t)
		require.Equal(t, "deadline", m["outcome"])
		require.EqualValues(t, 200, m["http.response.status_code"], "%s", m["raw"])
		open()
	}
}
