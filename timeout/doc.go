// Package timeout ends a request at its deadline: on the wire, in the context,
// and in the handler that is stuck reading from its client or writing to it.
//
//	h := timeout.New(timeout.Config{Limit: 5 * time.Second})(mux)
//
// The deadline is enforced, not only announced. At the deadline
//
//   - the request's context ends with context.DeadlineExceeded, and
//     context.Cause gives an [*Error];
//   - what the handler goes on to write is refused with http.ErrHandlerTimeout;
//   - a handler that is stuck reading the request's body, or writing to a
//     client that does not read, is freed;
//   - the client gets its answer, complete, whether or not the handler has come
//     back. If the response had begun, it breaks off so that the client sees it.
//
// Nothing is buffered, and a request costs one timer: flushing, hijacking,
// sendfile, trailers and every method of http.ResponseController work as without
// the middleware. With [Config.Cooperative] only the context ends, and the
// answer stays the handler's.
//
// # What it does not do
//
// No goroutine of Go's can be stopped from outside. A handler that listens
// neither to its context nor to its failed reads and writes runs on until it
// returns; its client has long been answered. Package logging says how many
// there are (abandoned), and once more when each has ended; package limits
// keeps their permits until then.
//
// It frees a handler from its client, not from anything else: pass the request's
// context to databases and to other services. It bounds neither the reading of
// the request's head nor the time between two requests: that is what
// ReadHeaderTimeout and IdleTimeout of http.Server are for. WriteTimeout and
// ReadTimeout are not needed beside it, and a WriteTimeout shorter than the limit
// breaks HTTP/2 streams before the deadline can answer.
//
// # Ordering
//
// Every middleware of Bulwark may stand anywhere, and tells the truth wherever
// it stands. Recommended is: logging, timeout, limits, errmap, the handler:
//
//	stack := bulwark.Chain(logging.New(…), timeout.New(…), limits.New(…))
//
// What stands outside of timeout is not bounded by it. A recovery middleware
// belongs inside, where it can still answer; outside it is harmless: a response
// that was cut stays cut, although the recovery swallows the panic
// (http.ErrAbortHandler) by which net/http is told. A middleware that buffers
// the response belongs inside as well: outside it would hold back the answer of
// the deadline until the handler returns.
//
// Of nested deadlines the shorter counts. [Override] gives a route its own,
// shorter or longer, and works wherever the route is registered; [Extend] does
// the same from inside a handler, counted from now. [Config.Max] bounds both.
//
// # What the client sees
//
//	at the deadline                               the client gets
//	the handler has not answered                  504 Gateway Timeout
//	it waits for the client's own body            408 Request Timeout, connection closed
//	the response has begun                        what there was, then a broken transfer
//	the client has left                           nothing; 499 in the log
//	the caller's budget is spent on arrival       504 at once, the handler not run
//
// 408 is never sent for a slow server, since clients repeat such a request of
// their own accord (RFC 9110, section 15.5.9).
//
// An answer carries the headers that outer middleware set and none of those the
// handler had prepared. [Config.ErrorHandler] writes another; one that writes
// nothing gets the default, a line of plain text.
//
// A broken transfer is an early end of the connection on HTTP/1, a reset of it
// where only its end ends the body (HTTP/1.0), and RST_STREAM on HTTP/2. (On
// HTTP/1 it takes a hijack to close a connection whose handler is stuck, so a
// ConnState hook sees StateHijacked last, and Server.Shutdown waits for it no
// more.) A response of which the last byte had already gone out on HTTP/1, as
// its Content-Length says, is complete, and nobody can take that back. So
// between in time and too late there is a third outcome: a handler whose
// response has begun has until the deadline to return as well.
//
// A handler that is in time is never turned into a timeout, and one that is late
// never into a success.
//
// # Streams: SSE and WebSocket
//
// With [Config.Stream], Limit bounds the time to the first byte only. From then
// on a response may last for as long as it likes, if it is never silent for
// longer than Stream: neither because the handler writes nothing (so send SSE
// comments as a heartbeat), nor because the client takes nothing.
//
// A hijack and a 101 Switching Protocols lift the deadline: the connection is
// then the application's to bound. No header of a request does, whatever it
// asks for.
//
// # HTTP/2
//
// On HTTP/1 the handler runs on the goroutine where net/http put it, and the
// timer's goroutine writes the answer beside it. On HTTP/2 a stream ends only
// when the handler's goroutine returns; so there the handler is given a
// goroutine of its own, and is left behind at the deadline. The connection lives
// on: an answer on HTTP/2 never says Connection: close, which would end every
// stream of it.
//
// That goroutine is started only where this package is provably the first to
// touch the request, with nothing but Bulwark between it and net/http's server.
// A router that pools its contexts takes one back when ServeHTTP returns: a
// handler left behind would read the next request's. Everywhere else the handler
// runs in place, and the end of the answer is a reset of the stream instead of
// its proper end. Clients have the whole answer by then; some report the reset
// all the same. So let the middleware stand outermost, or behind package logging.
//
// A panic keeps its value on its way through. From the goroutine of HTTP/2 its
// stack goes to the server's ErrorLog, since it would be lost otherwise. One
// after the deadline has nobody left to recover it: it goes to the log line of
// package logging, without that to the ErrorLog.
//
// # Gin and Echo
//
// Wrap the whole engine: http.Server{Handler: mw(engine)}. It needs no adapter,
// and the engine takes its context back when the handler has really returned. On
// a route or a group use bulwarkgin.Wrap and bulwarkecho.Wrap. [Override] works
// on a route inside an engine that is wrapped as a whole, and does not need New
// there: it speaks to the deadline of the request.
//
// # Callers and their budgets
//
// A caller that gives up after two seconds needs no answer after three. With
// [Config.TrustCaller] the deadline headers of those callers count whom it
// names: grpc-timeout, X-Envoy-Expected-Rq-Timeout-Ms and X-Request-Timeout-Ms.
// They shorten the limit, or lengthen it up to [Config.Max]. A budget that is
// spent, or less than [Config.MinBudget], is refused with 504 at once. What is
// malformed, or longer than a year, is passed over and noted in the log line.
//
// [NewTransport] is the other end: it bounds each attempt of a client to the end
// of the body, tells the server what remains of the caller's own deadline less
// [TransportConfig.Reserve], and does not start what cannot end in time.
package timeout
