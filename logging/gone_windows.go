package logging

import (
	"errors"
	"syscall"
)

// peerGone reports whether a write failed because the other side closed.
func peerGone(err error) bool {
	return errors.Is(err, syscall.WSAECONNRESET) || errors.Is(err, syscall.WSAECONNABORTED)
}
