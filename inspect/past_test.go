package inspect_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
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
)

func serve(h http.Handler, path string) {
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, path, nil))
}

// A request is counted in the interval in which it ended, by route. Intervals without a
// request are empty.
func TestPast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := inspect.New(inspect.Config{})
		mux := http.NewServeMux()
		mux.HandleFunc("GET /fast", func(http.ResponseWriter, *http.Request) { time.Sleep(10 * time.Millisecond) })
		mux.HandleFunc("GET /slow", func(http.ResponseWriter, *http.Request) { time.Sleep(2 * time.Second) })
		mux.HandleFunc("GET /bad", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
		h := stack(in, time.Minute, io.Discard)(mux)
		for range 10 {
			serve(h, "/fast")
		}
		serve(h, "/slow")
		time.Sleep(5 * time.Second)
		for range 5 {
			serve(h, "/bad")
		}
		time.Sleep(12 * time.Second)
		r := look(t, in)
		got := map[string]string{}
		for _, one := range r.Routes {
			got[one.Route] = fmt.Sprint(one.Outcomes, one.Rate, one.Failed)
			for _, p := range [][]float64{one.P50, one.P99} {
				assert.Len(t, p, len(one.Rate))
			}
			switch one.Route {
			case "GET /fast":
				assert.InEpsilon(t, 0.010, one.P50[0], 0.4)
				assert.InEpsilon(t, 0.010, one.P99[0], 0.4)
				assert.Zero(t, one.P50[1])
			case "GET /slow":
				assert.InEpsilon(t, 2.0, one.P99[0], 0.4)
			}
		}
		assert.InDelta(t, 5, r.Interval, 0)
		assert.Equal(t, map[string]string{
			"GET /fast": "map[ok:10] [2 0 0] [0 0 0]",
			"GET /slow": "map[ok:1] [0.2 0 0] [0 0 0]",
			"GET /bad":  "map[error:5] [0 1 0] [0 1 0]",
		}, got)
		assert.Equal(t, 2*len(got), strings.Count(get(t, in, "").Body.String(), "<svg "), "two plots of each route")
		time.Sleep(11 * time.Minute)
		for _, one := range look(t, in).Routes {
			assert.Empty(t, one.Outcomes, "it is long ago")
			assert.Len(t, one.Rate, 119)
		}
	})
}

// A service with made-up routes does not fill the memory.
func TestManyRoutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := inspect.New(inspect.Config{})
		h := in.Middleware(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { r.Pattern = r.URL.Path }))
		for i := range 1000 {
			serve(h, fmt.Sprint("/", i))
		}
		time.Sleep(6 * time.Second)
		routes, total := look(t, in).Routes, 0
		assert.Len(t, routes, 101)
		for _, one := range routes {
			total += one.Outcomes["ok"]
		}
		assert.Equal(t, 1000, total)
		assert.Equal(t, "(other routes)", routes[0].Route)
	})
}

// The bound holds for the routes of requests in flight, too, and counts all of them.
func TestManyRoutesInFlight(t *testing.T) {
	in := inspect.New(inspect.Config{})
	release := newGate()
	defer release.open()
	const n = 300
	mux := http.NewServeMux()
	for i := range n {
		mux.HandleFunc(fmt.Sprint("/", i), release.wait)
	}
	h := in.Middleware(mux)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { serve(h, fmt.Sprint("/", i)) })
	}
	r := eventually(t, in, func(r report) bool { return r.InFlight == n })
	assert.Len(t, r.Routes, 101)
	assert.Equal(t, "(other routes)", r.Routes[0].Route)
	total := 0
	for _, one := range r.Routes {
		total += one.InFlight
	}
	assert.Equal(t, n, total)
	release.open()
	all.Wait()
}

// The last failures have the cause from the log record. Many failures of one kind do
// not displace one of another kind.
func TestFailures(t *testing.T) {
	in := inspect.New(inspect.Config{})
	var log testhttp.Lines
	errs := errmap.New(errmap.Config{})
	mux := http.NewServeMux()
	mux.Handle("GET /error", errs.Handler(func(http.ResponseWriter, *http.Request) error {
		return errors.New("no answer from https://bob:hunter2@db.example.com/?key=hunter2")
	}))
	mux.HandleFunc("GET /panic", func(http.ResponseWriter, *http.Request) { panic("a https://bob:hunter2@db.example.com/ panic") })
	mux.Handle("GET /hostile", errs.Handler(func(http.ResponseWriter, *http.Request) error { return hostile{} }))
	mux.HandleFunc("GET /ok", func(http.ResponseWriter, *http.Request) {})
	h := bulwark.Chain(stack(in, time.Minute, &log), errs.Recover)(mux)
	for _, path := range []string{"/ok", "/error", "/panic", "/hostile"} {
		serve(h, path)
	}
	r := look(t, in)
	require.Len(t, r.Failures, 3)
	hostile, panicked, failed := r.Failures[0], r.Failures[1], r.Failures[2]
	assert.Equal(t, "error", failed.Outcome)
	assert.Equal(t, http.StatusInternalServerError, failed.Status)
	assert.Equal(t, "/error", failed.Route)
	assert.Contains(t, failed.Message, "no answer from https://")
	assert.Contains(t, log.String(), failed.Message)
	assert.Contains(t, log.String(), failed.ID)
	assert.Equal(t, "panic", panicked.Outcome)
	assert.Equal(t, "string", panicked.Kind)
	assert.Contains(t, panicked.Message, "panic")
	assert.Equal(t, "/hostile", hostile.Path)
	assert.NotContains(t, fmt.Sprint(r), "hunter2")
	for range 500 {
		serve(h, "/error")
	}
	r = look(t, in)
	assert.Len(t, r.Failures, 33)
	assert.Equal(t, "/panic", r.Failures[32].Path)
}

// hostile is an error whose methods panic.
type hostile struct{}

func (hostile) Error() string { panic("x") }

// An error whose method ends its goroutine ends no goroutine of the package, even if
// the request ended at its deadline.
func TestErrorMethodThatExits(t *testing.T) {
	in := inspect.New(inspect.Config{})
	release := newGate()
	defer release.open()
	h := stack(in, 10*time.Millisecond, io.Discard)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		errmap.New(errmap.Config{}).Note(r, exits{})
		<-release.c
	}))
	s := testhttp.HTTP1.Start(t, h)
	s.Config.ErrorLog = nil
	send(t, s, http.MethodGet, "/", nil)()
	r := eventually(t, in, func(r report) bool { return len(r.Failures) == 1 })
	assert.Equal(t, "deadline", r.Failures[0].Outcome)
	release.open()
	eventually(t, in, none)
}

type exits struct{}

func (exits) Error() string {
	runtime.Goexit()
	return ""
}
