package exchange

import (
	"errors"
	"net/http"
	"sync/atomic"
)

// state says how far a request has come. Only moveTo changes it:
//
//	from       to
//	open       late      the deadline has passed
//	open       gone      the client has left, and the handler did not return
//	open       aborted   the response must not end cleanly
//	open       upgraded  the connection was hijacked
//	open       returned  the handler returned
//	aborted    late      the deadline has passed, and the handler did not return
//	aborted    returned  the handler returned
//	upgraded   returned  the handler returned
//
// The states late, gone and returned are final. Nothing more is sent in them, nor in
// the state aborted.
//
// There are eight flags. writing means that a write is in progress. It is set only
// in the state open, but may stay set in the next state; the goroutine that moved
// the state then waits for the write (awaitIdle). clientLeft means that the client
// is known to have left. leftFirst means that the client left before the response
// began. readLate means that a read deadline has passed; see ClientGone. bounded
// means that net/http's drain of the body has a deadline; see BoundDrain. finished
// means that no write can start, because the server has finished the request; see
// serverFinished. bornEnded means that the parent context had ended before the request
// began. trailing means that announced trailers follow the body, so that the
// response is complete only when the handler has returned.
type state uint32

// The states.
const (
	open state = iota
	late
	gone
	aborted
	upgraded
	returned
)

// The flags.
const (
	writing    state = 1 << 4
	clientLeft state = 1 << 5
	leftFirst  state = 1 << 6
	readLate   state = 1 << 7
	bounded    state = 1 << 8
	finished   state = 1 << 9
	bornEnded  state = 1 << 10
	trailing   state = 1 << 11
	flags            = writing | clientLeft | leftFirst | readLate | bounded | finished | bornEnded | trailing
)

// moves is the table in the comment of state: from, to.
var moves = [returned + 1][returned + 1]bool{
	open:     {late: true, gone: true, aborted: true, upgraded: true, returned: true},
	aborted:  {late: true, returned: true},
	upgraded: {returned: true},
}

func (s state) String() string {
	return [...]string{"open", "late", "gone", "aborted", "upgraded", "returned"}[s&^flags]
}

// writeErr returns the error of a refused write.
func (s state) writeErr() error {
	switch s &^ flags {
	case gone:
		return ErrClientGone
	case aborted:
		return errAborted
	case upgraded:
		return http.ErrHijacked
	case returned:
		return errReturned
	default:
		return http.ErrHandlerTimeout
	}
}

var (
	errAborted  = errors.New("bulwark: the response was aborted")
	errReturned = errors.New("bulwark: the handler has returned")
)

type stateWord struct{ word atomic.Uint32 }

// load returns the state without its flags.
func (w *stateWord) load() state { return state(w.word.Load()) &^ flags }

func (w *stateWord) has(flag state) bool { return state(w.word.Load())&flag != 0 }

// moveTo moves the state, if the table allows it. It returns the state before, with
// its flags.
func (w *stateWord) moveTo(to state) (from state, ok bool) {
	for {
		old := state(w.word.Load())
		if !moves[old&^flags][to] {
			return old, false
		}
		if w.word.CompareAndSwap(uint32(old), uint32(to|old&flags)) {
			return old, true
		}
	}
}

// startWriting sets the flag writing. It fails if the state is not open, or if the
// server has finished the request.
func (w *stateWord) startWriting() bool {
	for {
		old := w.word.Load()
		if state(old)&^(flags&^(writing|finished)) != open {
			return false
		}
		if w.word.CompareAndSwap(old, old|uint32(writing)) {
			return true
		}
	}
}

// stopWriting clears the flag writing. It reports whether the state is still open.
func (w *stateWord) stopWriting() bool {
	return state(w.word.And(^uint32(writing)))&^flags == open
}

func (w *stateWord) set(flag state) { w.word.Or(uint32(flag)) }
