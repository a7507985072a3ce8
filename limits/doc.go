// Package limits is net/http middleware that takes never a byte, a request or
// a second more than agreed.
//
//	limit := limits.New(limits.Config{
//		MaxBodyBytes: 1 << 20, // 413
//		MinBodyRate:  1 << 10, // 408
//		MaxInFlight:  1000,    // 503
//	})
//	http.ListenAndServe(":8080", limit(mux))
//
// A body whose declared length is over the limit is refused before the handler
// runs. Of any other the handler gets exactly as much as was agreed, and then
// an *[http.MaxBytesError] that stays; exactly the limit passes. Encoded bodies
// (gzip, deflate) can be handed on decoded, within a size and a ratio, so that
// a few kilobytes do not become gigabytes. A client that sends too slowly is
// cut off by its rate over the time that the handler waited for it: an upload
// may take an hour, a handler may read as slowly as it likes, and what happens
// after the end of the body is not counted at all.
//
// MaxInFlight bounds the requests that are served at once, MaxQueue those that
// wait, first in, first out. A request leaves the queue when its client does,
// after MaxWait, or when so little is left of its deadline that serving it
// would be in vain. (net/http sees a client leave only once the request's body
// is read, so one that is still to be read waits for its turn or for MaxWait.)
//
// A permit comes back when the handler has ended: by returning, by a panic, by
// runtime.Goexit. A handler that outlives its deadline keeps it, because it
// still uses what the permit stands for; so does a stream for as long as it
// lasts, and package timeout is what bounds it. A hijacked connection gives its
// permit back at once: it may live for days, no deadline of ours reaches it,
// and a few hundred idle sockets would close the service for everybody else.
// Long-lived connections are the application's to count.
//
// Rate limits per client and limits that adapt themselves are not part of this
// package.
//
// # Ordering
//
// Outside of the handlers that read the body, and inside of logging, which
// otherwise never hears of a request that is refused here:
//
//	bulwark.Chain(logging.New(…), limits.New(…), timeout.New(…))
//
// With timeout inside, the time in the queue is not the handler's; with timeout
// outside, the deadline runs while the request waits, and limits answers 503
// just before it passes. A middleware that decompresses bodies by itself
// belongs outside, so that what counts is what the handler reads; better is
// MaxDecodedBytes.
//
// [Override] gives a route limits of its own, in any router.
//
// # What the client sees
//
// 413 for a body that is too large, declared or not, encoded or decoded; 408
// for one that comes too slowly; 415 with Accept-Encoding for a coding that
// cannot be undone and 400 for a body that is not in the coding it says; 414
// for the target and 431 for the header; 503 with Retry-After where too many
// requests are in flight. What a handler makes of an error that it gets from
// the body is up to the handler; package errmap makes these of it, also where
// a decoder has lost the error on the way.
//
// After a 413 or a 408 an HTTP/1 connection is closed, which Connection: close
// says. The answer reaches a client that is still sending, as far as the
// server drains what comes (256 KiB or half a second), one that has stalled,
// and one that asked first (Expect: 100-continue), which is never told to go
// on. On HTTP/2 only the stream ends.
//
// # What it does not do
//
// A form that is not multipart is bounded by net/http itself at 10 MB, whatever
// MaxBodyBytes says. What a JSON decoder leaves unread behind the end of its
// value is neither counted nor delivered. What a server reads of a request's
// head is Server.MaxHeaderBytes' to bound; the limits here are for what should
// be refused with a clear answer long before that.
package limits
