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

// TestChiRouter: the router inside the stack, its middleware inside the router.
// The line has the route, with the prefixes of mounted routers.
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
			{"GET", "/v1/users/7", "7", "/v1/users/{id}", 200, logging.OK},
			{"GET", "/v1//users/7", "7", "/v1/users/{id}", 200, logging.OK},
			{"HEAD", "/v1/users/7", "", "/v1/users/{id}", 200, logging.OK},
			{"GET", "/v1/users/404", `{"title":"Not Found","status":404,"detail":"no such user"}`, "/v1/users/{id}", 404, logging.OK},
			{"POST", "/v1/users/7", "", "", 405, logging.OK},
			{"GET", "/nowhere", "404 page not found\n", "", 404, logging.OK},
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
			s.logged(t, 504, logging.Deadline)
		})
	})
}

// TestChiRequestID: two makers of ids give two ids. chi's is that of the
// request's header, so telling it ours makes them one.
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
		{"inside, told ours", inside, []wrapper{ours, middleware.RequestID}, "", true},
		{"inside, the client's", inside, []wrapper{middleware.RequestID}, "client-7", true},
		{"inside, the client's is not clean", inside, []wrapper{middleware.RequestID}, "client 7", false},
		{"inside, told ours, the client's is not clean", inside, []wrapper{ours, middleware.RequestID}, "client 7", true},
	} {
		t.Run(tc.desc, func(t *testing.T) {
			s := stack{at: tc.at, mw: tc.mw}.serve(t, http1, http.HandlerFunc(echo))
			var header []string
			if tc.sent != "" {
				header = append(header, "X-Request-Id: "+tc.sent)
			}
			res := s.get(t, "/", header...).whole(t)
			l := s.logged(t, 200, logging.OK)
			assert.Equal(t, l.RequestID, res.header.Get("X-Request-Id"))
			assert.NotEmpty(t, res.body)
			assert.Equal(t, tc.same, l.RequestID == res.body, "chi has %q, the line %q", res.body, l.RequestID)
		})
	}
}

// TestChiRealIP: the line has the address that stands in the request when
// logging sees it. RealIP believes everybody; TrustedProxies is the way.
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
			assert.Equal(t, tc.want, s.logged(t, 200, logging.OK).Client)
		})
	}
}

// TestChiRecoverer: outside it has nothing to do, and lets a response that was
// cut off break. Inside it takes the panic from us: no cause and no stack in
// the line, no body in the answer, and a response that had begun ends as if it
// were complete.
func TestChiRecoverer(t *testing.T) {
	for _, tc := range []struct {
		desc    string
		at      place
		begun   bool
		status  int
		outcome logging.Outcome
		broken  bool
		known   bool // to the line
	}{
		{desc: "outside", at: outside, status: 500, outcome: logging.Panic, known: true},
		{desc: "outside, in the response", at: outside, begun: true, status: 200, outcome: logging.Panic, broken: true, known: true},
		{desc: "inside", at: inside, status: 500, outcome: logging.Error},
		{desc: "inside, in the response", at: inside, begun: true, status: 200, outcome: logging.OK},
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

// mute takes the place of a logger of chi's: without one its Recoverer prints
// the panic.
func mute(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, middleware.WithLogEntry(r, muted{}))
	})
}

type muted struct{}

func (muted) Write(int, int, http.Header, time.Duration, any) {}
func (muted) Panic(any, []byte)                               {}

// TestChiTimeout: it ends the context, and answers a handler that returns for
// it without a word. It is the shorter of the two wherever it stands, but ends
// nobody who does not listen.
func TestChiTimeout(t *testing.T) {
	for _, tc := range []struct {
		desc    string
		at      place
		chi     time.Duration
		ours    time.Duration
		body    bool // ours answers, with a body
		outcome logging.Outcome
	}{
		{"inside, the shorter", inside, limit, ample, false, logging.Error},
		{"inside, the longer", inside, ample, limit, true, logging.Deadline},
		{"outside, the longer", outside, ample, limit, true, logging.Deadline},
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

// TestChiThrottle: what chi turns away inside has a line, what it turns away
// outside has none.
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
				assert.Equal(t, "/second", s.logged(t, 429, logging.OK).Path)
			}
			assert.Equal(t, "/first", s.logged(t, 200, logging.OK).Path)
			s.quiet(t)
		})
	}
}

// TestChiContext: chi takes its routing context back when ServeHTTP returns. A
// whole stack on a route of it must not leave a handler behind that reads it.
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
		s.logged(t, 504, logging.Deadline)
		for range 10 {
			assert.Equal(t, "2", s.get(t, "/next/2").whole(t).body)
			s.logged(t, 200, logging.OK)
		}
		close(release)
		assert.Equal(t, "1", await(t, read))
	})
}
