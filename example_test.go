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

// All four packages around one service: its handler returns errors, one of them
// too late.
func Example() {
	var log bytes.Buffer
	errs := errmap.New(errmap.Config{
		Render: errmap.ErrorJSON,
		Rules:  []errmap.Rule{errmap.Is(errNoUser, errmap.Problem{Status: http.StatusNotFound, Title: "not found"})},
	})
	stack := bulwark.Chain(
		logging.New(logging.Config{Logger: slog.New(slog.NewJSONHandler(&log, nil))}),
		timeout.New(timeout.Config{Limit: 100 * time.Millisecond, ErrorHandler: errs.Write}),
		limits.New(limits.Config{MaxBodyBytes: 1 << 20, ErrorHandler: errs.Write}),
		errs.Recover,
	)

	mux := http.NewServeMux()
	mux.Handle("GET /users/{id}", errs.Handler(func(w http.ResponseWriter, r *http.Request) error {
		switch r.PathValue("id") {
		case "404":
			return fmt.Errorf("looking in shard 7: %w", errNoUser)
		case "slow":
			<-r.Context().Done() // a query that takes for ever
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
	server.Close() // waits for the last line

	printLog(&log)
	// Output:
	// 200 User 123
	// 404 {"error":"not found"}
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

// A wrong nesting: what limits refuses never reaches a logging inside it, so
// that the one request which was turned away is the one without a line.
func Example_wrongOrder() {
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
		fmt.Println(res.StatusCode, "and lines in the log:", strings.Count(log.String(), "\n"))
	}
	// Output:
	// 413 and lines in the log: 0
	// 413 and lines in the log: 1
}

// An unusual nesting that does no harm: logging inside timeout. The handler
// believes that it sent 200; the line says what the client got.
func Example_loggingInside() {
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

// printLog prints what the lines say about each request. A handler that goes on
// after its deadline has a second line, with another message, when it ends.
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

// show prints the answer to a GET.
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
