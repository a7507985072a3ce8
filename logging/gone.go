//go:build !windows && !plan9

package logging

import (
	"errors"
	"syscall"
)

// peerGone reports whether a write failed because the other side closed.
func peerGone(err error) bool {
	return errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET)
}
