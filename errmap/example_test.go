package errmap_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
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

// A handler that knows the response returns a Problem, together with the cause for
// the log.
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

// InvalidError is the error of some validation.
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

// One route maps an error differently.
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
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.Start()
	defer srv.Close()
	res, _ := http.Get(srv.URL)
	body, _ := io.ReadAll(res.Body)
	_ = res.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	fmt.Println(res.StatusCode, string(body))
	// Output: 500 {"error":"internal"}
}

// Wrong order: Recover is inside the middleware that panics, so it does not see the
// panic, and the server closes the connection. Put Recover around everything whose
// panics it should handle.
func ExampleMapper_Recover_wrongOrder() {
	errs := errmap.New(errmap.Config{})
	auth := func(http.Handler) http.Handler {
		return http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("a bug in the authentication") })
	}
	srv := httptest.NewUnstartedServer(auth(errs.Recover(http.NotFoundHandler())))
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.Start()
	defer srv.Close()
	_, err := http.Get(srv.URL)
	fmt.Println(err != nil)
	// Output: true
}

// FromResponse turns the problem document of another server into an error. If your
// handler returns it, your client gets a 502 and not a 404, unless a rule says
// otherwise.
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
