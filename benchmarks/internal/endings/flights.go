package endings

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"sync/atomic"

	"github.com/bulwark-go/bulwark/benchmarks/internal/stacks"
)

func flights() []Scenario {
	return []Scenario{
		{Name: "too many at once", About: "what a second request gets if at most one may be in flight (if the library can limit that)",
			Flight: 1,
			Client: func(r *run, conn net.Conn) string {
				if _, err := io.WriteString(conn, getOnce); err != nil {
					return err.Error()
				}
				<-r.started
				second := another(r, conn)
				close(r.seen)
				if first := exchange(r, conn, bufio.NewReader(conn), ""); first.err != nil {
					return first.String()
				}
				return second
			},
			Handler: func(r *run) stacks.Handler {
				return after(func(w http.ResponseWriter, req *http.Request) error {
					<-r.seen
					return says(w, req)
				})
			}},
		{Name: "after a panic", About: "what the next request gets if at most one may be in flight, and the one before it panicked",
			Flight: 1,
			Client: func(r *run, conn net.Conn) string {
				_ = send(r, conn, getOnce)
				return another(r, conn)
			},
			Handler: func(*run) stacks.Handler {
				return after(func(http.ResponseWriter, *http.Request) error { panic("boom") })
			}},
	}
}

// after returns a handler that passes the first request to first, and responds to
// all others.
func after(first stacks.Handler) stacks.Handler {
	var served atomic.Bool
	return func(w http.ResponseWriter, r *http.Request) error {
		if served.CompareAndSwap(false, true) {
			return first(w, r)
		}
		return says(w, r)
	}
}

// another sends a request on a new connection.
func another(r *run, first net.Conn) string {
	conn, err := dial(first.RemoteAddr().String())
	if err != nil {
		return err.Error()
	}
	defer conn.Close()
	return send(r, conn, getOnce).String()
}
