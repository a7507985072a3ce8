package measure_test

import (
	"io"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/bulwark-go/bulwark/benchmarks/internal/measure"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	get  = []byte("GET " + measure.Path + " HTTP/1.1\r\nHost: test\r\n\r\n")
	post = []byte("POST " + measure.Path + " HTTP/1.1\r\nHost: test\r\nContent-Length: 3000\r\n\r\n" + strings.Repeat("x", 3000))
)

func TestQuartiles(t *testing.T) {
	assert.Equal(t, measure.Spread{Q1: 2, Median: 3, Q3: 4}, measure.Of([]float64{5, 1, 4, 2, 3}))
	assert.Equal(t, measure.Spread{Q1: 7, Median: 7, Q3: 7}, measure.Of([]float64{7}))
	assert.Equal(t, 9.9, measure.At([]float64{10, 9}, 0.9))
}

var sink []byte

// works is a handler with a cost: n allocations of 4 KiB.
func works(n int) http.Handler {
	return http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		for range n {
			sink = make([]byte, 4<<10)
		}
	})
}

// TestInterleave: the cost of a contender is what it adds to its base, and a base itself
// is not reported.
func TestInterleave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const batch = 5
		// The rounds differ: a request takes d, d+differ or d+2*differ.
		takes := func(d, differ time.Duration, h http.Handler) http.Handler {
			served := 0
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				round := served / (2 * batch)
				served++
				time.Sleep(d + time.Duration(round%3)*differ)
				h.ServeHTTP(w, r)
			})
		}
		cs, err := measure.Turns{Rounds: 15, Batch: batch, Raw: get}.Interleave([]measure.Contender{
			{Name: "bare", Handler: takes(time.Microsecond, 0, works(0))},
			{Name: "two", Handler: takes(3*time.Microsecond, 0, works(2))},
			{Name: "framework", Handler: takes(100*time.Microsecond, 0, works(100))},
			{Name: "more", Handler: takes(106*time.Microsecond, 2*time.Microsecond, works(200)), Base: "framework"},
		})
		require.NoError(t, err)
		require.Len(t, cs, 2)
		assert.Equal(t, 2., cs.Of("two").Allocs)
		assert.Equal(t, 100., cs.Of("more").Allocs)
		assert.Equal(t, measure.Spread{Q1: 2000, Median: 2000, Q3: 2000}, cs.Of("two").Adds)
		assert.Equal(t, measure.Spread{Q1: 6000, Median: 8000, Q3: 10000}, cs.Of("more").Adds)
		assert.Equal(t, 1., cs.Ratio("more", "more").Value)
		more := cs.Ratio("more", "two")
		assert.Equal(t, 4., more.Value)
		assert.Less(t, more.Low, more.Value)
		assert.Less(t, more.Value, more.High)
		assert.Panics(t, func() { cs.Of("framework") })
	})
}

// TestEveryRequestIsServed: each response is read completely, on one connection, with a
// context that lasts until the handler returns.
func TestEveryRequestIsServed(t *testing.T) {
	for desc, c := range map[string]struct {
		raw  []byte
		body int
	}{"GET": {get, 0}, "POST": {post, 3000}} {
		t.Run(desc, func(t *testing.T) {
			var served, canceled atomic.Int64
			conns := map[any]bool{}
			h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, err := io.ReadAll(r.Body)
				if err != nil || len(body) != c.body || r.URL.Path != measure.Path {
					http.Error(w, "not the request", http.StatusBadRequest)
				}
				served.Add(1)
				conns[r.Context().Value(http.LocalAddrContextKey)] = true
				if r.Context().Err() != nil {
					canceled.Add(1)
				}
			})
			_, err := measure.Turns{Rounds: 3, Batch: 100, Raw: c.raw}.Interleave([]measure.Contender{{Name: "bare", Handler: h}})
			require.NoError(t, err)
			served.Add(-4 * 400) // of the allocations
			assert.EqualValues(t, 600, served.Load())
			assert.Zero(t, canceled.Load())
			assert.Len(t, conns, 4+3)
		})
	}
}

// TestBrokenContender: a contender that does not answer all requests has no figure.
func TestBrokenContender(t *testing.T) {
	for desc, c := range map[string]struct {
		h    http.HandlerFunc
		want string
	}{
		"another status": {http.NotFound, `broken: answered "HTTP/1.1 404 Not Found"`},
		"closes": {func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Connection", "close") },
			"broken: answered 1 of "},
		"aborts": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "broken: answered 0 of "},
		"hijacks": {func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				conn.Close()
			}
		}, "broken: answered 0 of "},
	} {
		t.Run(desc, func(t *testing.T) {
			_, err := measure.Turns{Rounds: 1, Batch: 10, Raw: get}.Interleave([]measure.Contender{{Name: "bare", Handler: works(0)}, {Name: "broken", Handler: c.h}})
			assert.ErrorContains(t, err, c.want)
		})
	}
}

// TestAllocationsOfNetHTTP: the server's allocations for a response are counted, not
// only the handler's. A response with a header takes more than one without.
func TestAllocationsOfNetHTTP(t *testing.T) {
	cs, err := measure.Turns{Rounds: 1, Batch: 10, Raw: get, Status: http.StatusNoContent}.Interleave([]measure.Contender{
		{Name: "bare", Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })},
		{Name: "header", Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["X-Test"] = value
			w.WriteHeader(http.StatusNoContent)
			w.Header()["X-Late"] = value // makes the server copy all of them
		})},
	})
	require.NoError(t, err)
	assert.Positive(t, cs.Of("header").Allocs)
}

var value = []string{"test"}

// TestInFlight: the memory of a waiting request and its goroutines are counted.
func TestInFlight(t *testing.T) {
	ws, err := measure.Waiters{N: 100, Asks: true}.InFlight(3, get, func(h http.Handler) []measure.Contender {
		return []measure.Contender{
			{Name: "bare", Handler: h},
			{Name: "keeps", Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				kept := make([]byte, 128<<10) // more than the compiler allocates on a stack
				done := make(chan struct{})
				go func() { h.ServeHTTP(w, r); close(done) }()
				<-done
				runtime.KeepAlive(kept) // otherwise the compiler omits it
			})},
			{Name: "frame", Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				var room [1 << 10]byte
				h.ServeHTTP(w, r)
				runtime.KeepAlive(&room)
			})},
		}
	})
	require.NoError(t, err)
	require.Len(t, ws, 2)
	assert.Greater(t, ws[0].Heap.Median, 128.*(1<<10))
	assert.Equal(t, ws[0].Grown, ws[0].Stack)
	assert.Equal(t, 1., ws[0].Goroutines)
	assert.InDelta(t, 1<<10, ws[1].Stack, 256)
	assert.Zero(t, ws[1].Goroutines)
}

// TestLoad counts the responses, and fails if one is not a 200.
func TestLoad(t *testing.T) {
	load := measure.Load{Conns: 4, Requests: 100, For: 10 * time.Second}
	ok := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") })
	ts, err := load.Run(3, get, []measure.Contender{{Name: "one", Handler: ok}, {Name: "other", Handler: ok}})
	require.NoError(t, err)
	assert.Positive(t, ts.Of("one").PerSecond.Median)
	assert.Equal(t, 1., ts.Ratio("other", "other").Value)

	_, err = load.Run(1, get, []measure.Contender{{Name: "missing", Handler: http.NotFoundHandler()}})
	assert.ErrorContains(t, err, "missing: answered \"HTTP/1.1 404 Not Found\"")
}

func TestStream(t *testing.T) {
	text := strings.Repeat("x", 1<<20)
	say := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, text) })
	all, err := measure.Stream(2, 1<<20, []measure.Contender{{Name: "says", Handler: say}})
	require.NoError(t, err)
	assert.Positive(t, all[0].First.Median)

	_, err = measure.Stream(1, 1<<20+1, []measure.Contender{{Name: "short", Handler: say}})
	assert.ErrorContains(t, err, "short: after 1048576 bytes")
}

// TestP99: a client without a response counts as one that waited.
func TestP99(t *testing.T) {
	answered := slices.Repeat([]float64{100}, 99)
	assert.Equal(t, 100., measure.Punctual{Answered: 1, Millis: answered}.P99(time.Second))
	assert.Equal(t, 1000., measure.Punctual{Answered: 0.9, Millis: answered}.P99(time.Second))
	assert.Equal(t, 1000., measure.Punctual{}.P99(time.Second))
}

// TestDeadline: handlers that answer are distinguished from those that do not.
func TestDeadline(t *testing.T) {
	for desc, kind := range map[string]measure.Stuck{
		"HTTP/1": {}, "HTTP/1 upload": {Upload: true}, "HTTP/2": {HTTP2: true}, "HTTP/2 upload": {HTTP2: true, Upload: true},
	} {
		t.Run(desc, func(t *testing.T) {
			ps, err := kind.Deadline(2, 5, 300*time.Millisecond, func(h http.Handler) []measure.Contender {
				return []measure.Contender{
					{Name: "never", Handler: h},
					{Name: "at once", Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						if r.ProtoMajor == 1 { // else the server waits for the body before it answers
							w.Header().Set("Connection", "close")
						}
						io.WriteString(w, "hello")
					})},
				}
			})
			require.NoError(t, err)
			assert.Zero(t, ps[0].Answered)
			assert.Equal(t, 1., ps[1].Answered)
			assert.Len(t, ps[1].Millis, 10)
		})
	}
}
