package limits_test

import (
	"bufio"
	"context"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"path"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bulwark-go/bulwark/limits"
	"github.com/bulwark-go/bulwark/timeout"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// However a request ends, in the queue or in the handler, its permit is released once.
// After many requests that end in all ways at the same time, exactly MaxInFlight
// requests get a permit.
func TestPermitsAreNeverLostOrDoubled(t *testing.T) {
	for _, tc := range []struct {
		desc string
		cfg  limits.Config
	}{
		{"no queue", limits.Config{MaxInFlight: 3}},
		{"queue", limits.Config{MaxInFlight: 3, MaxQueue: 20, MaxWait: 300 * time.Millisecond}},
		{"short target", limits.Config{MaxInFlight: 3, MaxQueue: 20, MaxWait: 20 * time.Millisecond, QueueTarget: time.Millisecond}},
		{"reserve", limits.Config{MaxInFlight: 3, MaxQueue: 20, MaxWait: 300 * time.Millisecond, Critical: critical}},
		{"reserve, short target", limits.Config{MaxInFlight: 3, MaxQueue: 20, MaxWait: 20 * time.Millisecond, Critical: critical}},
	} {
		t.Run(tc.desc, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &storm{}
				limit := limits.New(tc.cfg)
				h := limit(s)
				deadline := timeout.New(timeout.Config{Limit: 25 * time.Millisecond})(h)
				var wg sync.WaitGroup
				for i := range 3000 {
					wg.Go(func() { s.request(t.Context(), i, h, deadline) })
					time.Sleep(rand.N(3 * time.Millisecond))
				}
				wg.Wait()
				synctest.Wait()
				assert.Zero(t, s.running.Load())
				assert.EqualValues(t, 3, s.most.Load(), "the storm was one")
				time.Sleep(time.Hour)
				inner := newHeld()
				h = limit(inner)
				for range 30 {
					go do(t.Context(), h, "/critical")
				}
				synctest.Wait()
				assert.Len(t, inner.started, 3)
				close(inner.release)
			})
		})
	}
}

// storm is a handler that ends in every way, and counts its calls.
type storm struct {
	running, most atomic.Int64
}

var endings = []string{"return", "panic", "abort", "goexit", "hijack", "late"}

// request sends one of a random kind.
func (s *storm) request(ctx context.Context, i int, h, deadline http.Handler) {
	target := "/" + endings[rand.IntN(len(endings))]
	if i%3 == 0 {
		target = "/critical" + target
	}
	if rand.IntN(3) == 0 {
		h = deadline // an enforced deadline outside, which runs in the queue as well
	}
	if rand.IntN(3) == 0 { // a client that disconnects, in the queue or later
		c, leave := context.WithCancel(ctx)
		defer leave()
		time.AfterFunc(rand.N(20*time.Millisecond), leave)
		ctx = c
	}
	defer func() { _ = recover() }()
	w := &hijackable{ResponseRecorder: httptest.NewRecorder()}
	defer w.close()
	h.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, target, nil))
}

func (s *storm) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n := s.running.Add(1)
	out := sync.OnceFunc(func() { s.running.Add(-1) })
	defer out()
	for {
		most := s.most.Load()
		if n <= most || s.most.CompareAndSwap(most, n) {
			break
		}
	}
	time.Sleep(rand.N(12 * time.Millisecond))
	switch path.Base(r.URL.Path) {
	case "panic":
		panic("storm")
	case "abort":
		panic(http.ErrAbortHandler)
	case "goexit":
		runtime.Goexit()
	case "hijack": // it holds no permit from now on, and returns much later
		out()
		if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
			defer conn.Close()
			time.Sleep(rand.N(100 * time.Millisecond))
		}
	case "late":
		time.Sleep(30 * time.Millisecond)
	}
}

// hijackable is a recorder with a connection.
type hijackable struct {
	*httptest.ResponseRecorder
	mu  sync.Mutex
	far net.Conn
}

func (h *hijackable) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	near, far := net.Pipe()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.far = far
	return near, bufio.NewReadWriter(bufio.NewReader(near), bufio.NewWriter(near)), nil
}

func (h *hijackable) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.far != nil {
		h.far.Close()
	}
}

// A permit that is handed over in the same instant in which its waiter gives up is not
// lost.
func TestPermitHandedToALeavingWaiter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limit := limits.New(limits.Config{MaxInFlight: 1, MaxQueue: 5, MaxWait: 100 * time.Millisecond})
		h := limit(newSleeper())
		for i := range 300 {
			ctx, leave := context.WithCancel(t.Context())
			go do(t.Context(), h, "/?took=100ms") // ends when the wait of the next one does
			synctest.Wait()
			switch i % 3 {
			case 0: // MaxWait
			case 1:
				time.AfterFunc(100*time.Millisecond, leave)
			case 2:
				c, cancel := context.WithTimeout(ctx, 110*time.Millisecond)
				defer cancel()
				ctx = c
			}
			go do(ctx, h, "/?took=1ms")
			time.Sleep(time.Second)
			leave()
		}
		w, _ := do(t.Context(), h, "/")
		require.Equal(t, 200, w.Code)
	})
}
