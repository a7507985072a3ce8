// Package interop proves with real libraries over real sockets what becomes of
// them behind the whole stack, and says it here, library by library. It has
// tests only, and is a module of its own, so that nobody else gets these
// libraries. Every test looks at both: what the client sees, and what the line
// of package logging says.
//
// # Where somebody else's middleware goes
//
// There are three places for it, and one rule: what wraps the ResponseWriter or
// the request goes inside, unless what it does needs another place.
//
//	bulwark.Chain(
//		outside,          // sees what goes over the wire
//		logging.New(…),
//		behind,           // is on every answer, also on those of ours
//		timeout.New(…),
//		limits.New(…),
//		errs.Recover,
//		inside,           // sees what the handler does
//	)(mux)
//
// Wherever it stands, the client gets the answers that package bulwark promises
// and the line has the status that it got. The places differ in this:
//
//   - An answer of the deadline goes out past everything between logging and the
//     handler. A middleware there sees the handler's own end, mostly 200 and
//     nothing written; only outside of everything does it see the 504.
//   - On HTTP/2, a middleware outside of timeout that wraps the writer or the
//     request lets the answer of a deadline end with a reset of the stream
//     instead of its proper end. The answer is complete all the same.
//   - A middleware that gives the router a request of its own (WithContext does)
//     keeps the route from what stands outside of it. Tell the line by
//     logging.Add(ctx, slog.String("http.route", r.Pattern)), as package
//     examples/observability/oteltraces does.
//
// # httputil.ReverseProxy
//
// Works: flushing, trailers, 103 Early Hints, upgrades, and an upstream that
// dies in the middle of its response, which the client sees as broken ("aborted"
// in the line). At the deadline the upstream's request is cancelled. Set
// ErrorHandler to (*errmap.Mapper).Write: httputil's own answers 502 where the
// client's body was too large, too. A rule makes a 502 of what has no other:
//
//	errmap.As(func(*net.OpError) errmap.Problem { return errmap.Problem{Status: http.StatusBadGateway} })
//
// The line of an upgrade says 101 and outcome "upgraded", although the proxy
// writes that 101 onto the connection that it has taken over.
//
// # http.FileServer
//
// Ranges, conditions and HEAD are as without the stack. On HTTP/1 without TLS,
// files go by sendfile, through otelhttp, promhttp and rs/cors as well; gzhttp
// and chi's Compress end that, and so do the files of an fs.FS, stack or not.
//
// # Compression: klauspost/compress/gzhttp, chi's Compress
//
// Inside, or between logging and timeout: the line's size is that on the wire.
// Outside it is the size before compression. Answers of ours are never marked
// with an encoding that they do not have, and a response that breaks off never
// looks whole. Streams are flushed through; for requests that come compressed
// see limits.Config.MaxDecodedBytes.
//
// # WebSocket: coder/websocket, gorilla/websocket
//
// The upgrade lifts the deadline, through otelhttp, promhttp, gzhttp, chi and
// rs/cors as well, and the line is written when the connection ends, with the
// bytes that went over it. gorilla writes the 101 by itself, and its line
// has it, too. The errors of a refused handshake may be returned to
// (*errmap.Mapper).Handler: the library's answer stands. Neither library serves
// WebSocket over HTTP/2, with or without the stack.
//
// # Server-sent events: tmaxmax/go-sse
//
// Give timeout.Config a Stream: Limit then bounds the time to the first byte.
// A stream that is silent for longer breaks off visibly, so that the client
// connects again with its Last-Event-ID.
//
// # connect-go: Connect, gRPC and gRPC-Web over HTTP/1, HTTP/2 and h2c
//
// Unary calls and streams work; for streams give timeout.Config a Stream. What
// an RPC answers by itself is an HTTP status with Connect and a 200 with gRPC,
// and that is what the line says. What we answer is an HTTP status in all of
// them, and clients make of it: 504 unavailable, 413 and 500 unknown.
//
//   - For deadline_exceeded put a second timeout inside, Cooperative and a little
//     shorter: connect-go answers when the context ends, and the outer one still
//     stops a handler that does not listen.
//   - For resource_exhausted let the ErrorHandler of limits be one that calls the
//     Write of a connect.ErrorWriter. That of timeout cannot: the Content-Type
//     by which it knows the protocol is not among the headers that are kept.
//   - TrustCaller reads the grpc-timeout of gRPC and gRPC-Web. connect-go itself
//     reads Connect-Timeout-Ms.
//
// # OpenTelemetry: otelhttp
//
// Outside, its span has the status that went over the wire, elsewhere that of the
// handler; the route it has everywhere. The line has the
// caller's span until it is told of otelhttp's: see logging.Config and package
// examples/observability/oteltraces.
//
// # Prometheus: promhttp
//
// The codes of InstrumentHandler* outside are those on the wire; it counts
// nothing for a response that broke off. Inside, a deadline is a 200, and what
// was refused or panicked is not counted. logging.Config.OnRecord counts all of
// them: see package examples/observability/prom. The /metrics handler works as
// it is.
//
// # chi
//
// The router goes inside; its route is in the line. Of its middleware:
//
//   - Recoverer: leave it out. Outside it has nothing to do. Inside it takes the
//     panic away from errs.Recover: the answer is empty, the line has neither
//     cause nor stack, and a response that had begun looks complete.
//   - Timeout: leave it out. It ends the context and nobody who does not listen.
//   - RequestID: it makes a second id. To have one, set the request's
//     X-Request-Id to logging.RequestID(ctx) before it.
//   - RealIP: it believes everybody, and is deprecated for it. Inside it does not
//     reach the line; use logging.Config.TrustedProxies.
//   - Compress: as gzhttp. Throttle: outside of logging what it refuses has no
//     line; better is limits.Config.MaxInFlight.
//   - CleanPath, GetHead, NoCache: on the router, as ever.
//
// # rs/cors
//
// Between logging and timeout, where its headers are on every answer: mapped
// errors, panics, 413 and 504. Inside, a 504 and a 413 that was refused before
// the handler go without, and the browser tells its page of a network error.
// Outside of logging they are on every answer, too, but a preflight has no line.
//
// # pgx and database/sql
//
// A query, and the wait for a connection of the pool, end with the request's
// context, and the query is cancelled in the database. The driver's error is
// context.DeadlineExceeded, which errmap answers with 504, and for a client
// that has left context.Canceled.
//
// # failsafe-go
//
// Its policies go around our transports, so that each attempt has its own limit
// and its own line: each retry tells the upstream how much is left of the
// request's deadline, none begins after it, an attempt that hangs is a failure
// for the circuit breaker, and the attempt that loses a hedge is cancelled. Give
// circuitbreaker.ErrOpen a rule (503).
//
// # HTTP/3: quic-go
//
// Works: the line says protocol 3, limits, mapped errors, panics, flushing, a
// client that leaves, and 504 at the deadline. Three things differ. The 504 of a
// handler that is stuck is there in full at the deadline, but its stream ends
// when the handler does, and a client that waits for the end waits for that. A
// response that breaks off is reset, which may overtake what was sent before.
// And http3.HTTPStreamer, which WebTransport needs, is only found by unwrapping
// the writer (Unwrap), past the stack.
package interop
