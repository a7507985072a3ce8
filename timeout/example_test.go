package timeout_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/bulwark-go/bulwark/timeout"
)

// get prints what a client sees.
func get(h http.Handler, header ...string) {
	s := httptest.NewServer(h)
	defer s.Close()
	req, _ := http.NewRequest(http.MethodGet, s.URL, http.NoBody)
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		req.Header.Set(name, value)
	}
	res, err := s.Client().Do(req)
	if err != nil {
		fmt.Println("broken:", err != nil)
		return
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	fmt.Printf("%s %q", res.Status, body)
	if err != nil {
		fmt.Print(" ", err)
	}
	fmt.Println()
}

// slow returns when its context ends, as a database query does.
var slow = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	select {
	case <-time.After(300 * time.Millisecond):
		fmt.Fprint(w, "a report")
	case <-r.Context().Done():
	}
})

func Example() {
	h := timeout.New(timeout.Config{Limit: 20 * time.Millisecond})(slow)
	get(h)
	// Output: 504 Gateway Timeout "Gateway Timeout\n"
}

// The cause of the context says why it ended.
func ExampleError() {
	ended := make(chan context.Context, 1)
	h := timeout.New(timeout.Config{Limit: 20 * time.Millisecond})(http.HandlerFunc(
		func(_ http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
			ended <- r.Context()
		}))
	get(h)
	ctx := <-ended
	fmt.Println(ctx.Err() == context.DeadlineExceeded)
	if e, ok := errors.AsType[*timeout.Error](context.Cause(ctx)); ok {
		fmt.Println(e.Limit, e.Phase, e.StatusCode())
	}
	// Output:
	// 504 Gateway Timeout "Gateway Timeout\n"
	// true
	// 20ms handler 504
}

// One route may take longer than the others.
func ExampleOverride() {
	mux := http.NewServeMux()
	mux.Handle("GET /", timeout.Override(10*time.Second)(slow))
	h := timeout.New(timeout.Config{Limit: 100 * time.Millisecond})(mux)
	get(h)
	// Output: 200 OK "a report"
}

// Wrong nesting: an Override outside New finds no deadline to change, so the route
// keeps the limit of New.
func ExampleOverride_wrongNesting() {
	h := timeout.Override(10 * time.Second)(
		timeout.New(timeout.Config{Limit: 20 * time.Millisecond})(slow))
	get(h)
	// Output: 504 Gateway Timeout "Gateway Timeout\n"
}

// A handler that finds that it needs more time moves its deadline.
func ExampleReset() {
	h := timeout.New(timeout.Config{Limit: 100 * time.Millisecond, Max: time.Minute})(http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			ctx, err := timeout.Reset(r.Context(), 10*time.Second)
			if err != nil {
				return
			}
			slow(w, r.WithContext(ctx))
		}))
	get(h)
	// Output: 200 OK "a report"
}

// A handler can choose how to work by the time that is left.
func ExampleRemaining() {
	h := timeout.New(timeout.Config{Limit: 10 * time.Second})(http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			if left, ok := timeout.Remaining(r.Context()); ok && left > 5*time.Second {
				fmt.Fprint(w, "the exact result")
			}
		}))
	get(h)
	// Output: 200 OK "the exact result"
}

// Server-sent events may take longer than Limit, until they are idle for Stream.
func ExampleConfig_stream() {
	h := timeout.New(timeout.Config{Limit: 5 * time.Second, Stream: 300 * time.Millisecond})(http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			for range 3 {
				fmt.Fprint(w, "data: tick\n\n")
				w.(http.Flusher).Flush()
			}
			<-r.Context().Done() // no more events
		}))
	get(h)
	// Output: 200 OK "data: tick\n\ndata: tick\n\ndata: tick\n\n" unexpected EOF
}

// ErrorHandler writes the response at the deadline.
func ExampleConfig_errorHandler() {
	h := timeout.New(timeout.Config{
		Limit: 20 * time.Millisecond,
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusGatewayTimeout)
			fmt.Fprint(w, `{"error":"too slow"}`)
		},
	})(slow)
	get(h)
	// Output: 504 Gateway Timeout "{\"error\":\"too slow\"}"
}

// A trusted gateway says in a header how long it will wait.
func ExampleConfig_trustCaller() {
	h := timeout.New(timeout.Config{
		Limit:       10 * time.Second,
		TrustCaller: func(r *http.Request) bool { return strings.HasPrefix(r.RemoteAddr, "127.0.0.1:") },
	})(slow)
	get(h, "X-Request-Timeout-Ms: 20")
	get(h, "X-Request-Timeout-Ms: 0")
	get(h)
	// Output:
	// 504 Gateway Timeout "Gateway Timeout\n"
	// 504 Gateway Timeout "Gateway Timeout\n"
	// 200 OK "a report"
}

// A query with the request's context ends at the deadline.
func ExampleNew_database() {
	query := func(ctx context.Context) error { // db.QueryContext(ctx, …)
		<-ctx.Done()
		return ctx.Err()
	}
	h := timeout.New(timeout.Config{Limit: 20 * time.Millisecond})(http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			if err := query(r.Context()); err != nil {
				fmt.Println("query:", err)
			}
		}))
	get(h)
	// Unordered output:
	// query: context deadline exceeded
	// 504 Gateway Timeout "Gateway Timeout\n"
}

// The transport tells the server how long the client will wait.
func ExampleNewTransport() {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Println("budget in ms:", r.Header.Get("X-Request-Timeout-Ms"))
		<-r.Context().Done()
	}))
	defer s.Close()
	client := http.Client{Transport: timeout.NewTransport(timeout.TransportConfig{
		Limit:   500 * time.Millisecond,
		Reserve: 100 * time.Millisecond,
	})}
	_, err := client.Get(s.URL)
	e, ok := errors.AsType[*timeout.Error](err)
	fmt.Println(ok && e.Limit == 500*time.Millisecond)
	// Output:
	// budget in ms: 400
	// true
}
