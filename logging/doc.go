// Package logging writes one structured line a request that says what really
// went over the wire, and how it ended.
//
//	log := logging.New(logging.Config{})
//	http.ListenAndServe(addr, log(mux))
//
// A line is constant in its message; the rest are attributes:
//
//	{"time":"…","level":"INFO","msg":"http request","http.request.method":"GET",
//	 "url.path":"/users/7","http.route":"/users/{id}","http.response.status_code":200,
//	 "http.request.body.size":0,"http.response.body.size":22,
//	 "http.server.request.duration":0.000132,"client.address":"192.0.2.1",
//	 "user_agent.original":"curl/8","network.protocol.version":"1.1",
//	 "outcome":"ok","request_id":"01a20751-7155-7151-9a73-cf8da1712cd2"}
//
// More stands in it only where there is something to say. Durations are in
// seconds, sizes in bytes. The status is the one that went over the wire, left
// out where nothing did, but for 499 where the client left before; what the
// handler wanted is status_intended, where it differs. The [Outcome] says how the
// request ended. What stays out of a line, who is taken to have asked, and the
// other schemas: see [Config] and [Schema].
//
// # Ordering
//
// New belongs outermost: a request that an outer package limits refuses has no
// line. Beyond that the order cannot make it lie, because the ending is observed
// where the response leaves: inside timeout it still logs the 504 that was sent.
// A writer of somebody else's in between, one that buffers as http.TimeoutHandler
// does, hides the wire from everything inside it: put it inside. A panic is
// logged with its stack and goes on: (*errmap.Mapper).Recover inside turns it
// into a 500.
package logging
