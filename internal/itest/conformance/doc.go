// Package conformance runs the same handlers on net/http, chi, Gin, Echo v5 and
// Echo v4, over HTTP/1 and HTTP/2, behind all four Bulwark packages. It compares
// what the client sees and what the log record says with one table, which is the
// same for every framework. The package has only tests.
//
// Each framework has a setup (setup_test.go): how its routes are registered, how
// its handlers return an error, and how it writes a route. Each framework is tested
// twice, with the stack around the whole engine and with the stack on the route.
//
// The table does not have:
//
//   - A WebSocket on HTTP/2. net/http's server does not support RFC 8441, and
//     HTTP/2 connections cannot be hijacked.
//   - An unknown path and an unknown method, with the stack on a route. The stack
//     does not run, because no route matches.
//   - An error that is returned after a successful response has begun. On net/http
//     and chi errmap.Handler aborts the response, but in Gin and Echo the adapters
//     only record the error. TestLateErrors tests both.
//   - A 103 with the stack on a route of Echo v4. With echo.WrapMiddleware the
//     stack writes to Echo's own writer.
//   - A 103 that is written to Gin's or Echo's own writer. These treat the 103 as
//     the final status. TestEarlyHintsToTheFrameworksWriter tests that; the row in
//     the table sends its 103 through the writer below.
//
// A setup also says whether the framework's router knows the route of a path that
// does not have the method (Echo's does). And it says whether the stack on a route
// is directly below net/http's server; if it is not, the answer at a deadline ends
// with a reset on HTTP/2 (see timeout.New).
package conformance
