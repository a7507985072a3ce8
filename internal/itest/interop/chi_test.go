package interop_test

import (
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/stretchr/testify/assert"

	"github.com/bulwark-go/bulwark"
	"github.com/bulwark-go/bulwark/logging"
	"github.com/bulwark-go/bulwark/timeout"
)

// TestChiRouter: the router is inside the stack, and its middleware inside the router.
// The log record has the route, with the prefixes of mounted routers.
func TestChiRouter(t *testing.T) {
	each(t, protocols, func(t *testing.T, p protocol) {
		st := stack{errs: mapper()}
		r := chi.NewRouter()
		r.Use(middleware.CleanPath, middleware.GetHead, middleware.NoCache)
		r.Route("/v1", func(r chi.Router) {
			r.Method(http.MethodGet, "/users/{id}", st.errs.Handler(func(w http.ResponseWriter, r *http.Request) error {
				if id := chi.URLParam(r, "id"); id != "404" {
					_, err := io.WriteString(w, id)
					return err
				}
				return errNotFound
			}))
			r.With(timeout.Override(limit)).Get("/slow", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		})
		s := st.serve(t, p, r)
		for _, tc := range []struct {
			method, path, body, route string
			status                    int
			outcome                   logging.Outcome
		}{
			{"GET", "/v1/users/7", "7", "/v1/users/{id}", 200, logging.OutcomeOK},
			{"GET", "/v1//users/7", "7", "/v1/users/{id}", 200, logging.OutcomeOK},
			{"HEAD", "/v1/users/7", "", "/v1/users/{id}", 200, logging.OutcomeOK},
			{"GET", "/v1/users/404", `{"title":"Not Found","status":404,"detail":"no such user"}`, "/v1/users/{id}", 404, logging.OutcomeOK},
			{"POST", "/v1/users/7", "", "", 405, logging.OutcomeOK},
			{"GET", "/nowhere", "404 page not found\n", "", 404, logging.OutcomeOK},
		} {
			t.Run(tc.method+" "+tc.path, func(t *testing.T) {
				res := s.do(s.request(t, tc.method, tc.path, nil)).whole(t)
				assert.Equal(t, tc.status, res.status)
				if tc.status == 404 && tc.route != "" {
					assert.JSONEq(t, tc.body, res.body)
				} else {
					assert.Equal(t, tc.body, res.body)
				}
				l := s.logged(t, tc.status, tc.outcome)
				assert.Equal(t, tc.route, l.Route)
			})
		}
		t.Run("slow", func(t *testing.T) {
			assert.Equal(t, 504, s.get(t, "/v1/slow").whole(t).status)
			s.logged(t, 504, logging.OutcomeDeadline)
		})
	})
}

// TestChiRequestID: two generators make two ids. chi's takes the id in the request's
// header, so passing ours on in the header makes them one.
func TestChiRequestID(t *testing.T) {
	echo := func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, middleware.GetReqID(r.Context()))
	}
	ours := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r.Header.Set(middleware.RequestIDHeader, logging.RequestID(r.Context()))
			next.ServeHTTP(w, r)
		})
	}
	for _, tc := range []struct {
		desc string
		at   place
		mw   []wrapper
		sent string // by the client
		same bool
	}{
		{"outside", outside, []wrapper{middleware.RequestID}, "", false},
		{"inside", inside, []wrapper{middleware.RequestID}, "", false},
		{"inside, with our id", inside, []wrapper{ours, middleware.RequestID}, "", true},
		{"inside, the client's", inside, []wrapper{middleware.RequestID}, "client-7", true},
		{"inside, the client's is not clean", inside, []wrapper{middleware.RequestID}, "client 7", true}, // logging has replaced it
		{"inside, with our id, the client's is not clean", inside, []wrapper{ours, middleware.RequestID}, "client 7", true},
	} {
		t.Run(tc.desc, func(t *testing.T) {
			s := stack{at: tc.at, mw: tc.mw}.serve(t, http1, http.HandlerFunc(echo))
			var header []string
			if tc.sent != "" {
				header = append(header, "X-Request-Id: "+tc.sent)
			}
			res := s.get(t, "/", header...).whole(t)
			l := s.logged(t, 200, logging.OutcomeOK)
			assert.Equal(t, l.RequestID, res.header.Get("X-Request-Id"))
			assert.NotEmpty(t, res.body)
			assert.Equal(t, tc.same, l.RequestID == res.body, "chi has %q, the log record %q", res.body, l.RequestID)
		})
	}
}

// TestChiRealIP: the log record has the address that is in the request when it reaches
// logging. RealIP trusts every client. Use TrustedProxies instead.
func TestChiRealIP(t *testing.T) {
	const claimed = "203.0.113.7"
	for _, tc := range []struct {
		at   place
		want string
	}{
		{outside, claimed},
		{inside, "127.0.0.1"},
	} {
		t.Run(string(tc.at), func(t *testing.T) {
			var seen string
			//nolint:staticcheck // deprecated for what this test shows, and in use all the same
			s := stack{at: tc.at, mw: []wrapper{middleware.RealIP}}.serve(t, http1, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				seen = r.RemoteAddr
			}))
			s.get(t, "/", "X-Real-IP: "+claimed).whole(t)
			assert.Equal(t, claimed, seen)
			assert.Equal(t, tc.want, s.logged(t, 200, logging.OutcomeOK).Client)
		})
	}
}

// TestChiRecoverer: outside it has no effect, and passes the abort of a response on.
// Inside it recovers the panic before Recover: there is no cause and no stack in the log
// record and no body in the response, and a response that had started looks complete.
func TestChiRecoverer(t *testing.T) {
	for _, tc := range []struct {
		desc    string
		at      place
		begun   bool
		status  int
		outcome logging.Outcome
		broken  bool
		known   bool // it is logged
	}{
		{desc: "outside", at: outside, status: 500, outcome: logging.OutcomePanic, known: true},
		{desc: "outside, in the response", at: outside, begun: true, status: 200, outcome: logging.OutcomePanic, broken: true, known: true},
		{desc: "inside", at: inside, status: 500, outcome: logging.OutcomeError},
		{desc: "inside, in the response", at: inside, begun: true, status: 200, outcome: logging.OutcomeOK},
	} {
		t.Run(tc.desc, func(t *testing.T) {
			each(t, protocols, func(t *testing.T, p protocol) {
				s := stack{noisy: tc.at == inside && tc.begun, at: tc.at, mw: []wrapper{mute, middleware.Recoverer}}.serve(t, p, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					if tc.begun {
						flush(w, half)
					}
					panic("boom")
				}))
				res := s.get(t, "/")
				assert.Equal(t, tc.status, res.status)
				assert.Equal(t, tc.broken, res.err != nil, "%v", res.err)
				l := s.logged(t, tc.status, tc.outcome)
				assert.Equal(t, tc.known, l.Panic == "boom")
				assert.Equal(t, tc.known, l.Stack != "")
			})
		})
	}
}

// mute replaces chi's logger. Without a logger its Recoverer prints the panic.
func mute(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, middleware.WithLogEntry(r, muted{}))
	})
}

type muted struct{}

func (muted) Write(int, int, http.Header, time.Duration, any) {}
func (muted) Panic(any, []byte)                               {}

// TestChiTimeout: it ends the context, and answers without a body if the handler returns
// for that. Wherever it is, the shorter of the two timeouts counts, but chi's ends no
// handler that ignores its context.
func TestChiTimeout(t *testing.T) {
	for _, tc := range []struct {
		desc    string
		at      place
		chi     time.Duration
		ours    time.Duration
		body    bool // timeout's response, with a body
		outcome logging.Outcome
	}{
		{"inside, the shorter", inside, limit, ample, false, logging.OutcomeError},
		{"inside, the longer", inside, ample, limit, true, logging.OutcomeDeadline},
		{"outside, the longer", outside, ample, limit, true, logging.OutcomeDeadline},
	} {
		t.Run(tc.desc, func(t *testing.T) {
			s := stack{timeout: timeout.Config{Limit: tc.ours}, at: tc.at, mw: []wrapper{middleware.Timeout(tc.chi)}}.
				serve(t, http1, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
			res := s.get(t, "/").whole(t)
			assert.Equal(t, 504, res.status)
			assert.Equal(t, tc.body, res.body != "")
			s.logged(t, 504, tc.outcome)
		})
	}
}

// TestChiThrottle: requests that chi refuses inside are logged, requests that it refuses
// outside are not.
func TestChiThrottle(t *testing.T) {
	for _, at := range []place{outside, inside} {
		t.Run(string(at), func(t *testing.T) {
			running, release := make(chan struct{}), make(chan struct{})
			s := stack{at: at, mw: []wrapper{middleware.Throttle(1)}}.serve(t, http1, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
				close(running)
				<-release
			}))
			first := make(chan got)
			req := s.request(t, http.MethodGet, "/first", nil)
			go func() { first <- s.do(req) }()
			await(t, running)
			assert.Equal(t, 429, s.get(t, "/second").whole(t).status)
			close(release)
			await(t, first).whole(t)
			if at == inside {
				assert.Equal(t, "/second", s.logged(t, 429, logging.OutcomeOK).Path)
			}
			assert.Equal(t, "/first", s.logged(t, 200, logging.OutcomeOK).Path)
			s.quiet(t)
		})
	}
}

// TestChiContext: chi reuses its routing context when ServeHTTP returns. A whole stack on
// one of its routes must not leave a handler behind that reads it.
func TestChiContext(t *testing.T) {
	each(t, []protocol{http1, http2}, func(t *testing.T, p protocol) {
		release, read := make(chan struct{}), make(chan string, 1)
		st := stack{}
		late := timeout.New(timeout.Config{Limit: limit})
		r := chi.NewRouter()
		r.With(late).Get("/late/{id}", func(_ http.ResponseWriter, r *http.Request) {
			<-release
			read <- chi.URLParam(r, "id")
		})
		r.Get("/next/{id}", func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, chi.URLParam(r, "id")) })
		s := st.serve(t, p, bulwark.Chain()(r))
		res := s.get(t, "/late/1")
		assert.Equal(t, 504, res.status)
		s.logged(t, 504, logging.OutcomeDeadline)
		for range 10 {
			assert.Equal(t, "2", s.get(t, "/next/2").whole(t).body)
			s.logged(t, 200, logging.OutcomeOK)
		}
		close(release)
		assert.Equal(t, "1", await(t, read))
	})
}
