package timeout_test

import (
	"context"
	"io"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/timeout"
)

// What an ErrorHandler writes is the answer, whatever it is and whatever the
// handler had prepared.
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
				g := s.get(t)
				assert.Equal(t, tc.status, g.status)
				assert.Equal(t, tc.body, g.body)
				assert.Empty(t, g.header.Get("Etag"))
				assert.NotEqual(t, "application/json", g.header.Get("Content-Type"))
				if tc.status != http.StatusNoContent {
					assert.Equal(t, strconv.Itoa(len(tc.body)), g.header.Get("Content-Length"))
				}
				assert.NotContains(t, s.log.String(), "superfluous")
			})
		})
	}
}

// It sees what outer middleware set, and can add to it and take from it.
func TestErrorHandlerHeaders(t *testing.T) {
	everywhere(t, func(t *testing.T, v variant) {
		h := timeout.New(timeout.Config{Limit: limit, ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) {
			assert.Equal(t, "id", w.Header().Get("X-Request-Id"))
			assert.Empty(t, w.Header().Get("Etag"))
			w.Header().Del("X-Outer")
			w.Header().Set("Retry-After", "1")
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
		g := s.get(t)
		assert.Equal(t, http.StatusServiceUnavailable, g.status)
		assert.Equal(t, "id", g.header.Get("X-Request-Id"))
		assert.Equal(t, "1", g.header.Get("Retry-After"))
		assert.Empty(t, g.header.Get("X-Outer"))
		assert.Empty(t, g.header.Get("Etag"))
	})
}

// Its request is a snapshot: what no handler can have changed.
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
		req := s.request(t, http.MethodPost, http.NoBody, "Accept: application/problem+json", "Accept-Language: de", "Authorization: secret")
		req.URL.Path, req.URL.RawQuery = "/path", "q=1"
		s.do(t, req)
		r := receive(t, seen, "the call")
		assert.Equal(t, http.MethodPost, r.Method)
		assert.Equal(t, "/path?q=1", r.URL.String())
		assert.Equal(t, "/path?q=1", r.RequestURI)
		assert.Equal(t, req.URL.Host, r.Host)
		assert.NotEmpty(t, r.RemoteAddr)
		assert.Equal(t, v.major, r.ProtoMajor)
		assert.Equal(t, v.major == 2, r.TLS != nil)
		assert.Equal(t, http.Header{"Accept": {"application/problem+json"}, "Accept-Language": {"de"}}, r.Header)
		assert.Equal(t, http.NoBody, r.Body)
		assert.NotNil(t, r.Context().Value(http.ServerContextKey))
		assert.Equal(t, context.Cause(r.Context()), <-causes)
	})
}

// HEAD and what has no body get the head alone.
func TestErrorHandlerHEAD(t *testing.T) {
	everywhere(t, func(t *testing.T, v variant) {
		for _, cfg := range []timeout.Config{
			{Limit: limit},
			{Limit: limit, ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) {
				http.Error(w, http.StatusText(http.StatusGatewayTimeout), http.StatusGatewayTimeout)
			}},
		} {
			stuck := make(chan struct{})
			s := v.start(t, timeout.New(cfg)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-stuck })))
			res, err := s.client.Do(s.request(t, http.MethodHead, http.NoBody))
			require.NoError(t, err)
			assert.Equal(t, http.StatusGatewayTimeout, res.StatusCode)
			assert.Equal(t, int64(len(gatewayTimeout)), res.ContentLength)
			require.NoError(t, res.Body.Close())
			close(stuck)
		}
	})
}

// It answers for a stalled body and for a spent budget as well, and is told
// which it was.
func TestErrorHandlerIsTold(t *testing.T) {
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
		assert.Equal(t, http.StatusTeapot, s.do(t, s.request(t, http.MethodPost, pr)).status)
		assert.Equal(t, timeout.PhaseBody, receive(t, phases, "the call"))
		assert.Equal(t, http.StatusTeapot, s.do(t, s.request(t, http.MethodGet, http.NoBody, "Grpc-Timeout: 0S")).status)
		assert.Equal(t, timeout.PhaseBudget, receive(t, phases, "the call"))
	})
}

// One that hangs holds up its own answer, and no other request.
func TestErrorHandlerThatHangs(t *testing.T) {
	hang := make(chan struct{})
	s := variants[0].start(t, timeout.New(timeout.Config{Limit: limit, ErrorHandler: func(_ http.ResponseWriter, r *http.Request, _ error) {
		if r.URL.Path == "/hang" {
			<-hang
		}
	}})(untilDone))
	held := make(chan got, 1)
	req := s.request(t, http.MethodGet, http.NoBody)
	req.URL.Path = "/hang"
	go func() { held <- s.do(t, req) }()
	g := s.get(t)
	assert.Equal(t, http.StatusGatewayTimeout, g.status)
	assert.Less(t, g.took, watchdog/2)
	assert.Empty(t, held)
	time.AfterFunc(limit, func() { close(hang) })
	assert.Equal(t, http.StatusGatewayTimeout, receive(t, held, "the answer that was held up").status)
}
