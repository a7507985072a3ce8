// Package limits provides net/http middleware that bounds request bodies, headers
// and concurrency.
//
//	limit := limits.New(limits.Config{
//		MaxBodyBytes: 1 << 20, // 413
//		MinBodyRate:  1 << 10, // 408
//		MaxInFlight:  1000,    // 503
//	})
//
// A request whose declared body length exceeds the limit is refused before the
// handler runs. From any other body the handler can read up to the limit. After
// that every Read returns an *[http.MaxBytesError]. Encoded bodies can be decoded
// for the handler; MaxDecodedBytes and MaxDecodeRatio bound the result. Clients
// that send too slowly are cut off. Requests over [Config.MaxInFlight] wait in a
// queue or are refused. To limit the rate of each client, use package quota.
// Adaptive limits are not part of this package.
//
// If reading the body fails and the handler returns the error to package errmap,
// the client gets the status given in [Reason], or 413, even if a decoder has
// replaced the error. Without errmap the handler chooses the status.
//
// Put limits inside logging and timeout, and around the handlers that read the
// body. Use MaxDecodedBytes instead of a decompressing middleware; if you need
// one, put it outside. [Override] gives a route its own body limits, in any
// router. "Ordering" and "What the client sees" in package
// [github.com/bulwark-go/bulwark] apply to all packages.
//
// # Outbound
//
// [NewTransport] bounds what a server may send back. "Outbound" in package
// [github.com/bulwark-go/bulwark/timeout] gives the order of Bulwark's transports.
// Do not retry a response that was too large: it will be too large again.
//
// # Choosing MaxInFlight
//
// By Little's law, the number of requests in flight is the requests per second
// times the seconds that each takes. A service that takes 50 ms on average and can
// serve 400 requests a second has 400 × 0.05 = 20 in flight. Measure both at the
// load at which the response time begins to rise, not when the service is idle. Set
// MaxInFlight to about 1.5 times the result, 30 here, because requests do not
// arrive evenly. If the handlers share a smaller pool, use its size: with 20
// database connections and a query in every request, more than 20 requests in
// flight only wait for each other.
//
// MaxQueue is for bursts. In this example the last request in the queue waits for
// MaxQueue / 400 seconds. With a MaxQueue of 400 that is 1 s, the default MaxWait.
// A request behind it would wait for 1 s and then be refused. MaxWait plus the time
// that a request takes must be less than the clients' own timeouts, or the service
// works for clients that have left.
//
// # Overload
//
// While requests arrive faster than they can be served, a queue with a fixed wait
// fills up, and every request waits for the whole queue. So once the queue has not
// been empty for MaxWait, a request may wait only for [Config.QueueTarget], by
// default a tenth of MaxWait. Requests that are served have then waited only
// briefly. The others get their 503 early enough to try another server. The service
// keeps doing as much work as it can. As soon as the queue has been empty, MaxWait
// applies again. If requests arrive in bursts, QueueTarget must be at least the
// time in which a usual burst is served. Otherwise permits are idle between bursts.
// [Config.Critical] reserves permits for the requests that matter most.
//
// Watch three numbers:
//
//   - How many requests are refused. If this number is not zero for more than a
//     moment, there is too little capacity, or MaxInFlight is too low.
//   - How long served requests take. If this time rises while few requests are
//     refused, MaxInFlight is too high.
//   - How many handlers are abandoned; package logging records this. Each of them
//     holds a permit and does no useful work.
package limits
