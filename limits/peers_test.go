package limits_test

import (
	"testing"

	"github.com/bulwark-go/bulwark/internal/peers"
)

// What went wrong in the libraries that do this job today, and which test of
// ours, or which sentence of the documentation, stands against it.
//
//	L1   a reader gets more than the limit               TestBodyLimit TestErrorIsSticky FuzzGuard
//	L2   a binder turns 413 into 400                     TestErrorIsRemembered TestWithTheOtherPackages
//	L3   a body that was kept reads another request's    TestBodyIsDeadAfterTheRequest
//	L4   a wrapped writer: the connection stays open     TestRefusalReachesAClientThatStalls
//	L5   a limit and a response that streams             TestStreamingResponse
//	L6   exactly the limit is refused                    TestBodyLimit
//	L7   MaxBytesError becomes 400                       TestErrorIsRemembered
//	L8   form parsing swallows the error                 TestErrorIsRemembered
//	L9   a limit for forms is no limit for bodies        TestMultipartFormIsBounded
//	L10  a decoder stops early and 10 KB pass            TestDecoderThatStopsEarly
//	L11  413 poisons the next request                    TestRefusalReachesAClientThatStalls TestLeftoverIsNoRequest
//	L12  a reset overtakes the 413                       TestRefusalReachesAClientThatIsSending TestDrainIsBounded
//	L13  Content-Length is believed, chunked passes      TestBodyLimit
//	L14  chunked becomes 500, or an empty body           TestBodyLimit
//	L15  bombs                                           TestBomb TestBombOfEmptyMembers TestUnknownCoding
//	L16  outbound: the transport gunzips unseen          TestTransport TestTransportBody
//	L17  slow clients take all permits                   TestClientThatDoesNotRead
//	L18  one WebSocket blocks everybody                  TestHijackGivesThePermitBack
//	L19  a panic keeps a permit                          TestPermitsComeBack
//	L20  a queued request outlives its client            TestQueuedRequestLeavesWithItsClient
//	L21  a client that left the queue was refused        TestQueuedRequestLeavesWithItsClient
//	L22  a limit that halves itself at its maximum       "limits that adapt themselves are not part of this package"
//	L23  a limit that grows for ever                     "limits that adapt themselves are not part of this package"
//	L24  a baseline that drifts                          "limits that adapt themselves are not part of this package"
//	L25  a nonsensical configuration is accepted         TestWrongConfig
//	L26  probing that sheds                              "limits that adapt themselves are not part of this package"
//	L27  the status cannot be chosen                     TestErrorHandler
//	L28  a queue that serves only what has expired       TestDeadlineInTheQueue TestEnforcedDeadlineInTheQueue
//	L29  a burst passes between check and count          TestBurst
//	L30  the client's address is spoofed                 "Rate limits per client"
//	L31  a limiter is used before it is made             TestBurst TestServingTwice
//	L32  a callback under a lock                         TestErrorHandlerMayServe
//	L33  state by key is never evicted                   "Rate limits per client"
//	L34  a negative Retry-After                          TestMaxInFlight
//	L35  shedding by load                                TestMaxInFlight TestQueueIsFirstInFirstOut
func TestPeersTable(t *testing.T) { peers.Check(t, "L", 1, 35) }
