package logging

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"

	"github.com/bulwark-go/bulwark/internal/exchange"
)

// statusClientGone is nginx's status for a client that closed the request. It
// is in the line only: nothing of it goes over the wire.
const statusClientGone = 499

// classify says how a request ended. The order is the meaning: what the handler
// did wrong before what befell it, and the wire before the intention. A failed
// write counts before what a handler makes of it: an error, for which we cut the
// response off, or ErrAbortHandler, by which a proxy hides it. It counts before
// the client's leaving, too, for net/http cancels the context after it. So it
// does when we cut a response off ourselves.
func classify(e *exchange.Ending, whole, http2 bool) Outcome {
	switch {
	case e.Panic != nil:
		return Panic
	case e.Deadline && e.ClientGone: // it only found out
		return ClientGone
	case e.Deadline:
		return Deadline
	case e.TimedOut:
		return WriteTimeout
	case e.WriteErr != nil:
		return classifyWrite(e.WriteErr, http2, e.ClientGone)
	case e.Cut && !e.ClientGone && e.Cause != nil && !contains(e.Cause, context.Canceled, maxDepth):
		return Error
	case e.ClientGone && !whole && !e.Hijacked:
		return ClientGone
	case e.Aborted:
		return Aborted
	case e.Hijacked, e.Status == http.StatusSwitchingProtocols:
		return Upgraded
	case e.Refused:
		return Refused
	case e.Short:
		return ShortBody
	case e.Cut, e.Status >= 500, e.Status < 400 && e.Cause != nil:
		return Error
	}
	return OK
}

// classifyWrite says why a write failed. A stream of HTTP/2 that the client has
// reset has no error of its own; gone tells that it was.
func classifyWrite(err error, http2, gone bool) Outcome {
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return WriteTimeout
	case peerGone(err), http2 && (gone || connectionEnded(err)):
		return ClientGone
	}
	return WriteError
}

// connectionEnded reports whether an HTTP/2 server has ended a connection because
// its client has. It tells the handlers' writes so before it ends their contexts,
// by errors that net/http does not export.
func connectionEnded(err error) bool {
	return errors.Is(err, net.ErrClosed) || err.Error() == "client disconnected"
}

// contains is errors.Is for a tree that may have no end, and without asking its
// errors, whose methods may be hostile.
func contains(err, target error, depth int) (found bool) {
	defer func() { _ = recover() }() // types that cannot be compared
	switch u := err.(type) {         //nolint:errorlint // this is the walk itself
	case nil:
		return false
	case interface{ Unwrap() error }:
		return err == target || depth > 0 && contains(u.Unwrap(), target, depth-1) //nolint:errorlint // the same
	case interface{ Unwrap() []error }:
		for _, e := range u.Unwrap() {
			if depth > 0 && contains(e, target, depth-1) {
				return true
			}
		}
	}
	return err == target || err == exchange.ErrClientGone && target == context.Canceled //nolint:errorlint // see above
}

// defaultLevel is ERROR for what the service did wrong: a 5xx, a response that
// did not arrive as it was meant, an error that no rule knew.
func defaultLevel(r Record) slog.Level {
	switch r.Outcome {
	case Error, Panic, Aborted, WriteError, WriteTimeout, ShortBody:
		return slog.LevelError
	case Deadline:
		if r.Status != http.StatusRequestTimeout { // 408: the client's own body was late
			return slog.LevelError
		}
	}
	if r.Status >= 500 {
		return slog.LevelError
	}
	return slog.LevelInfo
}
