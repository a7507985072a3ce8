package endings

import (
	"io"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/bulwark-go/bulwark/benchmarks/internal/stacks"
)

const (
	half  = "half of it, "
	other = "and the other half"
)

// Scenarios returns all scenarios.
func Scenarios() []Scenario {
	return slices.Concat(deadlines(), failures(), flights(), bodies(), passing())
}

// flushed writes half of a response and flushes it. If the writer cannot flush, it
// ignores that, as most handlers do.
func flushed(w http.ResponseWriter) error {
	_, err := io.WriteString(w, half)
	_ = http.NewResponseController(w).Flush()
	return err
}

// waits returns a handler that obeys its context.
func waits(r *run) stacks.Handler {
	return func(w http.ResponseWriter, req *http.Request) error {
		select {
		case <-req.Context().Done():
			return req.Context().Err()
		case <-r.let:
			return says(w, req)
		}
	}
}

// stuck returns a handler that ignores its context.
func stuck(r *run) stacks.Handler {
	return func(w http.ResponseWriter, req *http.Request) error {
		<-r.let
		return says(w, req)
	}
}

func deadlines() []Scenario {
	timed := func(raw string) func(*run, net.Conn) string {
		return func(r *run, conn net.Conn) string { return send(r, conn, raw).timed() }
	}
	return []Scenario{
		{Name: "heeded deadline", Limit: limit, About: "the handler waits for its context and returns the error",
			Client:  timed(get),
			Handler: waits},
		{Name: "ignored context", Limit: limit, About: "the handler is stuck forever",
			Client:  timed(get),
			Handler: stuck},
		{Name: "stalled upload", Limit: limit, About: "the client sends half of its body and then stalls",
			Client:  timed(post(1000, half, "")),
			Handler: func(*run) stacks.Handler { return reads }},
		{Name: "flushed, then late", Limit: limit, About: "half of the response has been sent at the deadline; the handler writes the rest when it is released",
			Client: timed(get),
			Handler: func(r *run) stacks.Handler {
				return func(w http.ResponseWriter, _ *http.Request) error {
					if err := flushed(w); err != nil {
						return err
					}
					<-r.let
					_, err := io.WriteString(w, other)
					return err
				}
			}},
		{Name: "client gone", Limit: limit, About: "the client leaves; the handler's context ends",
			Client: func(r *run, conn net.Conn) string {
				if _, err := io.WriteString(conn, get); err != nil {
					return err.Error()
				}
				<-r.started
				conn.Close()
				return "has left"
			},
			Handler: waits},
		{Name: "WriteTimeout", About: "the server's WriteTimeout passes before the handler writes",
			WriteTimeout: limit / 5,
			Client:       func(r *run, conn net.Conn) string { return send(r, conn, get).String() },
			Handler: func(*run) stacks.Handler {
				return func(w http.ResponseWriter, req *http.Request) error {
					time.Sleep(limit) // longer than the WriteTimeout
					return says(w, req)
				}
			}},
	}
}

func failures() []Scenario {
	plain := func(r *run, conn net.Conn) string { return send(r, conn, getOnce).String() }
	return []Scenario{
		{Name: "panic", About: "the handler panics before it writes anything",
			Client: plain,
			Handler: func(*run) stacks.Handler {
				return func(http.ResponseWriter, *http.Request) error { panic("boom") }
			}},
		{Name: "panic in the response", About: "the handler panics when half of the response has been sent",
			Client: plain,
			Handler: func(*run) stacks.Handler {
				return func(w http.ResponseWriter, _ *http.Request) error {
					_ = flushed(w)
					panic("boom")
				}
			}},
		{Name: "http.ErrAbortHandler", About: "the handler aborts its response when half of it has been sent",
			Client: plain,
			Handler: func(*run) stacks.Handler {
				return func(w http.ResponseWriter, _ *http.Request) error {
					_ = flushed(w)
					panic(http.ErrAbortHandler)
				}
			}},
	}
}
