package limits_test

// Where each row of what went wrong elsewhere is tested, or why it cannot
// happen here. The numbers are those that the tests name in their comments.
//
//	L1   TestBodyLimit, TestErrorIsSticky, FuzzGuard
//	L2   TestErrorIsRemembered; what errmap makes of it is tested there
//	L3   TestBodyIsDeadAfterTheRequest
//	L4   TestRefusalReachesAClientThatStalls
//	L5   TestStreamingResponse
//	L6   TestBodyLimit
//	L7   TestErrorIsRemembered: the error stays an *http.MaxBytesError, and no binder of a framework is asked
//	L8   TestErrorIsRemembered
//	L9   TestMultipartFormIsBounded
//	L10  TestDecoderThatStopsEarly
//	L11  TestRefusalReachesAClientThatStalls, TestLeftoverIsNoRequest
//	L12  TestRefusalReachesAClientThatIsSending, TestRefusalReachesAClientThatStalls, TestDrainIsBounded
//	L13  TestBodyLimit
//	L14  TestBodyLimit
//	L15  TestBomb, TestBombOfEmptyMembers; zstd is not decoded at all (TestUnknownCoding)
//	L16  TestTransport
//	L17  TestClientThatDoesNotRead
//	L18  TestHijackGivesThePermitBack
//	L19  TestPermitsComeBack
//	L20  TestQueuedRequestLeavesWithItsClient
//	L21  TestQueuedRequestLeavesWithItsClient
//	L22  cannot happen: no limit adapts itself
//	L23  the same
//	L24  the same
//	L25  TestWrongConfig
//	L26  cannot happen: no limit adapts itself, nothing is probed
//	L27  TestErrorHandler
//	L28  TestDeadlineInTheQueue, TestEnforcedDeadlineInTheQueue
//	L29  TestBurst
//	L30  cannot happen: nothing is counted by client, so no address is believed
//	L31  cannot happen: what requests share is made by New before there is a request
//	L32  TestErrorHandlerMayServe
//	L33  cannot happen: there is no state by key
//	L34  TestMaxInFlight
//	L35  MaxInFlight and MaxQueue: TestMaxInFlight, TestQueueIsFirstInFirstOut
