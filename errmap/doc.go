// Package errmap lets net/http handlers return errors, and turns the errors into
// responses by one table of rules.
//
//	errs := errmap.New(errmap.Config{Rules: []errmap.Rule{
//		errmap.Is(store.ErrNotFound, errmap.Problem{Status: http.StatusNotFound, Code: "user_not_found"}),
//		errmap.As(func(err *store.InvalidError) errmap.Problem {
//			return errmap.Problem{Status: http.StatusUnprocessableEntity, Fields: err.Fields()}
//		}),
//	}})
//	mux.Handle("GET /users/{id}", errs.Handler(getUser))
//
//	func getUser(w http.ResponseWriter, r *http.Request) error
//
// The first rule that matches any error in the tree of the returned error (see
// package errors) decides the response. The rules of the [Config] are tried first,
// then the built-in rules: for deadlines, cancellation, bodies that are too large,
// malformed or empty, and errors that have a status. [New] lists them. Any other
// error is a 500 without details. A handler can also return a *[Problem], which is
// an error and says what to send. [Problem.Because] adds the cause.
//
// The client sees the Problem, and never the text of the error. By default the
// Problem is sent as a problem document of RFC 9457 ([ProblemJSON]). [ErrorJSON] is
// a shorter format.
//
// Package errmap never matches on the text of an error and does not log; package
// logging records the cause. An error from [FromResponse] becomes a 502, so an
// upstream's 404 is never passed off as yours. A status in an error of another
// client library cannot be recognized as an upstream's; see [New]. [Mapper.Explain]
// says which rule matches and why.
//
// [Mapper.Recover] turns panics into responses. Put it inside logging and timeout,
// and around the handlers and middleware whose panics it should handle. "Ordering"
// and "What the client sees" in package [github.com/bulwark-go/bulwark] apply to
// all packages.
//
// # Reading bodies
//
// [DecodeJSON] reads one JSON value and returns a Problem that tells the client
// what is wrong and where:
//
//	var in NewUser
//	if err := errmap.DecodeJSON(r, &in); err != nil {
//		return err
//	}
//
// # Reverse proxies
//
// Use Write as the ErrorHandler of an httputil.ReverseProxy. The client then gets
// 502 if the upstream refuses connections, as by default, and 504 if the upstream
// is slow.
//
//	proxy.ErrorHandler = errs.Write
package errmap
