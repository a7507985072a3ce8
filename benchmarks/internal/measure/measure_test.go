package measure_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/bulwark-go/bulwark/benchmarks/internal/measure"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func get(ctx context.Context) *http.Request {
	return httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil)
}

func TestQuartiles(t *testing.T) {
	assert.Equal(t, measure.Spread{Q1: 2, Median: 3, Q3: 4}, measure.Of([]float64{5, 1, 4, 2, 3}))
	assert.Equal(t, measure.Spread{Q1: 7, Median: 7, Q3: 7}, measure.Of([]float64{7}))
	assert.Equal(t, 9.9, measure.At([]float64{10, 9}, 0.9))
}

var sink []byte

// works is a handler that costs something: n allocations of 4 KiB.
func works(n int) http.Handler {
	return http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		for range n {
			sink = make([]byte, 4<<10)
		}
	})
}

// TestInterleave: what a contender adds is over its own base, and those that are
// a base are not reported.
func TestInterleave(t *testing.T) {
	request := get(t.Context())
	cs := measure.Interleave(5, 50, request.WithContext, []measure.Contender{
		{Name: "bare", Handler: works(0)},
		{Name: "ten", Handler: works(10)},
		{Name: "framework", Handler: works(500)},
		{Name: "more", Handler: works(1000), Base: "framework"},
	})
	require.Len(t, cs, 2)
	assert.Equal(t, 10., cs.Of("ten").Allocs)
	assert.Equal(t, 500., cs.Of("more").Allocs)
	assert.Equal(t, 1., cs.Ratio("more", "more").Value)
	assert.Greater(t, cs.Of("more").Adds.Median, cs.Of("ten").Adds.Median) // fifty times the work: also on a busy machine
	more := cs.Ratio("more", "ten")
	assert.LessOrEqual(t, more.Low, more.Value)
	assert.LessOrEqual(t, more.Value, more.High)
	assert.Panics(t, func() { cs.Of("framework") })
}

// TestInFlight sees what a waiting request keeps, and its goroutines.
func TestInFlight(t *testing.T) {
	ws := measure.Waiters{N: 100, Deep: true, Asks: true}.InFlight(3, get, func(h http.Handler) []measure.Contender {
		return []measure.Contender{
			{Name: "bare", Handler: h},
			{Name: "keeps", Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				kept := make([]byte, 64<<10)
				done := make(chan struct{})
				go func() { h.ServeHTTP(w, r); close(done) }()
				<-done
				kept[0] = 1
			})},
		}
	})
	require.Len(t, ws, 1)
	assert.Greater(t, ws[0].Bytes.Median, 64.*(1<<10))
	assert.Equal(t, 1., ws[0].Goroutines)
}

// TestLoad counts what was answered, and fails where an answer is not a 200.
func TestLoad(t *testing.T) {
	load := measure.Load{Conns: 4, Requests: 100, For: 10 * time.Second}
	raw := []byte("GET / HTTP/1.1\r\nHost: test\r\n\r\n")
	ok := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") })
	ts, err := load.Run(3, raw, []measure.Contender{{Name: "one", Handler: ok}, {Name: "other", Handler: ok}})
	require.NoError(t, err)
	assert.Positive(t, ts.Of("one").PerSecond.Median)
	assert.Equal(t, 1., ts.Ratio("other", "other").Value)

	_, err = load.Run(1, raw, []measure.Contender{{Name: "missing", Handler: http.NotFoundHandler()}})
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

// TestDeadline tells those who answer from those who do not.
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
