package logging

import (
	"errors"
	"log/slog"
	"net/http"
	"os"

	"github.com/bulwark-go/bulwark/internal/exchange"
)

// statusClientGone is nginx's status for a client that closed the request. It
// is in the line only: nothing of it goes over the wire.
const statusClientGone = 499

// classify says how a request ended. The order is the meaning: what the handler
// did wrong before what befell it, and the wire before the intention. A failed
// write counts before ErrAbortHandler, by which a proxy hides it, and before
// the client's leaving, for net/http cancels the context after either.
func classify(e *exchange.Ending, whole bool) Outcome {
	switch {
	case e.Panic != nil:
		return Panic
	case e.Deadline && !e.ClientGone:
		return Deadline
	case e.TimedOut:
		return WriteTimeout
	case e.WriteErr != nil:
		return classifyWrite(e.WriteErr)
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

func classifyWrite(err error) Outcome {
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return WriteTimeout
	case peerGone(err):
		return ClientGone
	}
	return WriteError
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
