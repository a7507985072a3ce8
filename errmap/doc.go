// Package errmap lets handlers return errors and turns them into responses by
// one table.
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
// The first rule that matches anywhere in the tree of the error decides, and
// after those of the [Config] the built-in ones that [New] lists: for deadlines,
// cancellation, bodies that are too large or no JSON, and errors that know their
// status. All else is a 500 that says nothing. A handler that knows the answer
// returns a *[Problem], which is an error itself.
//
// It decides nothing by the text of an error, and writes no log line: the cause
// is for that of package logging. What another server answered ([FromResponse])
// is never handed on as ours; of errors of client libraries it cannot tell, see
// [New]. [Mapper.Explain] says which rule fires and why.
//
// # Ordering
//
// [Mapper.Recover], which answers panics, goes inside of logging and timeout and
// outside of everything whose panics it is to answer:
//
//	bulwark.Chain(logging.New(…), timeout.New(…), limits.New(…), errs.Recover)(mux)
//
// # What the client sees
//
// The Problem, never the text of the error: what is public is what a rule says,
// as a problem document of RFC 9457 ([ProblemJSON]) or in short ([ErrorJSON]).
// Headers of the failed success go, those of outer middleware stay.
//
// It is one answer, however often [Mapper.Write] is called. To a success that has
// begun nothing is appended: it breaks off, so that nobody takes it for whole.
package errmap
