//go:build !windows && !plan9

package exchange

import (
	"errors"
	"syscall"
)

// peerGone reports whether a write failed because the client closed the
// connection, or because it and its network cannot be reached any more.
func peerGone(err error) bool {
	for _, e := range [...]syscall.Errno{
		syscall.EPIPE, syscall.ECONNRESET, syscall.ECONNABORTED,
		syscall.ETIMEDOUT, syscall.EHOSTUNREACH, syscall.ENETUNREACH, syscall.ENETRESET,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
