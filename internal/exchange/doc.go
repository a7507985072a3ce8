// Package exchange follows one HTTP request through the stack.
//
// An [Exchange] is made by the outermost middleware and shared by all middleware
// inside it. It is the request's context, wraps the server's ResponseWriter and the
// request's body, and decides how the request ends: when the handler returns, at a
// deadline, when the client leaves, when the response is aborted, or when the
// connection is hijacked. The packages of the stack do not know each other, only
// the exchange.
//
// The methods are grouped. [Exchange] itself has the methods of a context, of the
// request and of its deadlines. [Exchange.Response] has the methods of the
// response, for errmap and logging. [Exchange.Body] has the methods of the
// request's body, for limits. [Exchange.Inspection] has the methods for inspect. And
// [Exchange.Notes] has what the packages record.
//
// # Files
//
// Each line names a group of files, what it does, and the groups that it may
// call. Every group also reads state.go, extras.go and the accessors of
// exchange.go, and may report to errorlog.go.
//
//	exchange  serve.go, exchange.go: begins and ends an exchange; calls all groups
//	context   context.go, labels.go: the request's context; calls deadline, client
//	writer    writer.go, flush.go, control.go, readfrom.go, wire.go: the
//	          handler's ResponseWriter; calls headers, body, deadline, breaks, client, record
//	headers   headers.go, hijack.go: the handler's header map, the hijack; calls writer,
//	          deadline, taken
//	body      request.go, drain.go, bodyfault.go: the request's body; calls deadline, writer
//	deadline  deadline.go, scope.go, move.go, ring.go, alarm.go: the deadlines,
//	          their scopes and their timer; calls early, headers, breaks
//	early     early.go, idle.go, answer.go, reply.go, detached.go: the end of a request whose
//	          handler is running; calls writer, headers, body, breaks, client, record
//	breaks    abort.go, end.go: the broken response, the last flush; calls writer,
//	          deadline
//	client    clientgone.go, peergone*.go, finished.go: whether the client has left,
//	          or the server has finished; calls record, deadline, early, breaks
//	record    notes.go, local.go, outcome.go, observer.go, watch.go: what happened
//	          and what is happening, and the calls of the observers; reads the
//	          others and changes nothing
//	taken     counted.go, statusline.go: a connection after its hijack; calls record
//
// The server's writer is written to only in three places: between begin and done;
// after awaitIdle, by the goroutine that moved the state; and in handBack, when the
// handler has returned. Its deadlines are set through a ResponseController at other
// times, too.
//
// # States
//
// A request is open until one event wins: late (a deadline), gone (the client),
// aborted, upgraded (a hijack), or returned. The table in state.go lists every
// move. If several events happen at the same time, the compare-and-swap in moveTo
// decides which one wins. The winner ends the request, and the others do nothing to
// the response. Eight flags are in the same word as the state.
//
// # Locks
//
//	Exchange.mu  the chain of deadlines, the alarm, the route, the observers, the
//	             handler's own header map, the early end
//	wmu          the server's writer and the fields of response; held from begin
//	             to done
//	control      controlOff, connEnd, and the calls of a ResponseController that
//	             can come from any goroutine; none comes after the handler has returned
//	noted.mu     what Notes records
//	alarm.mu     the fields of an alarm
//	detached.mu  the fields of a detached handler
//
// A goroutine takes the locks in this order: wmu, control, mu, then one of the last
// three. Hooks, observers, sources and methods of errors belong to the application,
// and run with no lock held. The exception is the writer of outer middleware,
// which is called with wmu held, like the server's writer.
//
// The fields of response belong to the holder of wmu. After an early end they
// belong to the goroutine that moved the state, as soon as awaitIdle has returned.
// If it returned writeStuck, that goroutine may only close the connection.
//
// # One request
//
// Serve finds no exchange in the context, so it makes one and runs the handler
// with its writer, its body and itself as the context. An inner middleware's
// Serve finds that exchange and joins it.
//
// ServeUntil pushes a Deadline and sets the alarm. The handler runs on the server's
// goroutine, or on another one if the handler may be abandoned (HTTP/2, see
// detachable). Each write goes through begin, which refuses it unless the state is
// open, then to the server's writer, then through done.
//
// If the handler returns in time, boundEnd or boundStream bounds the last flush,
// and pop removes the deadline. leave moves the state to returned, calls the observers with the
// [Ending] (by end), and ends the context.
//
// If the alarm rings first, endLate moves the state to late, and expire ends the
// request: it ends the context, unblocks a read of the body, waits for a write in
// progress, and sends the answer (or completes or breaks a response that has
// begun). Then expire gives the handler 5 ms to return. If the handler has not
// returned by then, expire ends the connection or the stream. Then it calls the
// observers. When the handler returns, reportLate reports that to the observers,
// and leave changes nothing more on the wire.
//
// If the client leaves, the parent context ends, and ParentEnded asks CloseNotifier
// whether the client has left. If so, the context ends with [ErrClientGone]. On
// HTTP/2, if an observer or package inspect needs the Ending, endGone moves the state
// to gone if the handler is still running 100 ms later. A handler that is stuck
// is then abandoned at the deadline; see abandonAtDeadline.
//
// Abort aborts a response that must not look complete. If its handler is still running
// at the deadline, expire ends the request without an answer. Hijack lifts all
// deadlines. With CountUpgraded the exchange of a hijacked connection then ends
// when both the handler and the connection have ended.
//
// docs/reliance.md lists what this package expects of net/http beyond its
// documentation.
package exchange
