package exchange

import "log/slog"

// mapped is what package errmap tells and is told, guarded by the lock of the
// notes it is part of.
type mapped struct {
	bodyErr error
	level   slog.Leveler
}

// SetBodyError records the error that a read of the request's body ended with
// where a limit was the reason. A decoder may lose it; it must not turn into
// 400 for that. The first one stays.
func (x *Exchange) SetBodyError(err error) {
	x.notes.Lock()
	defer x.notes.Unlock()
	if x.notes.bodyErr == nil {
		x.notes.bodyErr = err
	}
}

// BodyError is what SetBodyError recorded.
func (x *Exchange) BodyError() error {
	x.notes.Lock()
	defer x.notes.Unlock()
	return x.notes.bodyErr
}

// SetLevel records at which level the line is to be written, where the mapping
// of the error says so.
func (x *Exchange) SetLevel(l slog.Leveler) {
	x.notes.Lock()
	defer x.notes.Unlock()
	x.notes.level = l
}

// Level is what SetLevel recorded, nil where nothing was.
func (x *Exchange) Level() slog.Leveler {
	x.notes.Lock()
	defer x.notes.Unlock()
	return x.notes.level
}

// Wire is how far a response has come.
type Wire struct {
	Status int  // the final status that was begun, 0 where none was
	Taken  bool // the connection was hijacked or has switched protocols
	Closed bool // nothing more is accepted: the deadline has answered, or the response was cut
}

// Wire tells how far the response has come.
func (x *Exchange) Wire() Wire {
	x.wmu.Lock()
	defer x.wmu.Unlock()
	s := Wire{Taken: x.hijacked, Closed: x.gate.Load()&gateClosed != 0}
	if x.committed.Load() {
		s.Status = x.status
		s.Taken = s.Taken || s.Status == 101
	}
	return s
}

// Drop is Cut where the response need not have begun: what a middleware
// further in holds back in a buffer must not go out as if it were whole, and a
// client that left gets nothing, not even the empty 200 of the server.
func (x *Exchange) Drop() {
	if x.begin() != nil {
		return
	}
	defer x.done()
	if x.hijacked {
		return
	}
	x.gate.Or(gateClosed)
	x.sealed = errCut
	x.breakOff(x.committed.Load())
}

// Abandoned reports whether the deadline was enforced and the handler is still
// running.
func (x *Exchange) Abandoned() bool {
	return x.Expired() && !x.handlers.returned.Load()
}

// Report writes to the server's ErrorLog what would be lost otherwise: nobody
// observes this request.
func (x *Exchange) Report(format string, args ...any) {
	if len(x.observers) == 0 {
		x.logf(format, args...)
	}
}
