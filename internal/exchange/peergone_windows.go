package exchange

import (
	"errors"
	"syscall"
)

// The codes of Winsock that package syscall does not name.
const (
	wsaENETUNREACH  = syscall.Errno(10051)
	wsaENETRESET    = syscall.Errno(10052)
	wsaETIMEDOUT    = syscall.Errno(10060)
	wsaEHOSTUNREACH = syscall.Errno(10065)
)

// peerGone reports whether a write failed because the client closed the
// connection, or because it and its network cannot be reached any more.
func peerGone(err error) bool {
	for _, e := range [...]syscall.Errno{
		syscall.WSAECONNRESET, syscall.WSAECONNABORTED,
		wsaENETUNREACH, wsaENETRESET, wsaETIMEDOUT, wsaEHOSTUNREACH,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
