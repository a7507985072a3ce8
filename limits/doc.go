// Package limits is net/http middleware that takes never a byte, a request or
// a second more than agreed.
//
//	limit := limits.New(limits.Config{
//		MaxBodyBytes: 1 << 20, // 413
//		MinBodyRate:  1 << 10, // 408
//		MaxInFlight:  1000,    // 503
//	})
//
// A body whose declared length is over the limit is refused before the handler
// runs. Of any other the handler gets exactly as much as was agreed, and then
// an *[http.MaxBytesError] that stays. Encoded bodies can be handed on decoded,
// within a size and a ratio; a client that sends too slowly is cut off by its
// rate; and only so many requests are served at once, see [Config]. Rate limits
// per client and limits that adapt themselves are not part of this package.
//
// # Ordering
//
// Outside of the handlers that read the body, and inside of logging, which
// otherwise never hears of a request that is refused here. With timeout inside,
// the time in the queue is not the handler's; with timeout outside, the deadline
// runs while the request waits, and limits answers 503 just before it passes.
// What decompresses bodies by itself belongs outside; better is MaxDecodedBytes.
// [Override] gives a route limits of its own, in any router.
//
// # What the client sees
//
//	the body is too large, declared or not, encoded or decoded   413
//	it comes too slowly                                          408
//	its coding cannot be undone, or is not the one it says       415, 400
//	the target or the header is too large                        414, 431
//	too many requests are in flight                              503, Retry-After
//
// What a handler makes of an error that it gets from the body is up to the
// handler; package errmap makes these of it, also where a decoder has lost the
// error on the way. [New] tells how the answers get through.
package limits
