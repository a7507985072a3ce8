package errmap_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/bulwark-go/bulwark/errmap"
)

var ErrNoUser = errors.New("no row in table users of shard 7")

func Example() {
	errs := errmap.New(errmap.Config{
		Rules:  []errmap.Rule{errmap.Is(ErrNoUser, errmap.Problem{Status: http.StatusNotFound})},
		Render: errmap.ErrorJSON,
	})
	h := errs.Handler(func(_ http.ResponseWriter, r *http.Request) error {
		switch r.URL.Path {
		case "/users/1":
			return fmt.Errorf("loading user 1: %w", ErrNoUser)
		case "/users/2":
			return fmt.Errorf("loading user 2: %w", context.DeadlineExceeded)
		default:
			return errors.New("a bug")
		}
	})
	for _, path := range []string{"/users/1", "/users/2", "/users/3"} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		fmt.Println(w.Code, w.Body)
	}
	// Output:
	// 404 {"error":"not found"}
	// 504 {"error":"timeout"}
	// 500 {"error":"internal"}
}

// A handler that knows the answer returns it, next to the cause that only the
// log is to see.
func ExampleProblem() {
	errs := errmap.New(errmap.Config{})
	h := errs.Handler(func(http.ResponseWriter, *http.Request) error {
		cause := errors.New("card 4711: balance 30, cost 50")
		return errors.Join(cause, &errmap.Problem{
			Status: http.StatusForbidden,
			Type:   "https://example.com/probs/out-of-credit",
			Title:  "You do not have enough credit.",
		})
	})
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/orders", nil))
	fmt.Println(w.Header().Get("Content-Type"))
	fmt.Println(w.Body)
	// Output:
	// application/problem+json
	// {"type":"https://example.com/probs/out-of-credit","title":"You do not have enough credit.","status":403}
}

// InvalidError is what a validation of one's own might return.
type InvalidError struct{ Field, Reason string }

func (e *InvalidError) Error() string { return e.Field + " " + e.Reason }

func ExampleAs() {
	errs := errmap.New(errmap.Config{Rules: []errmap.Rule{
		errmap.As(func(err *InvalidError) errmap.Problem {
			return errmap.Problem{
				Status: http.StatusUnprocessableEntity,
				Fields: []errmap.FieldError{{Pointer: "/" + err.Field, Detail: err.Reason}},
			}
		}),
	}})
	w := httptest.NewRecorder()
	errs.Write(w, httptest.NewRequest(http.MethodPost, "/users", nil), &InvalidError{"name", "is required"})
	fmt.Println(w.Body)
	// Output:
	// {"title":"Unprocessable Entity","status":422,"errors":[{"pointer":"/name","detail":"is required"}]}
}

// One route says something else about an error than the rest.
func ExampleMapper_With() {
	errs := errmap.New(errmap.Config{Rules: []errmap.Rule{errmap.Is(ErrNoUser, errmap.Problem{Status: http.StatusNotFound})}})
	login := errs.With(errmap.Is(ErrNoUser, errmap.Problem{Status: http.StatusUnauthorized}))
	r := httptest.NewRequest(http.MethodPost, "/login", nil)
	fmt.Println(errs.Problem(r, ErrNoUser).Status, login.Problem(r, ErrNoUser).Status)
	// Output: 404 401
}

func ExampleMapper_Explain() {
	errs := errmap.New(errmap.Config{Rules: []errmap.Rule{errmap.Is(ErrNoUser, errmap.Problem{Status: http.StatusNotFound})}})
	fmt.Println(errs.Explain(fmt.Errorf("loading user 1: %w", context.DeadlineExceeded)))
	// Output: the built-in "deadline" fires: context.deadlineExceededError "context deadline exceeded" is the context.deadlineExceededError "context deadline exceeded": 504 Gateway Timeout
}

func ExampleMapper_Recover() {
	errs := errmap.New(errmap.Config{Render: errmap.ErrorJSON})
	srv := httptest.NewUnstartedServer(errs.Recover(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		panic("a bug")
	})))
	srv.Config.ErrorLog = (&logBuffer{}).logger()
	srv.Start()
	defer srv.Close()
	res, _ := http.Get(srv.URL)
	body, _ := io.ReadAll(res.Body)
	_ = res.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	fmt.Println(res.StatusCode, string(body))
	// Output: 500 {"error":"internal"}
}

// Wrong: a Recover within which nothing runs but the handler does not see what
// panics in the middleware around it. The panic reaches the server, and the
// client a closed connection. Recover belongs outside of everything whose panics
// it is to answer.
func ExampleMapper_Recover_wrongOrder() {
	errs := errmap.New(errmap.Config{})
	auth := func(http.Handler) http.Handler {
		return http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("a bug in the authentication") })
	}
	srv := httptest.NewUnstartedServer(auth(errs.Recover(http.NotFoundHandler())))
	srv.Config.ErrorLog = (&logBuffer{}).logger()
	srv.Start()
	defer srv.Close()
	_, err := http.Get(srv.URL)
	fmt.Println(err != nil)
	// Output: true
}

// On the client's side a problem document is an error again. It remembers that
// it is about a request of ours to somebody else: without a rule of its own, it
// is a 502 to our client, not a 404.
func ExampleFromResponse() {
	res := &http.Response{
		StatusCode: http.StatusNotFound,
		Header:     http.Header{"Content-Type": {"application/problem+json"}},
		Body:       io.NopCloser(strings.NewReader(`{"title":"Not Found","status":404,"code":"no_such_bucket"}`)),
	}
	err := errmap.FromResponse(res)
	fmt.Println(err)
	if p, ok := errors.AsType[*errmap.Problem](err); ok {
		fmt.Println(p.Code, p.Remote())
	}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	fmt.Println(errmap.New(errmap.Config{}).Problem(r, err).Status)
	// Output:
	// remote: 404 Not Found (no_such_bucket)
	// no_such_bucket true
	// 502
}
