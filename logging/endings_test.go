package logging_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/errmap"
	"github.com/bulwark-go/bulwark/internal/exchange"
	"github.com/bulwark-go/bulwark/internal/testhttp"
	"github.com/bulwark-go/bulwark/logging"
)

func TestEndings(t *testing.T) {
	for _, tt := range []struct {
		desc     string
		handler  http.HandlerFunc
		status   any // nil: not logged
		intended any
		outcome  string
		level    string
		errType  any
	}{
		{"ok", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }, 204.0, nil, "ok", "INFO", nil},
		{"nothing written", func(http.ResponseWriter, *http.Request) {}, 200.0, nil, "ok", "INFO", nil},
		{"4xx", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404) }, 404.0, nil, "ok", "INFO", nil},
		{"5xx", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }, 503.0, nil, "error", "ERROR", "503"},
		{"panic", func(http.ResponseWriter, *http.Request) { panic("boom") }, nil, nil, "panic", "ERROR", "string"},
		{"panic with an error", func(http.ResponseWriter, *http.Request) { panic(&net.OpError{Op: "x"}) }, nil, nil, "panic", "ERROR", "net.OpError"},
		{"panic after a buffered head", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(201); panic("boom") }, nil, 201.0, "panic", "ERROR", "string"},
		{"panic after a flushed head", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(201)
			_ = http.NewResponseController(w).Flush()
			panic("boom")
		}, 201.0, nil, "panic", "ERROR", "string"},
		{"aborted", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, nil, nil, "aborted", "ERROR", "aborted"},
		{"short body", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "10")
			_, _ = io.WriteString(w, "hello")
		}, 200.0, nil, "short_body", "ERROR", "short_body"},
		{"a cause behind a success", func(w http.ResponseWriter, r *http.Request) {
			exchange.From(r.Context()).Notes.AddCause(&net.OpError{Op: "x", Err: errors.New("down")})
			w.WriteHeader(200)
		}, 200.0, nil, "error", "ERROR", "net.OpError"},
		{"a cause behind a 4xx", func(w http.ResponseWriter, r *http.Request) {
			exchange.From(r.Context()).Notes.AddCause(errors.New("no such user"))
			w.WriteHeader(404)
		}, 404.0, nil, "ok", "INFO", nil},
		{"a cut response", func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, "half")
			x := exchange.From(r.Context())
			x.Notes.AddCause(&net.OpError{Op: "x", Err: errors.New("down")})
			x.Notes.SetIntendedStatus(500)
			x.Response().Abort()
		}, 200.0, 500.0, "error", "ERROR", "net.OpError"},
		{"refused", func(w http.ResponseWriter, r *http.Request) {
			exchange.From(r.Context()).Notes.Refuse(errors.New("too many"))
			w.WriteHeader(429)
		}, 429.0, nil, "refused", "INFO", "refused"},
	} {
		testhttp.Each(t, func(t *testing.T, p testhttp.Protocol) {
			t.Run(tt.desc, func(t *testing.T) {
				s := start(t, p, tt.handler)
				s.Get(t, "/")
				m := s.lines.next(t)
				require.Equal(t, tt.outcome, m["outcome"], "%s", m["raw"])
				require.Equal(t, tt.status, m["http.response.status_code"], "%s", m["raw"])
				require.Equal(t, tt.intended, m["status_intended"], "%s", m["raw"])
				require.Equal(t, tt.level, m["level"])
				require.Equal(t, tt.errType, m["error.type"])
			})
		})
	}
}

// The log record of a panic has its message and the stack where it happened.
func TestPanicIsLoggedAndPassedOn(t *testing.T) {
	l := newLines()
	h := logging.New(logging.Config{Logger: l.logger()})(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		thePlace()
	}))
	func() {
		defer func() { require.Equal(t, "boom\n\x1b[31mred", recover()) }()
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
	}()
	m := l.next(t)
	require.Equal(t, `boom\n\x1b[31mred`, m["exception.message"])
	require.Contains(t, m["exception.stacktrace"], "thePlace")
	require.Contains(t, m["exception.stacktrace"], "\n")
}

func thePlace() { panic("boom\n\x1b[31mred") }

func TestGoexitIsAborted(t *testing.T) {
	s := start(t, testhttp.HTTP1, func(http.ResponseWriter, *http.Request) { runtime.Goexit() })
	err := s.Get(t, "/").Err
	require.Error(t, err)
	m := s.lines.next(t)
	require.Equal(t, "aborted", m["outcome"])
	require.NotContains(t, m, "http.response.status_code")
}

// A client that disconnects before anything was sent is logged as 499.
//
// Reported elsewhere:
//   - aborts are not logged, or as 200, https://github.com/pinojs/pino-http/issues/116
//   - status 0 or 500 for a client that left, https://github.com/caddyserver/caddy/issues/7396
func TestDisconnectIsLoggedAs499(t *testing.T) {
	testhttp.Each(t, func(t *testing.T, p testhttp.Protocol) {
		started := make(chan struct{})
		s := start(t, p, func(w http.ResponseWriter, r *http.Request) {
			close(started)
			<-r.Context().Done()
			w.WriteHeader(200) // the client has left
		})
		ctx, cancel := context.WithCancel(t.Context())
		go func() { <-started; cancel() }()
		r, _ := http.NewRequestWithContext(ctx, "GET", s.URL, nil)
		_, err := s.Client().Do(r)
		require.ErrorIs(t, err, context.Canceled)
		m := s.lines.next(t)
		require.Equal(t, "client_gone", m["outcome"], "%s", m["raw"])
		require.EqualValues(t, 499, m["http.response.status_code"])
		require.EqualValues(t, 200, m["status_intended"])
		require.Equal(t, "INFO", m["level"])
		require.Equal(t, "client_gone", m["error.type"])
	})
}

// For a client that disconnects in the middle of the response, the status that it saw
//
// Reported elsewhere: aborts are not logged, or as 200, https://github.com/pinojs/pino-http/issues/116
func TestDisconnectInTheResponse(t *testing.T) {
	testhttp.Each(t, func(t *testing.T, p testhttp.Protocol) {
		s := start(t, p, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, "half")
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		})
		ctx, cancel := context.WithCancel(t.Context())
		r, _ := http.NewRequestWithContext(ctx, "GET", s.URL, nil)
		res, err := s.Client().Do(r)
		require.NoError(t, err)
		cancel()
		_ = res.Body.Close()
		m := s.lines.next(t)
		require.Equal(t, "client_gone", m["outcome"], "%s", m["raw"])
		require.EqualValues(t, 200, m["http.response.status_code"])
	})
}

// If the client disconnects in the middle of its body, the resulting error is not a
// failure of the service.
func TestDisconnectInTheRequestBody(t *testing.T) {
	testhttp.Each(t, func(t *testing.T, p testhttp.Protocol) {
		errs := errmap.New(errmap.Config{})
		reading := make(chan struct{})
		s := start(t, p, errs.Handler(func(w http.ResponseWriter, r *http.Request) error {
			close(reading)
			_, err := io.ReadAll(r.Body)
			return err
		}).ServeHTTP)
		defer s.Client().CloseIdleConnections()
		ctx, cancel := context.WithCancel(t.Context())
		go func() { <-reading; cancel() }()
		body, rest := io.Pipe() // of which nothing comes
		defer context.AfterFunc(ctx, func() { _ = rest.CloseWithError(context.Canceled) })()
		r, _ := http.NewRequestWithContext(ctx, "POST", s.URL, body)
		_, err := s.Client().Do(r)
		require.ErrorIs(t, err, context.Canceled)
		m := s.lines.next(t)
		require.Equal(t, "client_gone", m["outcome"], "%s", m["raw"])
		require.EqualValues(t, 499, m["http.response.status_code"])
		require.Equal(t, "INFO", m["level"])
	})
}

// A write that fails because the client has disconnected is logged as such, even if
// nothing else has noticed yet and the handler returns the error as its own.
func TestFailedWriteIsADisconnect(t *testing.T) {
	for _, tt := range []struct {
		major   int
		failure error
	}{
		{1, &net.OpError{Op: "write", Err: syscall.EPIPE}},
		{1, &net.OpError{Op: "write", Err: syscall.ECONNRESET}},
		{2, &net.OpError{Op: "write", Err: syscall.EPIPE}},
		{2, &net.OpError{Op: "write", Err: net.ErrClosed}},
		{2, errors.New("client disconnected")},
	} {
		l := newLines()
		errs := errmap.New(errmap.Config{})
		h := logging.New(logging.Config{Logger: l.logger()})(errs.Handler(func(w http.ResponseWriter, _ *http.Request) error {
			_, err := io.WriteString(w, "half")
			return err
		}))
		r := httptest.NewRequest("GET", "/", nil)
		r = r.WithContext(context.WithValue(r.Context(), http.ServerContextKey, &http.Server{})) // only below one is it a panic
		r.ProtoMajor = tt.major
		w := failingWriter{httptest.NewRecorder(), tt.failure}
		require.PanicsWithValue(t, http.ErrAbortHandler, func() { h.ServeHTTP(w, r) })
		m := l.next(t)
		require.Equal(t, "client_gone", m["outcome"], "%s", m["raw"])
		require.Equal(t, "INFO", m["level"])
	}
}

type failingWriter struct {
	http.ResponseWriter

	err error
}

func (w failingWriter) Write([]byte) (int, error) { return 0, w.err }

// A client that disconnects after the complete response is not logged as client_gone.
func TestDisconnectAfterTheResponse(t *testing.T) {
	s := start(t, testhttp.HTTP1, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "5")
		_, _ = io.WriteString(w, "hello")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done() // work that no client waits for
	})
	c := s.Dial(t)
	c.Send(t, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	res, err := http.ReadResponse(c.In, nil)
	require.NoError(t, err)
	_, err = io.Copy(io.Discard, res.Body)
	require.NoError(t, err)
	_ = c.Close()
	require.Equal(t, "ok", s.lines.next(t)["outcome"])
}

// If the server's WriteTimeout passes before the response, the client gets nothing, and
// the log record has no status 200.
func TestWriteTimeoutIsNotLoggedAs200(t *testing.T) {
	testhttp.Each(t, func(t *testing.T, p testhttp.Protocol) {
		s := start(t, p, func(w http.ResponseWriter, r *http.Request) {
			<-time.After(700 * time.Millisecond)
			w.WriteHeader(200)
			_, _ = io.WriteString(w, "too late")
		}, func(s *httptest.Server, _ *logging.Config) {
			s.Config.WriteTimeout = 500 * time.Millisecond // bounds the TLS handshake, too
		})
		err := s.Get(t, "/").Err
		require.Error(t, err)
		m := s.lines.next(t)
		require.Equal(t, "write_timeout", m["outcome"], "%s", m["raw"])
		require.NotContains(t, m, "http.response.status_code", "%s", m["raw"])
		require.EqualValues(t, 200, m["status_intended"])
	})
}

// The server sends the last chunk after the handler has returned. If a write deadline
// has passed by then, the response is cut although no write of the handler failed.
func TestLastChunkAfterAWriteDeadline(t *testing.T) {
	const (
		timeout = 300 * time.Millisecond // enough for the flush on a busy machine
		get     = "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
	)
	for _, tt := range []struct {
		desc, request string
		before        http.HandlerFunc
		end, outcome  string
	}{
		{"chunked", get, nil, "1\r\nx\r\n", "write_timeout"},
		{"its own deadline", get, func(w http.ResponseWriter, _ *http.Request) {
			_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(timeout))
		}, "1\r\nx\r\n", "write_timeout"},
		{"no deadline", get, func(w http.ResponseWriter, _ *http.Request) {
			_ = http.NewResponseController(w).SetWriteDeadline(time.Time{})
		}, "1\r\nx\r\n0\r\n\r\n", "ok"},
		{"HTTP/1.0", "GET / HTTP/1.0\r\n\r\n", nil, "\r\n\r\nx", "ok"},
		{"HEAD", "HEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", nil, "\r\n\r\n", "ok"},
		{"declared", get, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1")
		}, "\r\n\r\nx", "ok"},
	} {
		t.Run(tt.desc, func(t *testing.T) {
			s := start(t, testhttp.HTTP1, func(w http.ResponseWriter, r *http.Request) {
				if tt.before != nil {
					tt.before(w, r)
				}
				_, _ = io.WriteString(w, "x")
				_ = http.NewResponseController(w).Flush()
				<-time.After(timeout)
			}, func(s *httptest.Server, _ *logging.Config) { s.Config.WriteTimeout = timeout })
			c := s.Dial(t)
			c.Send(t, tt.request)
			m := s.lines.next(t)
			require.Equal(t, tt.outcome, m["outcome"], "%s", m["raw"])
			require.EqualValues(t, 200, m["http.response.status_code"])
			require.Regexp(t, regexp.QuoteMeta(tt.end)+"$", c.Rest())
		})
	}
}

// In the milliseconds before and after its WriteTimeout a response is complete if and
// only if the log record says so.
func TestEndNearTheWriteTimeout(t *testing.T) {
	const timeout = 100 * time.Millisecond
	outcomes := make(chan logging.Record, 1)
	s := start(t, testhttp.HTTP1, func(w http.ResponseWriter, r *http.Request) {
		early, _ := time.ParseDuration(r.URL.RawQuery)
		returns := time.After(timeout - early)
		_, _ = io.WriteString(w, "x")
		_ = http.NewResponseController(w).Flush()
		<-returns
	}, func(s *httptest.Server, cfg *logging.Config) {
		s.Config.WriteTimeout = timeout
		cfg.OnRecord = func(_ context.Context, r logging.Record) { outcomes <- r }
	})
	for early := -500 * time.Microsecond; early < 3*time.Millisecond; early += 100 * time.Microsecond {
		c := s.Dial(t)
		c.Send(t, "GET /?"+early.String()+" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
		got := c.Rest()
		require.Equal(t, strings.HasSuffix(got, "0\r\n\r\n"), (<-outcomes).Outcome == logging.OutcomeOK, "%v: %q", early, got)
	}
}

// A write fails because the client does not read.
func TestAStuckWriteIsAWriteTimeout(t *testing.T) {
	testhttp.Each(t, func(t *testing.T, p testhttp.Protocol) {
		for _, aborts := range []bool{true, false} { // as a reverse proxy does, or not
			s := start(t, p, func(w http.ResponseWriter, _ *http.Request) {
				_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(300 * time.Millisecond))
				for {
					if _, err := w.Write(make([]byte, 1<<20)); err != nil && aborts {
						panic(http.ErrAbortHandler)
					} else if err != nil {
						return
					}
				}
			})
			if p == testhttp.HTTP2 {
				res, err := s.Client().Get(s.URL)
				require.NoError(t, err)
				defer res.Body.Close()
			} else {
				s.Dial(t).Send(t, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
			}
			m := s.lines.next(t)
			require.Equal(t, "write_timeout", m["outcome"], "%s", m["raw"])
			require.EqualValues(t, 200, m["http.response.status_code"])
			if p == testhttp.HTTP1 { // there the stream is reset, and all that a write says is that
				require.Contains(t, m["error.message"], "i/o timeout")
			}
		}
	})
}

// ErrAbortHandler hides why a proxy aborted. The log record has the cause.
//
// Reported elsewhere: ErrAbortHandler hides the error, https://github.com/golang/go/issues/28239
func TestWriteErrorBehindErrAbortHandlerIsLogged(t *testing.T) {
	s := start(t, testhttp.HTTP1, func(w http.ResponseWriter, _ *http.Request) {
		for {
			if _, err := w.Write(make([]byte, 1<<20)); err != nil {
				panic(http.ErrAbortHandler)
			}
		}
	})
	c := s.Dial(t)
	c.Send(t, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	_ = c.Conn.(*net.TCPConn).SetLinger(0)
	_ = c.Close()
	m := s.lines.next(t)
	require.Equal(t, "client_gone", m["outcome"], "%s", m["raw"])
	require.Contains(t, m["error.message"], "write tcp")
}

// failing is a custom writer that fails.
type failing struct{ http.ResponseWriter }

func (failing) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestAWriteError(t *testing.T) {
	l := newLines()
	logging.New(logging.Config{Logger: l.logger()})(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "x")
	})).ServeHTTP(failing{httptest.NewRecorder()}, httptest.NewRequest("GET", "/", nil))
	m := l.next(t)
	require.Equal(t, "write_error", m["outcome"])
	require.Equal(t, "disk full", m["error.message"])
}

// Reported elsewhere: a WebSocket is logged as 200, https://github.com/gorilla/handlers/issues/224
func TestUpgradeIsLoggedAs101AtItsEnd(t *testing.T) {
	left := make(chan struct{})
	s := start(t, testhttp.HTTP1, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "Upgrade")
		w.Header().Set("Upgrade", "echo")
		w.WriteHeader(101)
		c, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		go func() {
			<-left
			line, _ := rw.ReadString('\n')
			_, _ = rw.WriteString(line)
			_ = rw.Flush()
			_ = c.Close()
		}()
	}, counting)
	h := s.Config.Handler
	s.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(w, r)
		close(left)
	})
	c := s.Dial(t)
	c.Send(t, "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	res, err := http.ReadResponse(c.In, nil)
	require.NoError(t, err)
	require.Equal(t, 101, res.StatusCode)
	s.lines.none(t)
	_, _ = io.WriteString(c, "hello\n")
	_, _ = c.In.ReadString('\n')
	m := s.lines.next(t)
	require.Equal(t, "upgraded", m["outcome"], "%s", m["raw"])
	require.EqualValues(t, 101, m["http.response.status_code"])
	require.EqualValues(t, 6, m["http.request.body.size"])
	require.EqualValues(t, 6, m["http.response.body.size"])
}

func TestBytesOfAChunkedBody(t *testing.T) {
	s := start(t, testhttp.HTTP1, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(w, r.Body)
	})
	res, err := s.Client().Post(s.URL, "text/plain", io.MultiReader(strings.NewReader("hello "), strings.NewReader("world")))
	require.NoError(t, err)
	_ = res.Body.Close()
	m := s.lines.next(t)
	require.EqualValues(t, 11, m["http.request.body.size"])
	require.EqualValues(t, 11, m["http.response.body.size"])
}

// HTTP/2 ends the stream of a response to HEAD with its head. That ends the context of
// a request whose client is still connected.
func TestResponseToHEADIsComplete(t *testing.T) {
	for desc, begin := range map[string]func(http.ResponseWriter) error{
		"written": func(w http.ResponseWriter) error { _, err := w.Write(make([]byte, 10_000)); return err },
		"flushed": func(w http.ResponseWriter) error { return http.NewResponseController(w).Flush() },
	} {
		testhttp.Each(t, func(t *testing.T, p testhttp.Protocol) {
			t.Run(desc, func(t *testing.T) {
				answered := make(chan struct{})
				s := start(t, p, func(w http.ResponseWriter, r *http.Request) {
					err := begin(w)
					if p == testhttp.HTTP2 {
						<-r.Context().Done()
					}
					for range 2 {
						_, werr := w.Write(make([]byte, 10_000))
						err = errors.Join(err, werr, begin(w))
					}
					exchange.From(r.Context()).Notes.AddCause(err)
				})
				go func() {
					defer close(answered)
					res, err := s.Client().Head(s.URL)
					if err == nil {
						_ = res.Body.Close()
					}
				}()
				m := s.lines.next(t)
				<-answered
				require.Equal(t, "ok", m["outcome"], "%s", m["raw"])
				require.EqualValues(t, 200, m["http.response.status_code"], "%s", m["raw"])
			})
		})
	}
}
