package inspect_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime/pprof"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
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

// stuck is the function that the stacks of these tests must name.
//
//go:noinline
func stuck(on <-chan struct{}) { <-on }

const stuckFrame = "github.com/bulwark-go/bulwark/inspect_test.stuck"

// handlerOf returns the functions on the stack of the handler's goroutine.
func handlerOf(t *testing.T, d detail) (functions []string) {
	t.Helper()
	require.NotEmpty(t, d.Goroutines)
	require.True(t, d.Goroutines[0].Handler)
	assert.Equal(t, 1, d.Goroutines[0].Count)
	for _, f := range d.Goroutines[0].Frames {
		functions = append(functions, f.Function[strings.LastIndexByte(f.Function, '/')+1:])
		assert.NotEmpty(t, f.File)
		assert.Positive(t, f.Line)
	}
	return functions
}

// The stack of a handler begins with its own functions, with any middleware around it:
// while the client waits, when it is abandoned, and when it has its own goroutine.
func TestStackOfAHandler(t *testing.T) {
	testhttp.Each(t, func(t *testing.T, p testhttp.Protocol) {
		stackOfAHandler(t, p, time.Minute)
		stackOfAHandler(t, p, 20*time.Millisecond)
	})
}

func stackOfAHandler(t *testing.T, p testhttp.Protocol, limit time.Duration) {
	t.Helper()
	in := inspect.New(inspect.Config{})
	release := newGate()
	defer release.open()
	errs := errmap.New(errmap.Config{})
	mux := http.NewServeMux()
	mux.Handle("GET /things/{id}", errs.Handler(func(http.ResponseWriter, *http.Request) error {
		stuck(release.c)
		return nil
	}))
	inside := bulwark.Chain(limits.New(limits.Config{MaxInFlight: 9}), errs.Recover)(mux)
	s := p.Start(t, stack(in, limit, io.Discard)(inside))
	send(t, s, http.MethodGet, "/things/7", nil)
	r := eventually(t, in, func(r report) bool { return r.InFlight == 1 && r.Requests[0].Abandoned == (limit < time.Second) })
	var d detail
	require.Eventually(t, func() bool { // on a busy machine, the handler may not have begun
		d = lookInto(t, in, r.Requests[0].Key)
		return len(d.Goroutines) > 0 && d.Goroutines[0].Frames[0].Function == stuckFrame
	}, testhttp.Patience, time.Millisecond)
	assert.Equal(t, []string{"inspect_test.stuck", "inspect_test.stackOfAHandler.func1"}, handlerOf(t, d))
	assert.Len(t, d.Goroutines, 1, "the server's own, which waits, is left out")
	release.open()
	eventually(t, in, none)
}

// The call that a handler waits for is part of its stack, for example one of net/http's
// client, and so are the goroutines that it has started.
func TestStackOfWhatAHandlerWaitsFor(t *testing.T) {
	in := inspect.New(inspect.Config{})
	release := newGate()
	defer release.open()
	upstream := testhttp.HTTP1.Start(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release.c }))
	s := testhttp.HTTP1.Start(t, stack(in, time.Minute, io.Discard)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var wg sync.WaitGroup
		wg.Go(func() { stuck(release.c) })
		wg.Go(func() { stuck(release.c) })
		res, err := upstream.Client().Get(upstream.URL)
		if err == nil {
			_ = res.Body.Close()
		}
		wg.Wait()
	})))
	send(t, s, http.MethodGet, "/", nil)
	r := eventually(t, in, func(r report) bool { return r.InFlight == 1 })
	var d detail
	require.Eventually(t, func() bool { // it takes a moment until all three wait
		d = lookInto(t, in, r.Requests[0].Key)
		calls, children := false, 0
		for _, g := range d.Goroutines {
			if g.Frames[0].Function == stuckFrame {
				children += g.Count
			}
			for _, f := range g.Frames {
				calls = calls || g.Handler && f.Function == "net/http.(*Client).Get"
			}
		}
		return calls && children == 2
	}, testhttp.Patience, time.Millisecond)
	assert.Contains(t, handlerOf(t, d), "http.(*Client).Get")
	for _, g := range d.Goroutines[1:] {
		assert.False(t, g.Handler)
	}
	release.open()
	eventually(t, in, none)
}

// labels returns the labels of the calling goroutine.
func labels(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	require.NoError(t, pprof.Lookup("goroutine").WriteTo(&b, 1))
	_, own, ok := strings.Cut(b.String(), "inspect_test.labels")
	require.True(t, ok)
	above := b.String()[:len(b.String())-len(own)]
	above = above[strings.LastIndex(above, "\n1 @"):]
	_, found, _ := strings.Cut(above, "# labels: ")
	found, _, _ = strings.Cut(found, "\n")
	return found
}

// If a handler sets labels by its context, ours remain. Labels from outside are kept,
// and ours are removed when the handler has returned.
func TestLabels(t *testing.T) {
	in := inspect.New(inspect.Config{})
	seen := make(chan string, 8)
	h := stack(in, time.Minute, io.Discard)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		seen <- labels(t)
		pprof.Do(r.Context(), pprof.Labels("mine", "1"), func(ctx context.Context) {
			seen <- labels(t)
			pprof.SetGoroutineLabels(ctx)
			assert.NotNil(t, lookInto(t, in, look(t, in).Requests[0].Key).Request)
			d := lookInto(t, in, look(t, in).Requests[0].Key)
			assert.True(t, d.Goroutines[0].Handler)
		})
		pprof.SetGoroutineLabels(r.Context())
		seen <- labels(t)
	}))
	serve := func(ctx context.Context) {
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil).WithContext(ctx))
	}
	for _, outer := range []bool{false, true} {
		for range 3 {
			if outer {
				pprof.Do(t.Context(), pprof.Labels("outer", "2"), func(ctx context.Context) {
					serve(ctx)
					assert.Equal(t, `{"outer":"2"}`, labels(t))
				})
			} else {
				serve(t.Context())
				assert.Empty(t, labels(t))
			}
			for i := range 3 {
				got := <-seen
				assert.Contains(t, got, `"bulwark.request":"`)
				assert.Equal(t, i == 1, strings.Contains(got, `"mine":"1"`), got)
				assert.Equal(t, outer, strings.Contains(got, `"outer":"2"`), got)
			}
		}
	}
}

// Labels that a middleware in between has put into the request's context are kept, and
// so is the route that is set in the handler's copy of the request.
func TestLabelsBetween(t *testing.T) {
	in := inspect.New(inspect.Config{})
	mux := http.NewServeMux()
	mux.HandleFunc("GET /things/{id}", func(_ http.ResponseWriter, r *http.Request) {
		pprof.Do(r.Context(), pprof.Labels("mine", "1"), func(context.Context) {
			got := labels(t)
			assert.Contains(t, got, `"bulwark.request":"`)
			assert.Contains(t, got, `"mine":"1"`)
			assert.Contains(t, got, `"between":"3"`)
		})
		panic(http.ErrAbortHandler)
	})
	between := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			pprof.Do(r.Context(), pprof.Labels("between", "3"), func(ctx context.Context) { next.ServeHTTP(w, r.WithContext(ctx)) })
		})
	}
	var log testhttp.Lines
	h := bulwark.Chain(logTo(&log), between, in.Middleware)(mux)
	assert.Panics(t, func() {
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/things/7", nil))
	})
	assert.Empty(t, labels(t))
	assert.Contains(t, log.String(), `"http.route":"/things/{id}"`)
}

// The context of a request may be in use on another goroutine before the request gets
// to Middleware.
func TestContextInUse(t *testing.T) {
	in := inspect.New(inspect.Config{})
	var wg sync.WaitGroup
	log := logging.New(logging.Config{
		Logger: slog.New(slog.DiscardHandler),
		OnStart: func(ctx context.Context, _ logging.Record) {
			started := make(chan struct{})
			wg.Go(func() {
				close(started)
				for found := false; !found; {
					_, found = pprof.Label(ctx, "bulwark.request")
				}
			})
			<-started
		},
	})
	serve(bulwark.Chain(log, in.Middleware)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { wg.Wait() })), "/")
}

// Without labels there are no stacks, and everything else works.
func TestNoStacks(t *testing.T) {
	in := inspect.New(inspect.Config{NoStacks: true})
	h := in.Middleware(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		assert.Empty(t, labels(t))
		pprof.Do(r.Context(), pprof.Labels("mine", "1"), func(context.Context) { assert.Equal(t, `{"mine":"1"}`, labels(t)) })
		d := lookInto(t, in, look(t, in).Requests[0].Key)
		assert.NotNil(t, d.Request)
		assert.Empty(t, d.Goroutines)
	}))
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
}

// recording is a logger whose Record is received from the channel.
func recording() (func(http.Handler) http.Handler, <-chan logging.Record) {
	got := make(chan logging.Record, 1)
	return logging.New(logging.Config{
		Logger:   slog.New(slog.DiscardHandler),
		OnRecord: func(_ context.Context, r logging.Record) { got <- r },
	}), got
}

// A Record has the stack as well, also if the client disconnected before the deadline.
func TestStackInTheRecord(t *testing.T) {
	in := inspect.New(inspect.Config{})
	release := newGate()
	defer release.open()
	log, got := recording()
	h := bulwark.Chain(log, in.Middleware)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
		stuck(release.c)
	}))
	s := testhttp.HTTP2.Start(t, h)
	ctx, leave := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL, nil)
	require.NoError(t, err)
	go func() {
		if res, err := s.Client().Do(req); err == nil {
			_ = res.Body.Close()
		}
	}()
	eventually(t, in, func(r report) bool { return r.InFlight == 1 })
	leave()
	r := <-got
	assert.Equal(t, logging.OutcomeClientGone, r.Outcome)
	assert.True(t, r.Abandoned)
	assert.Contains(t, r.HandlerStack, "inspect_test.stuck")
}

// deep is a stack of n frames.
//
//go:noinline
func deep(n int, on <-chan struct{}) int {
	if n == 0 {
		<-on
		return 0
	}
	return deep(n-1, on) + 1
}

// The stack in a log record is bounded, and has the innermost frames. It is the
// handler's although a profile has none of the frames that show that.
func TestLongStackInTheRecord(t *testing.T) {
	testhttp.Each(t, func(t *testing.T, p testhttp.Protocol) {
		in := inspect.New(inspect.Config{})
		release := newGate()
		defer release.open()
		log, got := recording()
		h := bulwark.Chain(log, in.Middleware, timeout.New(timeout.Config{Limit: 20 * time.Millisecond}))(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			deep(1000, release.c)
		}))
		send(t, p.Start(t, h), http.MethodGet, "/", nil)
		stack := testhttp.Await(t, got).HandlerStack
		assert.LessOrEqual(t, len(stack), 4<<10+len("\n…"))
		assert.True(t, strings.HasPrefix(stack, "github.com/bulwark-go/bulwark/inspect_test.deep\n\t/"), stack)
		assert.LessOrEqual(t, strings.Count(stack, "inspect_test.deep\n"), 32)
		assert.True(t, strings.HasSuffix(stack, "\n…"), stack)
		r := eventually(t, in, func(r report) bool { return r.InFlight == 1 })
		for _, f := range handlerOf(t, lookInto(t, in, r.Requests[0].Key)) {
			assert.Equal(t, "inspect_test.deep", f)
		}
		release.open()
		eventually(t, in, none)
	})
}

// A request that is not listed has the labels that it has without Middleware.
func TestLabelsOfAnUnlistedRequest(t *testing.T) {
	in := inspect.New(inspect.Config{MaxEntries: 256})
	release := newGate()
	defer release.open()
	held := in.Middleware(http.HandlerFunc(release.wait))
	var wg sync.WaitGroup
	for range 300 {
		wg.Go(func() { serve(held, "/") })
	}
	eventually(t, in, func(r report) bool { return r.InFlight == 300 })
	h := in.Middleware(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { assert.Equal(t, `{"outer":"2"}`, labels(t)) }))
	pprof.Do(t.Context(), pprof.Labels("outer", "2"), func(ctx context.Context) {
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil).WithContext(ctx))
		assert.Equal(t, `{"outer":"2"}`, labels(t))
	})
	assert.Equal(t, 300, look(t, in).InFlight)
	release.open()
	wg.Wait()
	assert.Zero(t, look(t, in).InFlight)
}

// A goroutine that outlives its request does not get the labels of the request
// that has its slot now.
func TestStaleLabels(t *testing.T) {
	in := inspect.New(inspect.Config{})
	var stale context.Context
	keep := stack(in, time.Minute, io.Discard)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { stale = r.Context() }))
	keep.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
	_, ok := pprof.Label(stale, "bulwark.request")
	assert.False(t, ok)
}

// The log record of an abandoned request says where its handler is, once for each route
// and minute.
func TestStackInTheLogRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := inspect.New(inspect.Config{})
		var log testhttp.Lines
		release := newGate()
		defer release.open()
		mux := http.NewServeMux()
		mux.HandleFunc("GET /a", func(http.ResponseWriter, *http.Request) { stuck(release.c) })
		mux.HandleFunc("GET /b", func(http.ResponseWriter, *http.Request) { stuck(release.c) })
		h := stack(in, time.Second, &log)(mux)
		var wg sync.WaitGroup
		serve := func(path string) {
			wg.Go(func() { h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, path, nil)) })
		}
		want := func(stacks ...bool) {
			time.Sleep(2 * time.Second)
			lines := strings.Split(strings.TrimSpace(log.String()), "\n")
			require.Len(t, lines, len(stacks))
			for i, line := range lines {
				var m map[string]any
				require.NoError(t, json.Unmarshal([]byte(line), &m))
				assert.Equal(t, true, m["abandoned"])
				got, ok := m["handler.stack"].(string)
				assert.Equal(t, stacks[i], ok, line)
				if ok {
					assert.True(t, strings.HasPrefix(got, "github.com/bulwark-go/bulwark/inspect_test.stuck\n\t/"), got)
					assert.NotContains(t, got, "net/http.")
				}
			}
		}
		serve("/a")
		want(true)
		serve("/a")
		want(true, false)
		serve("/b")
		want(true, false, true)
		time.Sleep(time.Minute)
		serve("/a")
		want(true, false, true, true)
		for _, f := range look(t, in).Failures {
			assert.Equal(t, "deadline", f.Outcome)
			assert.True(t, f.Abandoned)
		}
		release.open()
		wg.Wait()
	})
}
