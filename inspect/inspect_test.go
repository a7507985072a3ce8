package inspect_test

import (
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark"
	"github.com/bulwark-go/bulwark/errmap"
	"github.com/bulwark-go/bulwark/inspect"
	"github.com/bulwark-go/bulwark/internal/testhttp"
	"github.com/bulwark-go/bulwark/limits"
	"github.com/bulwark-go/bulwark/logging"
	"github.com/bulwark-go/bulwark/timeout"
)

// A request is listed with its current activity, and not listed once its handler has
// returned.
func TestActivities(t *testing.T) {
	release := newGate()
	defer release.open()
	wait := func(http.ResponseWriter, *http.Request) { <-release.c }
	for _, tt := range []struct {
		desc   string
		serve  http.HandlerFunc
		h1Only bool
		want   func(request) bool
	}{
		{"in the handler", wait, false, func(r request) bool { return r.Activity == "handler" && !r.Begun }},
		{"reading a body that does not come", func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
		}, false, func(r request) bool { return r.Activity == "reading" && r.BytesIn == 5 }},
		{"in the handler, after a part of the response", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "hello")
			_ = http.NewResponseController(w).Flush()
			<-release.c
		}, false, func(r request) bool { return r.Activity == "handler" && r.Begun && r.BytesOut == 5 }},
		{"writing to a client that does not read", func(w http.ResponseWriter, _ *http.Request) {
			for range 1000 {
				_, _ = w.Write(make([]byte, 100_000))
			}
		}, false, func(r request) bool { return r.Activity == "writing" && r.Begun && r.BytesOut > 0 }},
		{"on a connection of its own", func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				<-release.c
				_ = conn.Close()
			}
		}, true, func(r request) bool { return r.Activity == "hijacked" && r.Left == nil }},
	} {
		t.Run(tt.desc, func(t *testing.T) {
			testhttp.Each(t, func(t *testing.T, p testhttp.Protocol) {
				if tt.h1Only && p == testhttp.HTTP2 {
					return
				}
				release = newGate()
				defer release.open()
				in := inspect.New(inspect.Config{})
				s := p.Start(t, stack(in, time.Minute, io.Discard)(tt.serve))
				body, more := io.Pipe()
				hold := newHolder(s)
				hold.send(t, body)
				_, _ = io.WriteString(more, "hello")
				r := eventually(t, in, func(r report) bool { return len(r.Requests) == 1 && tt.want(r.Requests[0]) })
				assert.Equal(t, 1, r.InFlight)
				assert.Equal(t, map[string]int{r.Requests[0].Activity: 1}, r.Activities)
				release.open()
				_ = more.CloseWithError(io.ErrUnexpectedEOF)
				hold.leave()
				eventually(t, in, none)
			})
		})
	}
}

// holder is a client that sends a request and does not read its response.
type holder struct {
	s      *testhttp.Server
	leave  func()
	client *http.Client
}

func newHolder(s *testhttp.Server) *holder { return &holder{s: s, client: s.Client()} }

func (h *holder) send(t *testing.T, body io.Reader) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.s.URL+"/things/7", body)
	require.NoError(t, err)
	response := make(chan *http.Response, 1)
	go func() {
		res, err := h.client.Do(r)
		if err != nil {
			close(response)
			return
		}
		response <- res
	}()
	h.leave = func() {
		if res, ok := <-response; ok {
			_ = res.Body.Close()
		}
	}
}

// A request that waits for a permit in package limits is queued.
func TestQueued(t *testing.T) {
	in := inspect.New(inspect.Config{})
	release := newGate()
	defer release.open()
	h := bulwark.Chain(stack(in, time.Minute, io.Discard), limits.New(limits.Config{MaxInFlight: 1, MaxQueue: 5, MaxWait: 30 * time.Second}))
	s := testhttp.HTTP1.Start(t, h(http.HandlerFunc(release.wait)))
	send(t, s, http.MethodGet, "/", nil)
	eventually(t, in, func(r report) bool { return r.Activities["handler"] == 1 })
	send(t, s, http.MethodGet, "/", nil)
	r := eventually(t, in, func(r report) bool { return r.Activities["queued"] == 1 })
	assert.Equal(t, 2, r.InFlight)
	release.open()
	eventually(t, in, none)
}

// A handler that runs past its deadline is listed until it returns, as abandoned and
// with the time since the deadline.
func TestAbandoned(t *testing.T) {
	testhttp.Each(t, func(t *testing.T, p testhttp.Protocol) {
		in := inspect.New(inspect.Config{})
		release := newGate()
		defer release.open()
		s := p.Start(t, stack(in, 30*time.Millisecond, io.Discard)(http.HandlerFunc(release.wait)))
		wait := send(t, s, http.MethodGet, "/", nil)
		wait()
		r := eventually(t, in, func(r report) bool { return r.Abandoned == 1 })
		require.Len(t, r.Requests, 1)
		assert.True(t, r.Requests[0].Abandoned)
		require.NotNil(t, r.Requests[0].Left)
		assert.Negative(t, *r.Requests[0].Left)
		release.open()
		eventually(t, in, none)
	})
}

// A request is described as in its log record, with the same redaction.
func TestDescribedAsInTheLog(t *testing.T) {
	in := inspect.New(inspect.Config{})
	var log testhttp.Lines
	release := newGate()
	defer release.open()
	mux := http.NewServeMux()
	mux.HandleFunc("GET example.com/things/{id}", func(_ http.ResponseWriter, _ *http.Request) { <-release.c })
	h := bulwark.Chain(
		in.Middleware, // around the stack, as with bulwark.New
		logging.New(logging.Config{
			Logger:         slog.New(slog.NewJSONHandler(&log, nil)),
			TrustedProxies: []netip.Prefix{netip.MustParsePrefix("192.0.2.1/32")},
		}),
		timeout.New(timeout.Config{Limit: time.Minute}),
	)(mux)
	var wg sync.WaitGroup
	wg.Go(func() {
		r := httptest.NewRequest(http.MethodGet, "http://example.com/things/7?token=hunter2", nil)
		r.Header.Set("User-Agent", "evil\x1b[31m http://bob:hunter2@example.com/?q=hunter2")
		r.Header.Set("X-Forwarded-For", "198.51.100.7")
		r.Header.Set("X-Request-Id", "abc")
		r.Header.Set("Authorization", "Bearer hunter2")
		h.ServeHTTP(httptest.NewRecorder(), r)
	})
	r := eventually(t, in, func(r report) bool { return len(r.Requests) == 1 })
	got := r.Requests[0]
	assert.Equal(t, described{
		ID: "abc", Method: "GET", Route: "/things/{id}", Path: "/things/7", Client: "198.51.100.7", Protocol: "1.1",
		Agent: got.Agent,
	}, got.described)
	w := httptest.NewRecorder()
	req := httptest.NewRequest(http.MethodGet, "/", nil)
	req.Header.Set("Accept", "application/json")
	in.ServeHTTP(w, req)
	release.open()
	wg.Wait()
	assert.NotContains(t, w.Body.String(), "hunter2")
	assert.Contains(t, log.String(), got.Agent[len(got.Agent)-20:])
	assert.NotContains(t, got.Agent, "\x1b")
}

// Without package logging there is no configuration of what may be shown, so only what
// the service itself chose is shown.
func TestWithoutLogging(t *testing.T) {
	in := inspect.New(inspect.Config{})
	release := newGate()
	defer release.open()
	mux := http.NewServeMux()
	mux.HandleFunc("/things/{id}", func(_ http.ResponseWriter, _ *http.Request) { <-release.c })
	mux.HandleFunc("GET  /other things/{id}", func(_ http.ResponseWriter, _ *http.Request) { <-release.c })
	s := testhttp.HTTP1.Start(t, in.Middleware(mux))
	send(t, s, "HACK", "/things/7", nil)
	eventually(t, in, func(r report) bool { return len(r.Requests) == 1 })
	send(t, s, "GET", "/other%20things/7", nil)
	r := eventually(t, in, func(r report) bool { return len(r.Requests) == 2 })
	assert.Equal(t, described{Method: "_OTHER", Route: "/things/{id}"}, r.Requests[0].described)
	assert.Equal(t, described{Method: "GET", Route: "/other things/{id}"}, r.Requests[1].described)
	assert.Nil(t, r.Requests[0].Left)
	release.open()
	eventually(t, in, none)
}

// Handlers that panic or exit leave no entry.
func TestEndsOfHandlers(t *testing.T) {
	for _, serve := range []http.HandlerFunc{
		func(http.ResponseWriter, *http.Request) { panic("x") },
		func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		func(http.ResponseWriter, *http.Request) { runtime.Goexit() },
	} {
		testhttp.Each(t, func(t *testing.T, p testhttp.Protocol) {
			in := inspect.New(inspect.Config{})
			s := p.Start(t, stack(in, time.Minute, io.Discard)(serve))
			send(t, s, http.MethodGet, "/", nil)
			eventually(t, in, func(r report) bool { return none(r) && len(r.Failures) == 1 })
		})
	}
}

// Requests without an entry are served and counted.
func TestMoreThanMaxEntries(t *testing.T) {
	in := inspect.New(inspect.Config{MaxEntries: 100}) // 256, rounded up
	const n = 600
	release := newGate()
	defer release.open()
	h := in.Middleware(http.HandlerFunc(release.wait))
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() { h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil)) })
	}
	r := eventually(t, in, func(r report) bool { return r.InFlight == n })
	assert.Len(t, r.Requests, 256)
	assert.Equal(t, n-256, r.Unlisted)
	release.open()
	wg.Wait()
	r = look(t, in)
	assert.Zero(t, r.InFlight)
	assert.Zero(t, r.Unlisted)
}

// The list grows with the requests in flight, and has each of them once.
func TestManyAtOnce(t *testing.T) {
	in := inspect.New(inspect.Config{})
	const n = 5000
	release := newGate()
	defer release.open()
	h := stack(in, time.Minute, io.Discard)(http.HandlerFunc(release.wait))
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() { h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil)) })
	}
	r := eventually(t, in, func(r report) bool { return r.InFlight == n })
	assert.Zero(t, r.Unlisted)
	assert.Len(t, r.Requests, 500)
	for i := range r.Requests[1:] {
		assert.False(t, r.Requests[i+1].Start.Before(r.Requests[i].Start), "the oldest first")
	}
	release.open()
	wg.Wait()
	assert.Zero(t, look(t, in).InFlight)
}

// If there are two inspectors in a chain, the outermost counts. If one is there twice,
// it lists a request once.
func TestTwice(t *testing.T) {
	in, inner := inspect.New(inspect.Config{}), inspect.New(inspect.Config{})
	h := bulwark.Chain(in.Middleware, in.Middleware, inner.Middleware)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		assert.Equal(t, 1, look(t, in).InFlight)
		assert.Zero(t, look(t, inner).InFlight)
	}))
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
	assert.Zero(t, look(t, in).InFlight)
}

// The requests can be sorted, and selected by route.
func TestOrderAndRoute(t *testing.T) {
	in := inspect.New(inspect.Config{})
	release := newGate()
	defer release.open()
	errs := errmap.New(errmap.Config{})
	mux := http.NewServeMux()
	hold := errs.Handler(func(http.ResponseWriter, *http.Request) error { <-release.c; return nil })
	mux.Handle("GET /b", timeout.Override(10*time.Second)(hold))
	mux.Handle("GET /a", hold)
	mux.Handle("GET /c", timeout.Override(0)(hold))
	s := testhttp.HTTP1.Start(t, stack(in, time.Minute, io.Discard)(mux))
	for i, path := range []string{"/a", "/c", "/b"} {
		send(t, s, http.MethodGet, path, nil)
		eventually(t, in, func(r report) bool { return r.InFlight == i+1 })
	}
	routes := func(query string) (all []string) {
		var r report
		ask(t, in, query, http.StatusOK, &r)
		for _, one := range r.Requests {
			all = append(all, one.Route)
		}
		return all
	}
	assert.Equal(t, []string{"/a", "/c", "/b"}, routes(""))
	assert.Equal(t, []string{"/a", "/b", "/c"}, routes("sort=route"))
	assert.Equal(t, []string{"/b", "/a", "/c"}, routes("sort=left"))
	assert.Equal(t, []string{"/a", "/c", "/b"}, routes("sort=nonsense"))
	assert.Equal(t, []string{"/b"}, routes("route=GET+%2Fb"))
	assert.Empty(t, routes("route="))
	release.open()
	eventually(t, in, none)
}

// Only GET and HEAD are answered, and nothing is cached.
func TestReadOnly(t *testing.T) {
	in := inspect.New(inspect.Config{})
	for method, want := range map[string]int{"GET": 200, "HEAD": 200, "POST": 405, "DELETE": 405, "OPTIONS": 405} {
		w := httptest.NewRecorder()
		in.ServeHTTP(w, httptest.NewRequest(method, "/", strings.NewReader("x")))
		assert.Equal(t, want, w.Code, method)
		assert.Equal(t, "no-store", w.Header().Get("Cache-Control"))
		assert.Equal(t, "nosniff", w.Header().Get("X-Content-Type-Options"))
	}
}

func TestWrongConfig(t *testing.T) {
	assert.PanicsWithValue(t, "inspect: MaxEntries must not be negative", func() { inspect.New(inspect.Config{MaxEntries: -1}) })
	assert.PanicsWithValue(t, "inspect: MaxEntries must be at most 1<<24", func() { inspect.New(inspect.Config{MaxEntries: math.MaxInt}) })
	assert.NotPanics(t, func() { inspect.New(inspect.Config{MaxEntries: 1 << 24}) })
}

// A key names one request, and nothing after that has ended.
func TestUnknownKeys(t *testing.T) {
	in := inspect.New(inspect.Config{})
	var key string
	h := in.Middleware(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		key = look(t, in).Requests[0].Key
		assert.NotNil(t, lookInto(t, in, key).Request)
	}))
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
	for _, k := range []string{key, "", "-", "zzzzzz-1", "0-0", "\x00", "-1-1"} {
		var d detail
		ask(t, in, "key="+strings.ReplaceAll(k, "\x00", "%00"), http.StatusNotFound, &d)
		assert.Nil(t, d.Request)
	}
}

// The handler of a disconnected client is listed until it returns.
func TestDisconnectedClient(t *testing.T) {
	in := inspect.New(inspect.Config{})
	release := newGate()
	defer release.open()
	s := testhttp.HTTP1.Start(t, stack(in, time.Minute, io.Discard)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
		<-release.c
	})))
	conn := s.Dial(t)
	conn.Send(t, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	eventually(t, in, func(r report) bool { return r.InFlight == 1 })
	_ = conn.Close()
	_, _ = conn.In.ReadByte()
	assert.Equal(t, 1, look(t, in).InFlight)
	release.open()
	r := eventually(t, in, func(r report) bool { return none(r) && len(r.Failures) == 1 })
	assert.Equal(t, "client_gone", r.Failures[0].Outcome)
}
