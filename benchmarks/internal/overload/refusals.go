package overload

import (
	"bufio"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/bulwark-go/bulwark/limits"
)

// The requests for refusals: flood times the capacity; the connections take turns.
const (
	flood = 50
	conns = 1000
)

// refusals returns what fraction of a core this process takes, including the
// clients, for flood times the capacity of requests. bare is for a server that
// responds with 503 at once. refusing is for Bulwark with busy workers and a full
// queue. The turns are interleaved, and the medians are returned.
func refusals(rounds int, each time.Duration) (bare, refusing float64, err error) {
	var all [2][]float64
	for range rounds {
		b := newBackend()
		for i, h := range []http.Handler{
			http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Retry-After", "1")
				http.Error(w, http.StatusText(http.StatusServiceUnavailable), http.StatusServiceUnavailable)
			}),
			limits.New(limits.Config{MaxInFlight: workers, MaxQueue: conns / 4, MaxWait: maxWait})(b),
		} {
			cores, err := flooded(h, each)
			if err != nil {
				return 0, 0, err
			}
			all[i] = append(all[i], cores)
		}
		close(b.stop)
	}
	for i := range all {
		slices.Sort(all[i])
	}
	return all[0][rounds/2], all[1][rounds/2], nil
}

// flooded returns how many cores a flood takes. The connections take turns to send
// a request. A connection that still waits for a response skips its turn.
func flooded(h http.Handler, d time.Duration) (cores float64, err error) {
	srv := httptest.NewUnstartedServer(h)
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.Start()
	defer srv.Close()
	dialed := make([]net.Conn, 0, conns)
	for range conns {
		c, err := net.Dial("tcp", srv.Listener.Addr().String())
		if err != nil {
			return 0, err
		}
		defer c.Close()
		dialed = append(dialed, c)
	}
	gap := time.Duration(conns / (flood * capacity) * float64(time.Second))
	begin, before := time.Now(), used()
	end := begin.Add(d)
	var all sync.WaitGroup
	for i, c := range dialed {
		all.Go(func() {
			r := bufio.NewReader(c)
			for at := begin.Add(gap * time.Duration(i) / conns); at.Before(end); at = at.Add(gap) {
				time.Sleep(time.Until(at))
				if ask(c, r) != nil {
					return
				}
			}
		})
	}
	all.Wait()
	return (used() - before).Seconds() / time.Since(begin).Seconds(), nil
}

func ask(c net.Conn, r *bufio.Reader) error {
	if _, err := io.WriteString(c, "GET /?ns=32000000 HTTP/1.1\r\nHost: bench\r\n\r\n"); err != nil {
		return err
	}
	res, err := http.ReadResponse(r, nil)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	_, err = io.Copy(io.Discard, res.Body)
	return err
}

// used returns the processor time of this process.
func used() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err) // cannot fail on Linux
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
