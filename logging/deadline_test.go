package logging_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/logging"
	"github.com/bulwark-go/bulwark/timeout"
)

// The same line, whichever way round logging and timeout are nested.
func TestG35_ADeadlineOnEitherSide(t *testing.T) {
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
		bothProtocols(t, func(t *testing.T, h2 bool) {
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
				s := httptest.NewUnstartedServer(h)
				s.EnableHTTP2 = h2
				if h2 {
					s.StartTLS()
				} else {
					s.Start()
				}
				defer s.Close()
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
	bothProtocols(t, func(t *testing.T, h2 bool) {
		release := make(chan struct{})
		h := timeout.New(timeout.Config{Limit: 20 * time.Millisecond})(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			<-release
			thePlace()
		}))
		s := start(t, h2, h.ServeHTTP)
		open := opener(t, release)
		res, err := s.get(t, "/")
		require.NoError(t, err)
		require.Equal(t, 504, res.StatusCode)
		require.Equal(t, "deadline", s.lines.next(t)["outcome"])
		open()
		late := s.lines.next(t)
		require.Equal(t, "panic", late["outcome"])
		require.Contains(t, late["exception.message"], "boom")
		require.Contains(t, late["exception.stacktrace"], "thePlace")
		require.Equal(t, "ERROR", late["level"])
	})
}

// 408 is the client's own doing.
func TestABodyThatDoesNotComeIs408(t *testing.T) {
	l := newLines()
	h := logging.New(logging.Config{Logger: l.logger()})(timeout.New(timeout.Config{Limit: 30 * time.Millisecond})(
		http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.ReadAll(r.Body) })))
	s := &server{httptest.NewServer(h), l}
	defer s.Close()
	s.raw(t, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc")
	m := l.next(t)
	require.Equal(t, "deadline", m["outcome"])
	require.EqualValues(t, 408, m["http.response.status_code"])
	require.Equal(t, "INFO", m["level"])
	require.EqualValues(t, 3, m["http.request.body.size"])
	if m["abandoned"] == true {
		l.next(t)
	}
}

// Of a response that its handler has written, but net/http not yet sent, nothing
// goes out at the deadline; and the line does not say that something did.
func TestADeadlineBeforeTheBuffersRanOver(t *testing.T) {
	for size, status := range map[int]any{100: nil, 3000: nil, 100_000: 200.0} {
		release := make(chan struct{})
		s := start(t, false, timeout.New(timeout.Config{Limit: 200 * time.Millisecond})(http.HandlerFunc(
			func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Length", strconv.Itoa(size))
				_, _ = w.Write(make([]byte, size))
				<-release
			})).ServeHTTP)
		open := opener(t, release)
		c, _ := s.raw(t, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		got, _ := io.ReadAll(c)
		require.Equal(t, status != nil, len(got) > 0, "%d bytes of %d", len(got), size)
		m := s.lines.next(t)
		require.Equal(t, "deadline", m["outcome"])
		require.Equal(t, status, m["http.response.status_code"], "%s", m["raw"])
		open()
	}
}
