// Package conformance drives the same handlers on net/http, chi, Gin, Echo v5
// and Echo v4, over HTTP/1 and HTTP/2, behind all four Bulwark packages, and
// holds what the client sees and what the log line says against one table: row
// by row they are equal, whichever framework serves. It has nothing but tests.
//
// A framework is one setup (setup_test.go): how its routes are registered, how
// its handlers return an error, what it calls a route. Each is run twice, with
// the stack around the whole engine and with the stack on the route.
//
// What is no row, and why:
//
//   - A WebSocket on HTTP/2: net/http's server speaks no RFC 8441, and nothing
//     on HTTP/2 can be hijacked.
//   - A target without a route, and a method that it does not have, with the
//     stack on a route: there is none.
//   - An error returned after a successful response has begun: on net/http and
//     chi errmap.Handler breaks the response off, in Gin and Echo the adapters
//     only note it. TestLateErrors has both.
//   - A 103 with the stack on a route of Echo v4: echo.WrapMiddleware gives the
//     stack Echo's own writer to send it with.
//   - A 103 written to Gin's or Echo's own writer, which take it for the final
//     status. TestEarlyHintsToTheFrameworksWriter shows what comes of it; the row
//     sends its 103 beneath that writer.
//
// Two things a setup says of itself, because they are the framework's: whether
// its router knows the route of a path that lacks the method (Echo's does), and
// whether a handler on a route is the first to touch the request; where it is
// not, the answer at a deadline ends in a reset on HTTP/2 (see timeout.New).
package conformance
