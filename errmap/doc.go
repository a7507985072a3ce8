// Package errmap lets handlers return errors and turns them into responses by
// one table.
//
//	errs := errmap.New(errmap.Config{
//		Rules: []errmap.Rule{
//			errmap.Is(store.ErrNotFound, errmap.Problem{Status: http.StatusNotFound, Code: "user_not_found"}),
//			errmap.As(func(err *store.InvalidError) errmap.Problem {
//				return errmap.Problem{Status: http.StatusUnprocessableEntity, Fields: err.Fields()}
//			}),
//		},
//		Render: errmap.ErrorJSON,
//	})
//	mux.Handle("GET /users/{id}", errs.Handler(getUser))
//
// A handler is then a function that returns an error:
//
//	func getUser(w http.ResponseWriter, r *http.Request) error
//
// It may also return a *[Problem] of its own, which is an error, where the
// answer belongs to that one handler.
//
// # Which rule fires
//
// The first rule, in the order of Config.Rules, that matches anywhere in the
// tree of the error, as in a hand-written switch of errors.Is and errors.As;
// and after those the built-in ones, in this order:
//
//   - a *Problem is itself; one from [FromResponse] is 502, for what another
//     server thinks of our request is not what our client did
//   - context.DeadlineExceeded is 504, and 408 where the error says so by
//     StatusCode: timeout's does while it waited for the client's own body
//   - os.ErrDeadlineExceeded and errors whose Timeout method says true are 504
//   - context.Canceled is nothing at all where the client left (499 in the log),
//     504 where the deadline of the request has passed, and else 500: then we
//     ourselves cancelled what we needed
//   - *http.MaxBytesError is 413, also where a decoder lost it and the handler
//     returns 400, 422 or an error that nobody knows: package limits remembers
//   - *json.SyntaxError and *json.UnmarshalTypeError are 400. The decoder's
//     other errors have no type of their own: io.ErrUnexpectedEOF (a body that
//     ends too early) may just as well come from a database, so where a handler
//     decodes, an Is rule for it in [Mapper.With] of that route is in order
//   - an error with a method StatusCode() int is that status, and RetryAfter()
//     time.Duration, if it has that, is its Retry-After; its text is not shown
//   - everything else is 500
//
// Beware of client libraries whose errors have a StatusCode method that gives
// the status of an upstream (several SDKs do): without a rule before them the
// upstream's 401 is handed on as ours. Errors with a GRPCStatus method are not
// looked at for the same reason, and because the core knows no gRPC; where they
// are our own, a rule As[interface{ error; GRPCStatus() *status.Status }] says
// which code is which status. Nothing is ever decided by the text of an error.
//
// An error is walked once, each of its branches included, and held against the
// table by its type and identity, so 500 rules cost what 5 do. Two things cost
// more: rules for interface types are tried one by one, and an error with an Is
// or As method of its own has to be asked about every rule of that kind.
// [Mapper.Explain] says which rule fires and why.
//
// A static rule with a status outside of 400 to 599 is refused by [New]; from a
// rule's function, a *Problem or a StatusCode method such a status is a 500, and
// noted. So is a rule's function that panics, an error with methods that panic,
// and a tree of more than ten thousand errors, which is taken to have no end. A
// typed nil (a nil *MyError in an error) matches nothing and has no say; alone
// it is a 500.
//
// # What the client sees
//
// The Problem, never the text of the error: what is public is what a rule says.
// That holds for every status; a deliberate 503 may explain itself, and an
// unknown error never does. The error itself goes into the log line of package
// logging, once. Where nobody logs, errors answered with 500 and more go to the
// server's ErrorLog.
//
// [ProblemJSON] sends a problem document (RFC 9457):
//
//	{"title":"Not Found","status":404,"code":"user_not_found"}
//
// and [ErrorJSON] the short form, which shows Detail, else Title, else the text
// of the status in lower case:
//
//	{"error":"not found"}
//
// The built-in answers have no Title, so that a problem document without a type
// is titled as RFC 9457 section 4.2.1 wants it, by the status: "Internal Server
// Error". The built-in 500 and the timeouts have a Code instead, "internal" and
// "timeout", which is a member of the document and is what ErrorJSON shows of
// them: {"error":"internal"}. A Problem of yours is shown by its own words only.
//
// Headers that described the success that failed (Content-Length, ETag,
// Cache-Control and their like) are dropped; those that outer middleware set
// (CORS, the id of the request, cookies) stay. HEAD gets no body.
//
// # After the first byte
//
// An error that is returned after a successful response has begun is never
// appended to it, and never leaves the client with half a file that looks
// whole: the transfer is broken off, the connection on HTTP/1 and the stream on
// HTTP/2, by a panic with http.ErrAbortHandler at the outermost Bulwark
// middleware and a past write deadline for the case that somebody recovers it.
// If the handler had itself begun an error response, that stands. Hijacked
// connections are never written to. So [Mapper.Write] may be called any number
// of times, and the client still gets one answer.
//
// # Ordering
//
// [Mapper.Recover] goes outside of everything whose panics it is to answer, and
// inside of logging and timeout:
//
//	bulwark.Chain(logging.New(…), timeout.New(…), limits.New(…), errs.Recover)(mux)
//
// The other way round works, but what panics between the two is not answered.
// A recovery of somebody else's inside of this package's must let
// http.ErrAbortHandler pass. A compressing middleware may stand between Recover
// and Handler: what it holds back is taken to be sent.
package errmap
