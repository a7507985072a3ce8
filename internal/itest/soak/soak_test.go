//go:build wire

package soak_test

import (
	"errors"
	"flag"
	"io"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"go.uber.org/goleak"

	"github.com/bulwark-go/bulwark"
	"github.com/bulwark-go/bulwark/errmap"
	"github.com/bulwark-go/bulwark/internal/itest/raw"
	"github.com/bulwark-go/bulwark/limits"
	"github.com/bulwark-go/bulwark/logging"
	"github.com/bulwark-go/bulwark/timeout"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	requests = flag.Int("soak.n", 500, "how many requests of each kind")
	clients  = flag.Int("soak.clients", 8, "how many of them at once")
)

const (
	deadline  = 10 * time.Millisecond
	bodyBytes = 1000
)

// kind is a kind of request. Each request has its own connection, so that everything
// that is kept with one shows.
type kind struct {
	desc    string
	protos  []string
	asks    raw.Request
	do      func(w http.ResponseWriter, r *http.Request) error
	leaves  bool // the client disconnects when the handler has begun
	outcome []logging.Outcome
}

var errLate = errors.New("an error behind the begun response")

func begin(w http.ResponseWriter) error {
	if _, err := io.WriteString(w, "begun"); err != nil {
		return err
	}
	return http.NewResponseController(w).Flush()
}

func upgrade(forget bool) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, _ *http.Request) error {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return err
		}
		io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: test\r\n\r\n")
		if !forget {
			conn.Close()
		}
		return nil
	}
}

var upgrading = raw.Request{Header: []string{"Connection: Upgrade", "Upgrade: test"}}

var kinds = []kind{
	{desc: "served", protos: raw.Protocols, do: func(w http.ResponseWriter, _ *http.Request) error {
		_, err := io.WriteString(w, "hello")
		return err
	}, outcome: []logging.Outcome{"ok"}},
	{desc: "upgraded", protos: []string{"1.1"}, asks: upgrading, do: upgrade(false), outcome: []logging.Outcome{"upgraded"}},
	{desc: "upgraded and forgotten", protos: []string{"1.1"}, asks: upgrading, do: upgrade(true), outcome: []logging.Outcome{"upgraded"}},
	{desc: "cut by an error", protos: raw.Protocols, do: func(w http.ResponseWriter, _ *http.Request) error {
		return errors.Join(begin(w), errLate)
	}, outcome: []logging.Outcome{"error"}},
	{desc: "cut by the deadline", protos: raw.Protocols, do: func(w http.ResponseWriter, r *http.Request) error {
		err := begin(w)
		<-r.Context().Done()
		return err
	}, outcome: []logging.Outcome{"deadline"}},
	{desc: "left by the client", protos: raw.Protocols, leaves: true, do: func(w http.ResponseWriter, r *http.Request) error {
		<-r.Context().Done()
		return r.Context().Err()
	}, outcome: []logging.Outcome{"client_gone", "deadline"}},
	{desc: "refused", protos: raw.Protocols, asks: raw.Request{Method: "POST", Body: strings.Repeat("x", bodyBytes+1)},
		do: func(http.ResponseWriter, *http.Request) error { return nil }, outcome: []logging.Outcome{"refused"}},
	{desc: "too large, chunked", protos: raw.Protocols[1:], asks: raw.Request{Method: "POST", Length: -1, Body: strings.Repeat("x", bodyBytes+1)},
		do: func(_ http.ResponseWriter, r *http.Request) error {
			_, err := io.Copy(io.Discard, r.Body)
			return err
		}, outcome: []logging.Outcome{"ok"}},
	{desc: "panicking", protos: raw.Protocols, do: func(http.ResponseWriter, *http.Request) error { panic("of the handler") }, outcome: []logging.Outcome{"panic"}},
	{desc: "aborted", protos: raw.Protocols, do: func(http.ResponseWriter, *http.Request) error { panic(http.ErrAbortHandler) }, outcome: []logging.Outcome{"aborted"}},
	{desc: "stopped by Goexit", protos: raw.Protocols, do: func(http.ResponseWriter, *http.Request) error {
		runtime.Goexit()
		return nil
	}, outcome: []logging.Outcome{"aborted"}},
	{desc: "late", protos: raw.Protocols, do: func(_ http.ResponseWriter, r *http.Request) error {
		<-r.Context().Done()
		return nil
	}, outcome: []logging.Outcome{"deadline"}},
	{desc: "abandoned", protos: raw.Protocols, do: func(_ http.ResponseWriter, r *http.Request) error {
		time.Sleep(3 * deadline)
		return r.Context().Err()
	}, outcome: []logging.Outcome{"deadline"}},
	{desc: "stalled", protos: raw.Protocols, asks: raw.Request{Method: "POST", Length: 100, Stalls: true}, do: func(_ http.ResponseWriter, r *http.Request) error {
		_, err := io.Copy(io.Discard, r.Body)
		return err
	}, outcome: []logging.Outcome{"deadline"}},
}

// usage is what could leak.
type usage struct {
	heap        int64
	goroutines  int
	descriptors int // 0 if they cannot be counted
}

func measure() (u usage) {
	for range 3 {
		runtime.GC() // cleanups and pools take more than one
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	u.heap, u.goroutines = int64(m.HeapAlloc), runtime.NumGoroutine()
	if files, err := os.ReadDir("/proc/self/fd"); err == nil {
		u.descriptors = len(files)
	}
	return u
}

// settled waits until there are no more goroutines and descriptors than before.
func settled(before usage) usage {
	u := measure()
	for end := time.Now().Add(raw.Patience); time.Now().Before(end); u = measure() {
		if u.goroutines <= before.goroutines && u.descriptors <= before.descriptors {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	return u
}

// startMany starts and ends many goroutines. The runtime keeps the descriptor of each
// for later goroutines, in the heap. After a refusal, net/http waits for 500 ms before
// it closes the connection, so how many goroutines there are at once depends on how
// fast the clients are.
func startMany() {
	var group sync.WaitGroup
	release := make(chan struct{})
	for range 20_000 {
		group.Go(func() { <-release })
	}
	close(release)
	group.Wait()
}

// TestSoak serves many requests of each kind.
func TestSoak(t *testing.T) {
	startMany()
	for i := range kinds {
		for _, proto := range kinds[i].protos {
			t.Run(kinds[i].desc+", HTTP/"+proto, func(t *testing.T) { kinds[i].soak(t, proto) })
		}
	}
}

func (k *kind) soak(t *testing.T, proto string) {
	records := raw.NewRecords()
	var entered sync.Map // of channels, by the client's address
	errs := errmap.New(errmap.Config{})
	permits := 8 * *clients // an abandoned handler keeps its permit
	limit := limits.New(limits.Config{MaxBodyBytes: bodyBytes, MaxInFlight: permits, MaxQueue: permits, MaxWait: raw.Patience})
	stack := bulwark.Chain(logging.New(records.Config()), timeout.New(timeout.Config{Limit: k.limit()}), limit, errs.Recover)
	inside, release := make(chan struct{}, permits), make(chan struct{})
	srv := raw.Start(t, &http.Server{Handler: stack(errs.Handler(func(w http.ResponseWriter, r *http.Request) error {
		if k.leaves {
			c, _ := entered.LoadAndDelete(r.RemoteAddr)
			close(c.(chan struct{}))
		}
		return k.do(w, r)
	}))})
	// The same permits, without a deadline.
	hold := raw.Start(t, &http.Server{Handler: limit(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		inside <- struct{}{}
		<-release
	}))})
	run := func(n int) {
		var group sync.WaitGroup
		for range *clients {
			group.Go(func() {
				for range n / *clients {
					a := k.request(t, srv.Addr, proto, &entered)
					r := records.Next(t)
					if !assert.Contains(t, k.outcome, r.Outcome, "the client got %+v", a) {
						return
					}
				}
			})
		}
		group.Wait()
	}
	idle := measure()
	run(max(*requests/5, 10**clients)) // pools and tables are filled
	before := settled(idle)
	run(*requests)
	after := settled(before)
	t.Logf("%d requests: heap %+d, goroutines %+d, descriptors %+d", *requests,
		after.heap-before.heap, after.goroutines-before.goroutines, after.descriptors-before.descriptors)
	assert.Less(t, after.heap-before.heap, int64(512<<10+10**requests), "the heap has grown")
	if !assert.LessOrEqual(t, after.goroutines, before.goroutines, "goroutines are left") {
		stacks := make([]byte, 1<<20)
		t.Logf("%s", stacks[:runtime.Stack(stacks, true)])
	}
	assert.LessOrEqual(t, after.descriptors, before.descriptors, "descriptors are left")
	assert.Empty(t, records.Rest(), "more records than requests")

	// All permits are free: as many requests are admitted at once.
	conns := make([]raw.Client, permits)
	for i := range conns {
		conns[i] = raw.DialHTTP1(t, hold.Addr, "1.1")
		conns[i].Send(t, &raw.Request{})
	}
	for range conns {
		select {
		case <-inside:
		case <-time.After(raw.Patience):
			assert.Fail(t, "a permit is gone")
		}
	}
	close(release)
	for _, c := range conns {
		assert.Equal(t, 200, c.Receive(t).Status)
	}
}

// limit is short for the kinds that wait for it.
func (k *kind) limit() time.Duration {
	if k.outcome[0] == "deadline" {
		return deadline
	}
	return time.Minute
}

// request makes one, on its own connection.
func (k *kind) request(t *testing.T, addr, proto string, entered *sync.Map) (a raw.Answer) {
	c := raw.DialOnce(t, addr, proto)
	defer c.Close()
	in := make(chan struct{})
	if k.leaves {
		entered.Store(c.LocalAddr().String(), in)
	}
	c.Send(t, &k.asks)
	if k.leaves {
		<-in
		return a
	}
	return c.Receive(t)
}
