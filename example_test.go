package bulwark_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/bulwark-go/bulwark"
	"github.com/bulwark-go/bulwark/errmap"
	"github.com/bulwark-go/bulwark/limits"
	"github.com/bulwark-go/bulwark/logging"
	"github.com/bulwark-go/bulwark/timeout"
)

var errNoUser = errors.New("no such user")

// The recommended stack around a service whose handler returns errors, one of them
// too late.
func ExampleNew() {
	var log bytes.Buffer
	errs := errmap.New(errmap.Config{
		Render: errmap.ErrorJSON,
		Rules:  []errmap.Rule{errmap.Is(errNoUser, errmap.Problem{Status: http.StatusNotFound, Detail: "no such user"})},
	})
	stack := bulwark.New(bulwark.Config{
		Logging: logging.Config{Logger: slog.New(slog.NewJSONHandler(&log, nil))},
		Timeout: timeout.Config{Limit: 100 * time.Millisecond},
		Errors:  errs,
	})

	mux := http.NewServeMux()
	mux.Handle("GET /users/{id}", errs.Handler(func(w http.ResponseWriter, r *http.Request) error {
		switch r.PathValue("id") {
		case "404":
			return fmt.Errorf("looking in shard 7: %w", errNoUser)
		case "slow":
			<-r.Context().Done() // a query that never ends
			return r.Context().Err()
		case "boom":
			return errors.New("db-1.internal: password authentication failed")
		}
		_, err := fmt.Fprintf(w, "User %s", r.PathValue("id"))
		return err
	}))

	server := httptest.NewServer(stack(mux))
	for _, id := range []string{"123", "404", "boom", "slow"} {
		show(server.URL + "/users/" + id)
	}
	server.Close() // waits for the last log record

	printLog(&log)
	// Output:
	// 200 User 123
	// 404 {"error":"no such user"}
	// 500 {"error":"internal"}
	// 504 {"error":"timeout"}
	// logged /users/123 200 ok
	// logged /users/404 404 ok
	// logged /users/boom 500 error
	// logged /users/slow 504 deadline
}

// The first middleware is the outermost: it sees the request first and the
// response last.
func ExampleChain() {
	say := func(name string) func(http.Handler) http.Handler {
		return func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				fmt.Println(name, "in")
				next.ServeHTTP(w, r)
				fmt.Println(name, "out")
			})
		}
	}
	handler := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { fmt.Println("handler") })

	stack := bulwark.Chain(say("a"), say("b"))
	stack(handler).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
	// Output:
	// a in
	// b in
	// handler
	// b out
	// a out
}

// A wrong order: a request that limits rejects never reaches a logging inside it, so
// the one request that failed is the one without a log record. [New] cannot be
// composed in this order.
func ExampleChain_wrongOrder() {
	var log bytes.Buffer
	logged := logging.New(logging.Config{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	limited := limits.New(limits.Config{MaxBodyBytes: 4})
	handler := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})

	for _, stack := range []func(http.Handler) http.Handler{
		bulwark.Chain(limited, logged), // wrong
		bulwark.Chain(logged, limited),
	} {
		log.Reset()
		server := httptest.NewServer(stack(handler))
		res, err := http.Post(server.URL, "text/plain", strings.NewReader("too long"))
		if err != nil {
			fmt.Println(err)
			return
		}
		res.Body.Close()
		server.Close()
		fmt.Println(res.StatusCode, "and log records:", strings.Count(log.String(), "\n"))
	}
	// Output:
	// 413 and log records: 0
	// 413 and log records: 1
}

// An unusual order that works: logging inside timeout. The handler tries to send
// 200 after the deadline. The log record has the 504 that the client got.
func ExampleChain_loggingInside() {
	var log bytes.Buffer
	stack := bulwark.Chain(
		timeout.New(timeout.Config{Limit: 50 * time.Millisecond}),
		logging.New(logging.Config{Logger: slog.New(slog.NewJSONHandler(&log, nil))}),
	)
	server := httptest.NewServer(stack(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
		w.WriteHeader(http.StatusOK) // too late
	})))
	show(server.URL)
	server.Close()

	printLog(&log)
	// Output:
	// 504 Gateway Timeout
	// logged / 504 deadline
}

// printLog prints the log record of each request. A handler that keeps running
// after its deadline has a second record, with another message, when it returns.
func printLog(log io.Reader) {
	for dec := json.NewDecoder(log); ; {
		var line struct {
			Msg     string `json:"msg"`
			Path    string `json:"url.path"`
			Status  int    `json:"http.response.status_code"`
			Outcome string `json:"outcome"`
		}
		if dec.Decode(&line) != nil {
			return
		}
		if line.Msg == "http request" {
			fmt.Println("logged", line.Path, line.Status, line.Outcome)
		}
	}
}

// show prints the response to a GET.
func show(url string) {
	res, err := http.Get(url)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		fmt.Println(err)
	}
	fmt.Println(res.StatusCode, strings.TrimSpace(string(body)))
}
