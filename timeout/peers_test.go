package timeout_test

import (
	"testing"

	"github.com/bulwark-go/bulwark/internal/peers"
)

// What went wrong in the libraries that do this job today, and which test of
// ours, or which sentence of the package comment, stands against it.
//
//	T1   answers glued together, concurrent map writes   TestRaceAcrossTheDeadline TestBegunResponseBreaksOff
//	T2   races with the framework's context              TestRaceAcrossTheDeadline TestStuckHandlerHTTP2InPlace
//	T3   the process dies, no recovery can help          TestPanicAfterTheDeadline
//	T4   a pooled context is reused under the handler    TestStuckHandlerHTTP2InPlace TestRaceOfMixedRequests
//	T5   a pooled buffer is reused under the handler     TestRaceOfMixedRequests
//	T6   the answer waits for the handler                TestStuckHandler
//	T7   the stack of a panic is lost                    TestPanicInTime TestPanicAfterTheDeadline
//	T8   wrote more than the declared Content-Length     TestEverythingIsRefusedAfterTheDeadline
//	T9   headers already written, headers lost           TestErrorHandlerHeaders TestLateAnswerIsRefused
//	T10  a framework's context copied by force           "a handler left behind would read the next request's"
//	T11  pollution across requests                       TestRaceAcrossTheDeadline TestRaceOfMixedRequests
//	T12  concurrent map writes kill the process          TestRaceAcrossTheDeadline
//	T13  concurrent map read and map write               TestRaceAcrossTheDeadline
//	T14  Write called after Handler finished             TestEverythingIsRefusedAfterTheDeadline
//	T15  the wrong status                                TestAtTheDeadline TestErrorHandler
//	T16  it must be first or it races with the logger    TestRecorderOutside TestRecorderInside
//	T17  Flush panics                                    TestStreamIsNotHeldBack TestResponseControllerInTime
//	T18  writers mixed up between requests               TestRaceOfMixedRequests
//	T19  no Flusher, no SSE                              TestStreamOutlivesLimit TestStreamIsNotHeldBack
//	T20  it buffers everything                           TestStreamIsNotHeldBack
//	T21  a late panic is dropped, a late Push panics     TestPanicAfterTheDeadline TestEverythingIsRefusedAfterTheDeadline
//	T22  the stack of a panic is rewritten               TestPanicInTime
//	T23  a panic on a goroutine kills the process        TestPanicInTime TestPanicAfterTheDeadline
//	T24  the clock starts with the wiring                TestLimitCountsFromTheRequest
//	T25  WriteTimeout: an EOF and no cancellation        TestWriteTimeoutShorterThanTheLimit TestContextAtTheDeadline
//	T26  a read deadline breaks the next request         TestNextRequestOfTheConnection
//	T27  stalled reads and writes per handler            TestStalledBodyHTTP1 TestStalledBodyHTTP2 TestClientThatDoesNotRead
//	T28  an armed write deadline resets a stream         TestStreamOutlivesLimit
//	T29  a stalled body holds its handler for ever       TestStalledBodyHTTP1 TestStalledBodyHTTP2
//	T30  the context does not free a Read                TestStalledBodyHTTP1 TestBodyAfterTheDeadline
//	T31  a client's header switches it off               TestNoHeaderLiftsTheDeadline
//	T32  deadlines not supported under the wrapper       TestResponseControllerInTime
//	T33  a wrapper delays every event to the end         TestStreamIsNotHeldBack
//	T34  streams parked in Write                         TestStreamDownload TestClientThatDoesNotRead
//	T35  a goroutine leaks                               TestMain TestAbandoned
//	T36  header maps shared with a handler left behind   TestRaceAcrossTheDeadline TestErrorHandlerRequest
//	T37  wrappers race through the timeout's goroutine   TestRecorderOutside
//	T38  a panic leaks the permit                        TestWhenHandlerEnds
//	T39  enforcement expected of a cooperative timeout   TestCooperative "The deadline is enforced"
//	T40  1xx are not final, 101 is                       TestInformationalDoesNotLiftTheDeadline TestSwitchingProtocolsLiftsTheDeadline
//	T41  the context ends when RoundTrip returns         TestTransportContextLivesWithTheBody
//	T42  a client's timeout stops at the headers         TestTransportLimit TestTransportOnTheWire
//	T43  a stalled body holds a slot for ever            TestStalledBodyHTTP1 TestWhenHandlerEnds
//	T44  the caller's deadline is ignored                TestCallersBudget TestTransportTellsTheServer TestTransportAndMiddlewareAgree
//	T45  408 for a slow server: retry storms             TestSlowServerWithBodyIs504
//	T46  503 for a client that has not finished          TestStalledBodyHTTP1 TestStalledBodyHTTP2
func TestPeersTable(t *testing.T) { peers.Check(t, "T", 1, 46) }
