// Package interop tests other libraries behind the whole stack, over real sockets,
// and documents for each library what works and how. Every test checks what the
// client sees and what the log record says. The package has only tests. It is a
// separate module, so Bulwark's users do not depend on these libraries.
//
// docs/middleware.md says where to put other middleware. The code on that page is
// compiled and run here. The three places are outside (of everything), behind
// (package logging, but outside timeout and limits) and inside (around the mux).
//
// # httputil.ReverseProxy
//
// Flushing, trailers, 103 Early Hints and upgrades work. If an upstream dies in the
// middle of its response, the client sees that the response is broken ("aborted" in
// the log record). At the deadline the upstream's request is canceled. Set
// ErrorHandler to (*errmap.Mapper).Write, because the default one also responds
// with 502 if the client's body was too large. To map an error of your transport to
// a 502 anywhere else, use a rule:
//
//	errmap.As(func(*net.OpError) errmap.Problem { return errmap.Problem{Status: http.StatusBadGateway} })
//
// The log record of an upgrade has status 101 and outcome "upgraded", although
// the proxy writes the 101 to the hijacked connection itself.
//
// # http.FileServer
//
// Ranges, conditions and HEAD work as without the stack. On HTTP/1 without TLS,
// files are sent by sendfile, also through otelhttp, promhttp and rs/cors. With
// gzhttp, chi's Compress or an fs.FS, sendfile is not used, with or without the
// stack.
//
// # Compression: klauspost/compress/gzhttp, chi's Compress
//
// If it is inside, or between logging and timeout, the logged size is the size on
// the wire. If it is outside, the logged size is the size before compression.
// Bulwark's own responses never have a wrong Content-Encoding, and an aborted
// response never looks complete. Streams are flushed. For compressed requests see
// limits.Config.MaxDecodedBytes.
//
// # WebSocket: coder/websocket, gorilla/websocket
//
// The upgrade ends the deadline, also through otelhttp, promhttp, gzhttp, chi and
// rs/cors. The log record is written when the connection ends, with the number of
// its bytes. It has status 101, also with gorilla, which writes the 101 to the
// connection itself. A handler may return the error of a refused handshake to
// (*errmap.Mapper).Handler. The library's response is kept. Neither library serves
// WebSocket over HTTP/2, with or without the stack.
//
// # Server-sent events: tmaxmax/go-sse
//
// Set timeout.Config.Stream. Limit then bounds the time to the first byte. A stream
// that is silent for longer than Stream is aborted, so the client connects again
// with its Last-Event-ID.
//
// # connect-go: Connect, gRPC and gRPC-Web over HTTP/1, HTTP/2 and h2c
//
// Unary calls and streams work; for streams set timeout.Config.Stream. An error of
// an RPC is an HTTP status with Connect and a 200 with gRPC. It is logged with that
// status. Bulwark's own responses are an HTTP status in each protocol. Clients
// translate it: 504 to unavailable, 413 and 500 to unknown.
//
//   - To send deadline_exceeded, put a second timeout inside, Cooperative and a
//     little shorter. connect-go responds when the context ends, and the outer
//     timeout still responds for a handler that ignores its context.
//   - To send resource_exhausted, set an ErrorHandler of limits that calls Write of
//     a connect.ErrorWriter. The ErrorHandler of timeout cannot do this, because it
//     does not get the Content-Type, which identifies the protocol.
//   - TrustCaller reads the grpc-timeout of gRPC and gRPC-Web. connect-go itself
//     reads Connect-Timeout-Ms.
//
// # OpenTelemetry: otelhttp
//
// If otelhttp is outside, its span has the status that was sent. In other places
// the span has the status of the handler. It has the route in all places.
// adapters/bulwarkotel adds the span to the log record, which otherwise has the
// caller's span, and sets the outcome on the span. On HTTP/2 set
// timeout.Config.Detach, wherever otelhttp is.
//
// # Prometheus: promhttp
//
// If InstrumentHandler* is outside, its codes are those that were sent, and aborted
// responses are not counted. If it is inside, a deadline counts as a 200, and
// refused requests and panics are not counted. adapters/bulwarkprometheus counts
// all requests. The /metrics handler works unchanged.
//
// # chi
//
// Put the router inside. Its route is logged. About chi's middleware:
//
//   - Recoverer: leave it out. Outside it has no effect. Inside it recovers the panic
//     before errs.Recover: the response is empty, the log record has neither cause
//     nor stack, and a response that had begun looks complete.
//   - Timeout: leave it out. It only ends the context, which a handler may ignore.
//   - RequestID: it makes a second id. To have only one id, set the request's
//     X-Request-Id to logging.RequestID(ctx) before RequestID.
//   - RealIP: it trusts every client, and is deprecated because of that. If it is
//     inside, it does not change the log record. Use logging.Config.TrustedProxies.
//   - Compress: see gzhttp. Throttle: if it is outside logging, its refusals are
//     not logged. Use limits.Config.MaxInFlight instead.
//   - CleanPath, GetHead, NoCache: keep them on the router.
//
// # rs/cors
//
// Put it between logging and timeout. Then every response has CORS headers,
// including mapped errors, panics, 413 and 504. If it is inside, a 504, and a 413
// that is sent before the handler runs, have no CORS headers, and the page sees a
// network error. If it is outside logging, every response has CORS headers, but
// preflights are not logged.
//
// # pgx and database/sql
//
// A query, and the wait for a connection of the pool, end with the request's
// context, and the query is canceled in the database. The driver's error is
// context.DeadlineExceeded, which errmap answers with 504. If the client has left,
// the error is context.Canceled.
//
// # failsafe-go
//
// Put its policies around Bulwark's transports, so that each attempt has its own
// limit and its own log record. Each retry sends the time left until the request's
// deadline to the upstream, and no retry begins after the deadline. An attempt that
// hangs counts as a failure for the circuit breaker, and the losing attempt of a
// hedge is canceled. Add a rule for circuitbreaker.ErrOpen (503).
//
// # HTTP/3: quic-go
//
// Limits, mapped errors, panics, flushing and the 504 at the deadline work, and the
// log record has protocol 3. Four things differ. A client is known to have left
// only when a write fails, because the context ends without a cause. For a stuck
// handler the 504 is sent completely at the deadline, but the stream ends only when
// the handler returns, and some clients wait for that. An aborted response is
// reset, and the client may lose what was sent before. And http3.HTTPStreamer,
// which WebTransport needs, is found only by unwrapping the writer.
package interop
