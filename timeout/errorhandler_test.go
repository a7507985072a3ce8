package timeout_test

import (
	"context"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/bulwarktest"
	"github.com/bulwark-go/bulwark/errmap"
	"github.com/bulwark-go/bulwark/internal/testhttp"
	"github.com/bulwark-go/bulwark/timeout"
)

// The client gets what ErrorHandler writes, whatever the handler had prepared.
//
// Reported elsewhere: the wrong status, https://github.com/labstack/echo/issues/1804
func TestErrorHandler(t *testing.T) {
	for _, tc := range []struct {
		desc   string
		answer func(http.ResponseWriter, *http.Request, error)
		status int
		body   string
	}{
		{"status and body", func(w http.ResponseWriter, _ *http.Request, err error) {
			http.Error(w, "sorry", http.StatusServiceUnavailable)
		}, http.StatusServiceUnavailable, "sorry\n"},
		{"body alone is a 200", func(w http.ResponseWriter, _ *http.Request, _ error) {
			_, _ = io.WriteString(w, "sorry")
		}, http.StatusOK, "sorry"},
		{"status alone", func(w http.ResponseWriter, _ *http.Request, _ error) {
			w.WriteHeader(http.StatusServiceUnavailable)
		}, http.StatusServiceUnavailable, ""},
		{"the first status", func(w http.ResponseWriter, _ *http.Request, _ error) {
			w.WriteHeader(http.StatusEarlyHints)
			w.WriteHeader(http.StatusServiceUnavailable)
			w.WriteHeader(http.StatusTeapot)
		}, http.StatusServiceUnavailable, ""},
		{"a status without a body", func(w http.ResponseWriter, _ *http.Request, _ error) {
			w.WriteHeader(http.StatusNoContent)
		}, http.StatusNoContent, ""},
		{"nothing", func(http.ResponseWriter, *http.Request, error) {}, http.StatusGatewayTimeout, gatewayTimeout},
		{"a panic", func(w http.ResponseWriter, _ *http.Request, _ error) {
			_, _ = io.WriteString(w, "half an ans")
			panic("boom")
		}, http.StatusGatewayTimeout, gatewayTimeout},
		{"too much", func(w http.ResponseWriter, _ *http.Request, _ error) {
			for err := error(nil); err == nil; {
				_, err = w.Write(make([]byte, 1<<20))
			}
		}, http.StatusGatewayTimeout, gatewayTimeout},
		{"the status of the error", func(w http.ResponseWriter, _ *http.Request, err error) {
			http.Error(w, "x", err.(interface{ StatusCode() int }).StatusCode())
		}, http.StatusGatewayTimeout, "x\n"},
	} {
		t.Run(tc.desc, func(t *testing.T) {
			everywhere(t, func(t *testing.T, v variant) {
				t.Parallel()
				stuck := make(chan struct{})
				s := v.start(t, timeout.New(timeout.Config{Limit: limit, ErrorHandler: tc.answer})(http.HandlerFunc(
					func(w http.ResponseWriter, _ *http.Request) {
						w.Header().Set("Content-Type", "application/json")
						w.Header().Set("Etag", `"success"`)
						<-stuck
					})))
				defer close(stuck)
				g := s.Get(t, "/")
				assert.Equal(t, tc.status, g.Status)
				assert.Equal(t, tc.body, g.Body)
				assert.Empty(t, g.Header.Get("Etag"))
				assert.NotEqual(t, "application/json", g.Header.Get("Content-Type"))
				if tc.status != http.StatusNoContent {
					assert.Equal(t, strconv.Itoa(len(tc.body)), g.Header.Get("Content-Length"))
				}
				assert.NotContains(t, s.Log.String(), "superfluous")
			})
		})
	}
}

// ErrorHandler sees the headers that outer middleware set, and can change them.
//
// Reported elsewhere: headers were already written, and are lost, https://github.com/gin-contrib/timeout/issues/51
func TestErrorHandlerHeaders(t *testing.T) {
	everywhere(t, func(t *testing.T, v variant) {
		h := timeout.New(timeout.Config{Limit: limit, ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) {
			assert.Equal(t, "id", w.Header().Get("X-Request-Id"))
			assert.Empty(t, w.Header().Get("Etag"))
			w.Header().Del("X-Outer")
			w.Header().Set("Retry-After", "1")
			w.Header()["connection"] = []string{"Close"} // net/http sends such a key as it is
			w.WriteHeader(http.StatusServiceUnavailable)
		}})(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			assert.Equal(t, "outer", w.Header().Get("X-Outer"))
			w.Header().Set("Etag", "success")
			w.Header().Del("X-Request-Id")
			<-r.Context().Done()
		}))
		s := v.start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Request-Id", "id")
			w.Header().Set("X-Outer", "outer")
			h.ServeHTTP(w, r)
		}))
		g := s.Get(t, "/")
		assert.Equal(t, http.StatusServiceUnavailable, g.Status)
		assert.Equal(t, "id", g.Header.Get("X-Request-Id"))
		assert.Equal(t, "1", g.Header.Get("Retry-After"))
		assert.Empty(t, g.Header.Get("X-Outer"))
		assert.Empty(t, g.Header.Get("Etag"))
		if v.p == testhttp.HTTP2 {
			assert.Empty(t, g.Header.Values("Connection"), "it makes a response malformed")
		}
	})
}

// ErrorHandler's request is a snapshot that the handler cannot have changed.
//
// Reported elsewhere: a header map is shared with an abandoned handler, https://github.com/kubernetes/kubernetes/issues/105759
func TestErrorHandlerRequest(t *testing.T) {
	everywhere(t, func(t *testing.T, v variant) {
		seen, causes := make(chan *http.Request, 1), make(chan error, 1)
		s := v.start(t, timeout.New(timeout.Config{Limit: limit, ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			seen <- r
			causes <- err
			w.WriteHeader(http.StatusServiceUnavailable)
		}})(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			r.URL.Path, r.Method, r.Host = "/changed", "PATCH", "changed"
			r.Header.Set("Accept", "changed")
			<-r.Context().Done()
		})))
		req := s.Request(t, http.MethodPost, "/", http.NoBody, "Accept: application/problem+json", "Accept-Language: de", "Authorization: secret")
		req.URL.Path, req.URL.RawQuery = "/path", "q=1"
		s.Do(req)
		r := testhttp.Await(t, seen, "the call")
		assert.Equal(t, http.MethodPost, r.Method)
		assert.Equal(t, "/path?q=1", r.URL.String())
		assert.Equal(t, "/path?q=1", r.RequestURI)
		assert.Equal(t, req.URL.Host, r.Host)
		assert.NotEmpty(t, r.RemoteAddr)
		assert.Equal(t, int(v.p), r.ProtoMajor)
		assert.Equal(t, v.p == testhttp.HTTP2, r.TLS != nil)
		assert.Equal(t, http.Header{"Accept": {"application/problem+json"}, "Accept-Language": {"de"}}, r.Header)
		assert.Equal(t, http.NoBody, r.Body)
		assert.NotNil(t, r.Context().Value(http.ServerContextKey))
		assert.Equal(t, context.Cause(r.Context()), <-causes)
	})
}

// The responses to HEAD, and those with a status without a body, have only a header.
func TestErrorHandlerHEAD(t *testing.T) {
	const unknown = -1
	for _, tc := range []struct {
		desc    string
		handler func(http.ResponseWriter, *http.Request, error)
		status  int
		length  int64
	}{
		{"none", nil, 504, int64(len(gatewayTimeout))},
		{"writes a body", func(w http.ResponseWriter, _ *http.Request, _ error) {
			http.Error(w, http.StatusText(http.StatusGatewayTimeout), http.StatusGatewayTimeout)
		}, 504, int64(len(gatewayTimeout))},
		{"writes no body", func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(503) }, 503, unknown},
		{"sets the length of a body", func(w http.ResponseWriter, r *http.Request, _ error) {
			http.ServeContent(w, r, "x.txt", time.Time{}, strings.NewReader("content"))
		}, 200, int64(len("content"))},
		{"sets a wrong length", func(w http.ResponseWriter, _ *http.Request, _ error) {
			w.Header().Set("Content-Length", "-1")
			w.WriteHeader(503)
		}, 503, unknown},
		{"errmap", errmap.New(errmap.Config{}).Write, 504, unknown},
	} {
		t.Run(tc.desc, func(t *testing.T) {
			everywhere(t, func(t *testing.T, v variant) {
				for _, touch := range []bool{true, false} { // the server's header map
					stuck := make(chan struct{})
					cfg := timeout.Config{Limit: limit, ErrorHandler: tc.handler}
					s := v.start(t, timeout.New(cfg)(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
						if touch {
							w.Header().Set("X", "y")
						}
						<-stuck
					})))
					res, err := s.Client().Do(s.Request(t, http.MethodHead, "/", http.NoBody))
					require.NoError(t, err)
					assert.Equal(t, tc.status, res.StatusCode)
					assert.Equal(t, tc.length, res.ContentLength)
					require.NoError(t, res.Body.Close())
					close(stuck)
				}
			})
		})
	}
}

// ErrorHandler is also called for a stalled body and for a spent budget, with the
// phase in its error.
func TestErrorHandlerOfStalledBodyAndSpentBudget(t *testing.T) {
	phases := make(chan timeout.Phase, 1)
	cfg := timeout.Config{Limit: limit, TrustCaller: everyone, ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
		phases <- err.(*timeout.Error).Phase //nolint:errorlint // what it is called with
		w.WriteHeader(http.StatusTeapot)
	}}
	everywhere(t, func(t *testing.T, v variant) {
		reads := make(chan error, 1)
		s := v.start(t, timeout.New(cfg)(reader(reads, nil)))
		pr, pw := io.Pipe()
		defer pw.Close()
		assert.Equal(t, http.StatusTeapot, s.Do(s.Request(t, http.MethodPost, "/", pr)).Status)
		assert.Equal(t, timeout.PhaseBody, testhttp.Await(t, phases, "the call"))
		assert.Equal(t, http.StatusTeapot, s.Do(s.Request(t, http.MethodGet, "/", http.NoBody, "Grpc-Timeout: 0S")).Status)
		assert.Equal(t, timeout.PhaseBudget, testhttp.Await(t, phases, "the call"))
	})
}

// An ErrorHandler that hangs delays only its own response.
func TestErrorHandlerThatHangs(t *testing.T) {
	hang := make(chan struct{})
	s := variants[0].start(t, timeout.New(timeout.Config{Limit: limit, ErrorHandler: func(_ http.ResponseWriter, r *http.Request, _ error) {
		if r.URL.Path == "/hang" {
			<-hang
		}
	}})(untilDone))
	held := make(chan bulwarktest.Result, 1)
	req := s.Request(t, http.MethodGet, "/", http.NoBody)
	req.URL.Path = "/hang"
	go func() { held <- s.Do(req) }()
	g := s.Get(t, "/")
	assert.Equal(t, http.StatusGatewayTimeout, g.Status)
	assert.Less(t, g.Took, soon)
	assert.Empty(t, held)
	time.AfterFunc(limit, func() { close(hang) })
	assert.Equal(t, http.StatusGatewayTimeout, testhttp.Await(t, held, "the answer that was held up").Status)
}

// lockedError is an error whose Unwrap method needs a lock.
type lockedError struct{ sync.Mutex }

func (*lockedError) Error() string { return "locked" }

func (e *lockedError) Unwrap() error {
	e.Lock()
	defer e.Unlock()
	return nil
}

// The response at the deadline does not wait for the methods of an error that was
// recorded before, because they may need a lock that the stuck handler holds.
func TestDeadlineWithALockedError(t *testing.T) {
	errs := errmap.New(errmap.Config{})
	for desc, answer := range map[string]func(http.ResponseWriter, *http.Request, error){"default": nil, "errmap": errs.Write} {
		t.Run(desc, func(t *testing.T) {
			everywhere(t, func(t *testing.T, v variant) {
				stuck := make(chan struct{})
				s := v.start(t, timeout.New(timeout.Config{Limit: limit, ErrorHandler: answer})(http.HandlerFunc(
					func(_ http.ResponseWriter, r *http.Request) {
						err := new(lockedError)
						errs.Note(r, err)
						err.Lock()
						defer err.Unlock()
						<-r.Context().Done()
						<-stuck
					})))
				defer close(stuck)
				g := s.Get(t, "/")
				assert.Equal(t, http.StatusGatewayTimeout, g.Status)
				assert.Less(t, g.Took, soon)
			})
		})
	}
}
