// Package inspect shows which requests are in flight, what each one is doing, and
// the line of code at which a handler is stuck.
//
//	in := inspect.New(inspect.Config{})
//	server := &http.Server{Handler: in.Middleware(bulwark.New(bulwark.Config{})(mux))}
//	debug := http.NewServeMux()
//	debug.Handle("/debug/requests", in) // on a port that only operators reach
//
// The page lists the requests with their route, client, age and the time left until
// their deadline, and marks abandoned handlers. It shows the rate, latency and
// outcomes of each route in the last ten minutes, and the last requests that
// failed, with the cause. Click the age of a request to see the stack of its
// handler. The page works without JavaScript; with JavaScript it refreshes itself.
//
// If a handler is abandoned, the log record of its request has the handler's stack
// as handler.stack, at most once a minute for each route.
//
// # What is shown
//
// What a client has sent is shown only as package logging logs it, with everything
// redacted that [github.com/bulwark-go/bulwark/logging.Config] redacts. Without
// package logging in the chain, the page has no id, path, client, user agent and
// cause. It never shows a query, nor any header except the user agent.
//
// # Labels
//
// Middleware gives the goroutine of each request a profiler label, bulwark.request.
// The goroutines that the handler starts inherit the label, and the inspector finds
// their stacks by it. Labels in the request's context are kept. Labels that only
// the goroutine has are replaced, as by pprof.Do; put such labels into the server's
// BaseContext instead.
//
// Goroutine and CPU profiles have the label, too. go tool pprof sums samples as
// before, but the text of /debug/pprof/goroutine?debug=1 lists each request
// separately. To avoid this, set [Config.NoStacks]; the page then has no stacks.
//
// To get a stack, the inspector takes a goroutine profile. The runtime stops all
// goroutines twice for it, each time for about 15 µs with 10,000 goroutines (the
// median of BenchmarkStack). Between these stops the goroutines run, but a
// goroutine first waits until its own stack is taken.
//
// # JSON
//
// With Accept: application/json the response is a JSON object. Durations are in
// seconds and sizes in bytes. A value that is not known is "", 0 or null.
//
//	time, goroutines           the time of the report; the number of goroutines in the process
//	in_flight, abandoned       the number of requests; how many of them have an abandoned handler
//	unlisted                   how many requests exceed Config.MaxEntries and are not listed
//	activities                 the number of requests for each activity, see below
//	requests[]                 at most 500, in the order of sort, only those of route
//	  key                      the key for the query; valid while the request is in flight
//	  id, method, route, path, client, user_agent, protocol
//	  start, age               when the request began; how long it has been running
//	  activity                 queued: the request waits for a permit of package limits
//	                           reading: a read is waiting for the client's body
//	                           writing: a write is in progress, and may be waiting for the client
//	                           hijacked: the handler has taken over the connection
//	                           handler: none of the above
//	  abandoned                whether the request has ended for the client, but the handler is running
//	  response_begun           whether the response has begun
//	  bytes_in, bytes_out      bytes of the bodies so far
//	  left                     the time until the deadline; negative after it, null without one
//	interval                   the length of an interval of the lists below
//	routes[]                   the busiest route first; at most 100, and one for all others
//	  route                    the pattern, for the query
//	  in_flight, abandoned
//	  outcomes                 the number of requests for each outcome in the last ten minutes
//	  rate, failed, p50, p99   one number for each interval, the oldest first: requests a
//	                           second, failed requests a second, quantiles of the duration
//	failures[]                 the last failure first; at most 100, and 32 for each outcome
//	  id, method, route, path, client, user_agent, protocol
//	  time, duration           when the request ended; how long it took
//	  outcome, status          as in the log record
//	  error_type, error_message
//	  abandoned, handler_stack
//
// With a key in the query, the response is about one request. The status is 404 if
// that request has ended:
//
//	time, request              the request, as above; null if it has ended
//	goroutines[]               those with the request's label, the handler's first
//	  handler                  whether it runs the handler
//	  count                    how many goroutines have this stack
//	  frames[]                 the innermost first: function, file, line
//	error                      why there are no stacks; absent if there are some
//
// All other goroutines were started by the handler, or by the handler of an earlier
// request that had the same label.
package inspect
